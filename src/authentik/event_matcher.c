/* SPDX-License-Identifier: MIT */
/* An event matcher policy: how it is asked for, and how its row is read. */
#include "authentik/event_matcher.h"

#include "postgres/array.h"

#include <string.h>

enum { N, NAME, LOGGING, BOUND_TO, ACTION, IP, APP, MODEL, COLUMNS };

static bool same_policy(const struct question *a, const struct question *b)
{
	return memcmp(inquiry_of_const(a)->object, inquiry_of_const(b)->object, sizeof(uuid_t)) ==
	       0;
}

static int encode_policies(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	(void)facts;
	array_start(&parameters[0], ARRAY_UUID, part->count);
	for (unsigned i = 0; i < part->count; i++)
		array_append(&parameters[0], inquiry_of(part->of[i])->object, sizeof(uuid_t));
	return 1;
}

const struct statement event_matcher_statement = {
    .name = "policy", .columns = COLUMNS, .same = same_policy, .encode = encode_policies};

static const char *text_of(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

bool event_matcher_read(
    struct event_matcher *policy, const struct answer *answer, const struct inquiry *inquiry)
{
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, STATEMENT_POLICY, &rows);

	if (row < 0)
		return false;
	*policy = (struct event_matcher){.name = PQgetvalue(rows, row, NAME),
	    .bound_to = PQgetvalue(rows, row, BOUND_TO),
	    .action = text_of(rows, row, ACTION),
	    .client_ip = text_of(rows, row, IP),
	    .app = text_of(rows, row, APP),
	    .model = text_of(rows, row, MODEL),
	    .execution_logging = *PQgetvalue(rows, row, LOGGING) == 't'};
	return true;
}
