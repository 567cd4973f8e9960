/* SPDX-License-Identifier: MIT */
/* The server's state before a batch's questions, and what keeps it from saying all. */
#include "authentik/snapshot.h"

#include <stdlib.h>

enum { N, TEXT, NOW, BACKEND, COLUMNS };
enum { OBSTACLE = N + 1, KNOWABLE_COLUMNS };

/* Whoever asks, asks the same. */
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

const struct statement snapshot_statement = {
    .name = "snapshot", .columns = COLUMNS, .complete = true, .same = same, .encode = encode};
const struct statement snapshot_knowable_statement = {.name = "knowable",
    .columns = KNOWABLE_COLUMNS,
    .complete = true,
    .same = same,
    .encode = encode};

struct snapshot snapshot_read(const struct answer *answer, const struct inquiry *inquiry)
{
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, STATEMENT_SNAPSHOT, &rows);

	return (struct snapshot){.text = PQgetvalue(rows, row, TEXT),
	    .now = PQgetvalue(rows, row, NOW),
	    .backend = atoi(PQgetvalue(rows, row, BACKEND))};
}

const char *snapshot_obstacle(const struct answer *answer, const struct inquiry *inquiry)
{
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, STATEMENT_KNOWABLE, &rows);

	return PQgetisnull(rows, row, OBSTACLE) ? NULL : PQgetvalue(rows, row, OBSTACLE);
}
