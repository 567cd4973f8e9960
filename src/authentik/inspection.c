/* SPDX-License-Identifier: MIT */
/* What a check asks of the database, in the order of its lines. */
#include "authentik/inspection.h"

#include "authentik/catalogue.h"
#include "authentik/facts.h"
#include "authentik/statements.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char inspection_set_up[] = statement_session;

const struct template_variable inspection_variables[] = {
    {"layout", statement_layout}, {"needed", statement_needed}, {NULL, NULL}};

static const char needed[] = statement_requirements;

const struct inspection inspection_list[] = {
    {"schema", needed, "schema", "the one that is named is there", true,
	"name it with --schema, run sql/role.sql"},
    {"tables", needed, "table", "none is missing", true,
	"finish authentik's migration, or name their schema with --schema"},
    {"columns", needed, "column", "none is missing", true,
	"finish authentik's migration; an authentik that this program does not know needs a newer "
	"one"},
    {"privileges", needed, "privilege", "none is missing", true, "run sql/role.sql again"},
    {"owners", needed, "owner", "the tables are authentik's own", true,
	"find out who made that table, and drop it"},
    {"row security", needed, "row security", "hides no row", true,
	"exempt the role by BYPASSRLS, or drop the policies"},
    {"writing", statement_may_write, NULL, "the role may write to none of the tables", false,
	"run sql/role.sql, and connect as event_matcher"},
    {"new columns", statement_unknown_columns, NULL, "none that this program does not know", false,
	"look for a newer release of this program"},
    {"views", statement_not_tables, NULL, "none in a table's place", false,
	"see that they show what the table would"},
    {NULL, NULL, NULL, NULL, false, NULL},
};

const struct inspection inspection_tenants = {
    "tenants", statement_tenants, NULL, "one", false, "run a pool for each of them, with --schema"};

int inspection_count(
    const struct inspection *inspection, struct survey *survey, char *text, size_t size)
{
	PGresult *rows = survey_ask(survey, inspection->sql, inspection->kind ? 2 : 1);
	size_t length = 0;
	int count = 0;

	*text = '\0';
	if (!rows)
		return -1;
	for (int i = 0; i < PQntuples(rows); i++) {
		if (inspection->kind && strcmp(PQgetvalue(rows, i, 1), inspection->kind) != 0)
			continue;
		if (length < size)
			length += (size_t)snprintf(text + length, size - length, "%s%s",
			    count ? "; " : "", PQgetvalue(rows, i, 0));
		count++;
	}
	PQclear(rows);
	return count;
}

bool inspection_read_role(struct inspection_role *role, struct survey *survey)
{
	PGresult *rows = survey_ask(survey, statement_server, 5);
	bool good = rows && PQntuples(rows) == 1;

	if (good) {
		role->clock = strtod(PQgetvalue(rows, 0, 0), NULL);
		role->standby = *PQgetvalue(rows, 0, 2) == 't';
		snprintf(role->name, sizeof(role->name), "%s", PQgetvalue(rows, 0, 1));
		snprintf(role->may, sizeof(role->may), "%s", PQgetvalue(rows, 0, 3));
		snprintf(role->groups, sizeof(role->groups), "%s", PQgetvalue(rows, 0, 4));
	}
	PQclear(rows);
	return good;
}

bool inspection_read_facts(void *facts, struct survey *survey)
{
	PGresult *rows = survey_ask(survey, statement_facts, facts_statement.columns);
	bool good = rows && PQntuples(rows) == 1;

	if (good)
		catalogue_common.read_facts(facts, rows);
	PQclear(rows);
	return good;
}
