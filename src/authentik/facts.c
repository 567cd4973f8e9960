/* SPDX-License-Identifier: MIT */
/* What a session has to know of the database besides its tables. */
#include "authentik/facts.h"

#include <stdlib.h>

enum { N, PERMISSION, TOKEN_INDEX, COLUMNS };

static bool same(const struct question *a, const struct question *b)
{
	(void)a, (void)b;
	return true;
}

static int encode(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	(void)parameters, (void)part, (void)facts;
	return 0;
}

const struct statement facts_statement = {
    .name = "facts", .columns = COLUMNS, .complete = true, .same = same, .encode = encode};

struct facts facts_read(const PGresult *rows)
{
	return (struct facts){.permission = atoi(PQgetvalue(rows, 0, PERMISSION)),
	    .token_index = *PQgetvalue(rows, 0, TOKEN_INDEX) == 't'};
}
