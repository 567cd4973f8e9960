/* SPDX-License-Identifier: MIT */
/* An event matcher policy: how it is asked for, and how its row is read. */
#include "authentik/event_matcher.h"

#include "postgres/array.h"

#include <string.h>

/* Behind these comes the policy's own row, whole, as its table has it. */
enum { N, NAME, LOGGING, BOUND_TO, COLUMNS };

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

static int encode_one(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	(void)facts;
	buffer_clear(&parameters[0]);
	buffer_append(&parameters[0], inquiry_of(part->of[0])->object, sizeof(uuid_t));
	return 1;
}

static const struct statement *choose(const struct batch_part *part)
{
	static const struct statement one = {.name = "policy_one", .encode = encode_one};

	return part->count == 1 ? &one : part->statement;
}

const struct statement event_matcher_statement = {.name = "policy",
    .columns = COLUMNS,
    .same = same_policy,
    .encode = encode_policies,
    .choose = choose};

/*
 * The place of a column, which mostly is the one that it had in every release so far; -1: it is
 * not there.
 */
static int column_of(const PGresult *rows, const char *name, int mostly)
{
	int count = PQnfields(rows);

	if (mostly < count && strcmp(PQfname(rows, mostly), name) == 0)
		return mostly;
	while (count-- > COLUMNS && strcmp(PQfname(rows, count), name) != 0)
		;
	return count < COLUMNS ? -1 : count;
}

static const char *text_of(const PGresult *rows, int row, int column)
{
	return column < 0 || PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static void read_own(struct event_matcher *policy, const PGresult *rows, int row)
{
	enum { ID = COLUMNS, ACTION, IP, APP, MODEL, QUERY };
	int query = column_of(rows, "query", QUERY);

	policy->action = text_of(rows, row, column_of(rows, "action", ACTION));
	policy->client_ip = text_of(rows, row, column_of(rows, "client_ip", IP));
	policy->app = text_of(rows, row, column_of(rows, "app", APP));
	policy->model = text_of(rows, row, column_of(rows, "model", MODEL));
	policy->query = text_of(rows, row, query);
	policy->has_query = query >= 0;
}

bool event_matcher_read(
    struct event_matcher *policy, const struct answer *answer, const struct inquiry *inquiry)
{
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, STATEMENT_POLICY, &rows);

	if (row < 0 || PQgetisnull(rows, row, NAME))
		return false;
	*policy = (struct event_matcher){.name = PQgetvalue(rows, row, NAME),
	    .bound_to = PQgetvalue(rows, row, BOUND_TO),
	    .execution_logging = *PQgetvalue(rows, row, LOGGING) == 't'};
	read_own(policy, rows, row);
	return true;
}
