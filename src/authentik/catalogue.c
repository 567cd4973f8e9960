/* SPDX-License-Identifier: MIT */
/* The statements, and the two kinds of sessions that ask them. */
#include "authentik/catalogue.h"

#include "authentik/caller.h"
#include "authentik/event_matcher.h"
#include "authentik/facts.h"
#include "authentik/rights.h"
#include "authentik/snapshot.h"
#include "authentik/statements.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct facts) <= SESSION_FACTS_MAX, "a session has room for the facts");

static const struct statement *const statements[] = {
    [STATEMENT_FACTS] = &facts_statement,
    [STATEMENT_SNAPSHOT] = &snapshot_statement,
    [STATEMENT_KNOWABLE] = &snapshot_knowable_statement,
    [STATEMENT_CALLER] = &caller_statement,
    [STATEMENT_ACCESS_TOKEN] = &caller_token_statement,
    [STATEMENT_POLICY] = &event_matcher_statement,
    [STATEMENT_RIGHTS] = &rights_statement,
};

/*
 * The layouts of authentik's tables, as sql/role.sql tells them apart: what it is called, the table
 * of a user's groups, what is sent to a common session, what answers are like. The last one is the
 * newest.
 */
struct layout {
	const char *name, *releases;
	enum metric metric;
	struct template_variable variables[4];
	const char *common[14];
	bool names_scheme, charset;  /* as in struct facts */
	bool may_be_plain_not_found; /* some of its releases are, as facts.sql tells */
};

#define VARIABLES(members)                                                                         \
	{                                                                                          \
		{"layout", statement_layout}, {"needed", statement_needed},                        \
		{                                                                                  \
			"members", members                                                         \
		}                                                                                  \
	}
#define COMMON(rights, rights_known)                                                               \
	{                                                                                          \
		statement_tenants, statement_unknown_columns, statement_not_tables,                \
		    statement_may_write, statement_snapshot, statement_knowable, statement_caller, \
		    statement_caller_known, statement_caller_one, statement_policy,                \
		    statement_policy_one, rights, rights_known                                     \
	}

static const struct layout layouts[] = {
    {"tree", "layout tree: authentik 2024.8 to 2025.10", METRIC_LAYOUT_TREE,
	VARIABLES("authentik_core_user_ak_groups"),
	COMMON(statement_rights_tree, statement_rights_known_tree), true, true, true},
    {"roles_ak_groups", "layout roles_ak_groups: authentik 2025.12", METRIC_LAYOUT_ROLES_AK_GROUPS,
	VARIABLES("authentik_core_user_ak_groups"),
	COMMON(statement_rights_roles, statement_rights_known_roles), false, true, false},
    {"roles_user_groups", "layout roles_user_groups: authentik 2026.2 and later",
	METRIC_LAYOUT_ROLES_USER_GROUPS, VARIABLES("authentik_core_user_groups"),
	COMMON(statement_rights_roles, statement_rights_known_roles), false, false, false},
};

static const struct facts *facts_of(const void *facts)
{
	return facts;
}

static const struct layout *layout_of(const void *facts)
{
	return &layouts[facts_of(facts)->layout];
}

static unsigned char find_layout(const char *name)
{
	unsigned char place = sizeof(layouts) / sizeof(layouts[0]) - 1;

	while (place && strcmp(layouts[place].name, name) != 0)
		place--;
	return place;
}

static void read_facts(void *facts, const PGresult *rows)
{
	const char *name;
	struct facts found = facts_read(rows, &name);

	found.layout = find_layout(name);
	found.names_scheme = layouts[found.layout].names_scheme;
	found.charset = layouts[found.layout].charset;
	found.plain_not_found &= layouts[found.layout].may_be_plain_not_found;
	memcpy(facts, &found, sizeof(found));
}

static const struct template_variable *variables(const void *facts)
{
	return layout_of(facts)->variables;
}

static const char *describe(const void *facts)
{
	return layout_of(facts)->releases;
}

static enum metric layout_metric(const void *facts)
{
	return layout_of(facts)->metric;
}

static const char *const *common_statements(const void *facts)
{
	return layout_of(facts)->common + (facts_of(facts)->tenants ? 0 : 1);
}

static const char *common_settings(const void *facts)
{
	(void)facts;
	return statement_session_lookup;
}

static const char *const *slow_statements(const void *facts)
{
	static const char *const texts[] = {statement_access_token, NULL};

	(void)facts;
	return texts;
}

static const char *slow_settings(const void *facts)
{
	return facts_of(facts)->token_index ? statement_session_lookup : statement_session_scan;
}

static const char *common_warning(const void *facts)
{
	return facts_of(facts)->permission
		   ? NULL
		   : "the database has no permission view_eventmatcherpolicy: "
		     "only superusers see anything";
}

static const char *slow_warning(const void *facts)
{
	return facts_of(facts)->token_index
		   ? NULL
		   : "no valid index of authentik_providers_oauth2_accesstoken starts with token: "
		     "every "
		     "unknown key scans that table; sql/index.sql makes one";
}

static bool has_no_index(const void *facts)
{
	return !facts_of(facts)->token_index;
}

/* Columns that come or go do not always give an error. */
static const char *shape_changed(const void *before, const void *after)
{
	const struct facts *old = facts_of(before), *new = facts_of(after);
	bool same = old->shape == new->shape && old->layout == new->layout &&
		    old->plain_not_found == new->plain_not_found;

	return same ? NULL : "the tables have changed: to be looked at anew";
}

static const char *slow_changed(const void *before, const void *after)
{
	return has_no_index(before) == has_no_index(after)
		   ? shape_changed(before, after)
		   : "the index of access tokens has come or gone: to be planned anew";
}

const struct session_kind catalogue_common = {.name = "PostgreSQL connection",
    .set = statements,
    .set_up = statement_session,
    .alone = statement_session_alone,
    .requirements = statement_requirements,
    .facts = statement_facts,
    .in_flight = 2,
    .ready = METRIC_READY_COMMON,
    .opening = METRIC_OPENING_COMMON,
    .down = METRIC_DOWN_COMMON,
    .most_delay = 420, /* with the eager ones before, no more than thirty in ten seconds */
    .read_facts = read_facts,
    .settings = common_settings,
    .statements = common_statements,
    .variables = variables,
    .describe = describe,
    .layout = layout_metric,
    .warning = common_warning,
    .stale = shape_changed};

/*
 * It follows the common one (connection_hurry), so that the two together try at most thrice a
 * second.
 */
const struct session_kind catalogue_slow = {.name = "PostgreSQL connection for access tokens",
    .set = statements,
    .set_up = statement_session,
    .alone = statement_session_alone,
    .requirements = statement_requirements,
    .facts = statement_facts,
    .in_flight = 1,
    .ready = METRIC_READY_TOKENS,
    .opening = METRIC_OPENING_TOKENS,
    .down = METRIC_DOWN_TOKENS,
    .most_delay = 3200,
    .read_facts = read_facts,
    .settings = slow_settings,
    .statements = slow_statements,
    .variables = variables,
    .describe = describe,
    .layout = layout_metric,
    .warning = slow_warning,
    .rests = has_no_index,
    .stale = slow_changed};
