/* SPDX-License-Identifier: MIT */
/* What a session has to know of the database besides its tables. */
#include "authentik/facts.h"

#include <stdlib.h>

enum {
	N,
	LAYOUT,
	PERMISSION,
	TOKEN_INDEX,
	SESSION_TABLE,
	TENANTS,
	SHAPE,
	STANDBY,
	SNAPSHOTS,
	COLUMNS
};

const struct statement facts_statement = {.name = "facts", .columns = COLUMNS, .complete = true};

static bool is_true(const PGresult *rows, int column)
{
	return *PQgetvalue(rows, 0, column) == 't';
}

struct facts facts_read(const PGresult *rows, const char **layout)
{
	*layout = PQgetvalue(rows, 0, LAYOUT);
	return (struct facts){.permission = atoi(PQgetvalue(rows, 0, PERMISSION)),
	    .shape = atoi(PQgetvalue(rows, 0, SHAPE)),
	    .token_index = is_true(rows, TOKEN_INDEX),
	    .tenants = is_true(rows, TENANTS),
	    .standby = is_true(rows, STANDBY),
	    .snapshots = is_true(rows, SNAPSHOTS),
	    .plain_not_found = !is_true(rows, SESSION_TABLE)};
}
