/* SPDX-License-Identifier: MIT */
/* Many questions, few statements, one Sync; knows no statement by name. */
#include "postgres/batch.h"

#include "postgres/unnamed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void batch_init(struct batch *batch, const struct statement *const *set)
{
	*batch = (struct batch){.set = set};
}

static unsigned find_same(const struct batch_part *part, const struct question *question)
{
	const struct statement *statement = part->statement;
	unsigned i = 0;

	while (i < part->count && statement->same && !statement->same(part->of[i], question))
		i++;
	return i;
}

static bool wants(const struct question *question, unsigned index)
{
	return question->wants >> index & 1;
}

bool batch_has_room(const struct batch *batch, const struct question *question)
{
	if (batch->count == BATCH_MEMBERS)
		return false;
	for (unsigned i = 0; i < BATCH_STATEMENTS && question->wants >> i; i++)
		if (wants(question, i) && batch->parts[i].count == BATCH_MAX &&
		    find_same(&batch->parts[i], question) == BATCH_MAX)
			return false;
	return true;
}

static unsigned place(struct batch_part *part, struct question *question)
{
	unsigned i = find_same(part, question);

	if (i == part->count) {
		part->row_of[part->count] = BATCH_NONE;
		part->of[part->count++] = question;
	}
	assert(part->count <= BATCH_MAX);
	return i;
}

void batch_add(struct batch *batch, struct question *question)
{
	assert(batch_has_room(batch, question) && batch->sent_count == 0);
	batch->members[batch->count++] = question;
	for (unsigned i = 0; i < BATCH_STATEMENTS && question->wants >> i; i++) {
		struct batch_part *part = &batch->parts[i];

		if (!wants(question, i))
			continue;
		part->index = i;
		part->statement = batch->set[i];
		part->batch = batch;
		question->place[i] = (unsigned char)place(part, question);
	}
}

static_assert(
    (int)PREPARED_PARAMETERS == (int)STATEMENT_PARAMETERS, "a batch can be asked either way");

static bool send_part(struct batch *batch, struct batch_part *part, PGconn *connection,
    const void *facts, const struct unnamed *unnamed)
{
	const char *values[STATEMENT_PARAMETERS];
	int lengths[STATEMENT_PARAMETERS], formats[STATEMENT_PARAMETERS] = {1, 1, 1, 1, 1, 1};
	const struct statement *statement =
	    part->statement->choose ? part->statement->choose(part) : part->statement;
	int count = statement->encode ? statement->encode(batch->parameters, part, facts) : 0;

	assert(count <= STATEMENT_PARAMETERS && batch->sent_count < BATCH_STATEMENTS);
	for (int i = 0; i < count; i++) {
		if (batch->parameters[i].failed)
			return false;
		lengths[i] = (int)batch->parameters[i].length;
		values[i] = lengths[i] ? (const char *)batch->parameters[i].data : NULL;
	}
	batch->sent[batch->sent_count++] = part->index;
	if (unnamed)
		return unnamed_send(unnamed, statement->name, connection, values, lengths, formats);
	return PQsendQueryPrepared(connection, statement->name, count, values, lengths, formats, 0);
}

bool batch_send(
    struct batch *batch, PGconn *connection, const void *facts, const struct unnamed *unnamed)
{
	assert(batch->sent_count == 0);
	if (unnamed && !unnamed_send_settings(unnamed, connection))
		return false;
	batch->ahead = unnamed ? unnamed->settings_count : 0;
	for (unsigned i = 0; i < BATCH_STATEMENTS; i++)
		if (batch->parts[i].count &&
		    !send_part(batch, &batch->parts[i], connection, facts, unnamed))
			return false;
	return PQpipelineSync(connection);
}

/* Notes which row is about which value; false where the rows do not fit the statement. */
static bool note_rows(struct batch_part *part, PGresult *rows)
{
	int count = PQntuples(rows);
	unsigned known = 0;

	if (part->rows || PQnfields(rows) < part->statement->columns)
		return false;
	for (int row = 0; row < count; row++) {
		long n = strtol(PQgetvalue(rows, row, 0), NULL, 10);

		if (n < 1 || n > (long)part->count)
			return false;
		known += part->row_of[n - 1] == BATCH_NONE;
		part->row_of[n - 1] = part->row_of[n - 1] == BATCH_NONE ? row : BATCH_TWICE;
	}
	if (part->statement->complete && known != part->count)
		return false;
	part->rows = rows;
	return true;
}

static void note_error(struct batch *batch, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (*batch->error)
		return;
	strncpy(batch->sqlstate, sqlstate ? sqlstate : "", sizeof(batch->sqlstate) - 1);
	strncpy(
	    batch->error, message ? message : "the connection is lost", sizeof(batch->error) - 1);
}

/* The end of a statement's results. */
static enum batch_progress end_statement(struct batch *batch)
{
	if (batch->ahead) {
		batch->ahead--;
		return BATCH_GOES_ON;
	}
	return batch->done++ < batch->sent_count ? BATCH_GOES_ON : BATCH_BROKEN;
}

enum batch_progress batch_take(struct batch *batch, PGresult *result)
{
	bool due = batch->ahead || batch->done < batch->sent_count;
	ExecStatusType status = PQresultStatus(result);
	bool good = status == PGRES_TUPLES_OK || (batch->ahead && status == PGRES_COMMAND_OK);

	if (!result)
		return end_statement(batch);
	if (good && due && !batch->ahead &&
	    note_rows(&batch->parts[batch->sent[batch->done]], result))
		return BATCH_GOES_ON; /* the result is the part's, until batch_clear */
	if (!good && status != PGRES_PIPELINE_SYNC)
		note_error(batch, result);
	PQclear(result);
	if (status == PGRES_PIPELINE_SYNC)
		return due ? BATCH_BROKEN : BATCH_COMPLETE;
	return due && (!good || batch->ahead) ? BATCH_GOES_ON : BATCH_BROKEN;
}

bool batch_is_ambiguous(const struct batch *batch, const struct question *question)
{
	for (unsigned i = 0; i < BATCH_STATEMENTS && question->wants >> i; i++)
		if (wants(question, i) && batch->parts[i].row_of[question->place[i]] == BATCH_TWICE)
			return true;
	return false;
}

int batch_row(const struct answer *answer, const struct question *question, unsigned index,
    const PGresult **rows)
{
	const struct batch_part *part = &answer->batch->parts[index];

	assert(wants(question, index));
	*rows = part->rows;
	return part->row_of[question->place[index]];
}

void batch_clear(struct batch *batch)
{
	for (unsigned i = 0; i < BATCH_STATEMENTS; i++) {
		PQclear(batch->parts[i].rows);
		batch->parts[i].rows = NULL;
		batch->parts[i].count = 0;
	}
	batch->count = batch->ahead = batch->sent_count = batch->done = 0;
	batch->started = 0;
	batch->number++;
	*batch->sqlstate = *batch->error = '\0';
}

void batch_free(struct batch *batch)
{
	batch_clear(batch);
	for (int i = 0; i < STATEMENT_PARAMETERS; i++)
		buffer_free(&batch->parameters[i]);
}
