/* SPDX-License-Identifier: MIT */
/* The server's state before a batch's questions, and what keeps it from saying all. */
#include "authentik/snapshot.h"

#include <stdlib.h>

enum { N, TEXT, NOW, BACKEND, COLUMNS };
enum { OBSTACLE = N + 1, KNOWABLE_COLUMNS };

const struct statement snapshot_statement = {
    .name = "snapshot", .columns = COLUMNS, .complete = true};
const struct statement snapshot_knowable_statement = {
    .name = "knowable", .columns = KNOWABLE_COLUMNS, .complete = true};

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
