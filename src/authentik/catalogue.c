/* SPDX-License-Identifier: MIT */
/* The statements, and the two kinds of sessions that ask them. */
#include "authentik/catalogue.h"

#include "authentik/caller.h"
#include "authentik/event_matcher.h"
#include "authentik/facts.h"
#include "authentik/rights.h"
#include "authentik/statements.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct facts) <= SESSION_FACTS_MAX, "a session has room for the facts");

static const struct statement *const statements[] = {
    [STATEMENT_FACTS] = &facts_statement,
    [STATEMENT_CALLER] = &caller_statement,
    [STATEMENT_ACCESS_TOKEN] = &caller_token_statement,
    [STATEMENT_POLICY] = &event_matcher_statement,
    [STATEMENT_RIGHTS] = &rights_statement,
};

static void read_facts(void *facts, const PGresult *rows)
{
	struct facts found = facts_read(rows);

	memcpy(facts, &found, sizeof(found));
}

static const char *const *common_statements(const void *facts)
{
	static const char *const texts[] = {
	    statement_session_lookup, statement_caller, statement_policy, statement_rights, NULL};

	(void)facts;
	return texts;
}

static const char *const *slow_statements(const void *facts)
{
	static const char *const indexed[] = {
	    statement_session_lookup, statement_access_token, NULL};
	static const char *const scanned[] = {statement_session_scan, statement_access_token, NULL};

	return ((const struct facts *)facts)->token_index ? indexed : scanned;
}

static const char *common_warning(const void *facts)
{
	return ((const struct facts *)facts)->permission
		   ? NULL
		   : "the database has no permission view_eventmatcherpolicy: only superusers see "
		     "anything";
}

static const char *slow_warning(const void *facts)
{
	return ((const struct facts *)facts)->token_index
		   ? NULL
		   : "no valid index of authentik_providers_oauth2_accesstoken starts with token: "
		     "every "
		     "unknown key scans that table; sql/index.sql makes one";
}

static bool has_no_index(const void *facts)
{
	return !((const struct facts *)facts)->token_index;
}

static const char *index_changed(const void *before, const void *after)
{
	return has_no_index(before) == has_no_index(after)
		   ? NULL
		   : "the index of access tokens has come or gone: to be planned anew";
}

const struct session_kind catalogue_common = {.name = "PostgreSQL connection",
    .set = statements,
    .set_up = statement_session,
    .requirements = statement_requirements,
    .facts = statement_facts,
    .in_flight = 2,
    .most_delay = 400,
    .read_facts = read_facts,
    .statements = common_statements,
    .warning = common_warning};

/*
 * It follows the common one (connection_hurry), so that the two together try at most thrice a
 * second.
 */
const struct session_kind catalogue_slow = {.name = "PostgreSQL connection for access tokens",
    .set = statements,
    .set_up = statement_session,
    .requirements = statement_requirements,
    .facts = statement_facts,
    .in_flight = 1,
    .most_delay = 3200,
    .read_facts = read_facts,
    .statements = slow_statements,
    .warning = slow_warning,
    .rests = has_no_index,
    .stale = index_changed};
