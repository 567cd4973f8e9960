/* SPDX-License-Identifier: MIT */
/* Many questions, few statements, one Sync: composes a batch, reads its results, hands each member its
 * answer. */
#include "postgres/batch.h"

#include "postgres/array.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { CALLER, ACCESS_TOKEN, POLICY, RIGHTS, FACTS };

static const char *const names[BATCH_STATEMENTS] = {"caller", "access_token", "policy", "rights", "facts"};

static bool same_key(const struct question *a, const struct question *b)
{
	return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

static bool same_policy(const struct question *a, const struct question *b)
{
	return memcmp(a->policy, b->policy, sizeof(uuid_t)) == 0;
}

static bool same_user(const struct question *a, const struct question *b)
{
	return a->user == b->user;
}

static unsigned place(struct batch_distinct *distinct, struct question *question,
	bool (*same)(const struct question *, const struct question *))
{
	unsigned i = 0;

	while (i < distinct->count && !same(distinct->of[i], question))
		i++;
	if (i == distinct->count)
		distinct->of[distinct->count++] = question;
	assert(distinct->count <= BATCH_MAX);
	return i;
}

void batch_add(struct batch *batch, struct question *question)
{
	assert(batch->count < BATCH_MAX);
	batch->members[batch->count++] = question;
	if (question->wants & (QUESTION_CALLER | QUESTION_ACCESS_TOKEN))
		question->key_place = place(&batch->keys, question, same_key);
	if (question->wants & QUESTION_POLICY)
		question->policy_place = place(&batch->policies, question, same_policy);
	if (question->wants & QUESTION_RIGHTS) {
		question->user_place = place(&batch->users, question, same_user);
		question->user_policy = batch->user_policies[question->user_place]++;
	}
}

static void encode_keys(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_TEXT, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++) {
		array_append(buffer, distinct->of[i]->key, distinct->of[i]->key_length);
	}
}

static void encode_policies(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_UUID, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++)
		array_append(buffer, distinct->of[i]->policy, sizeof(uuid_t));
}

static void encode_superuser_by(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_UUID, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++)
		array_append(buffer, distinct->of[i]->superuser_by, sizeof(uuid_t));
}

static void encode_search(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_BOOL, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++)
		array_append(buffer, distinct->of[i]->search ? "\1" : "\0", 1);
}

static void append_number(struct buffer *buffer, unsigned number)
{
	uint32_t bytes = htobe32(number);

	array_append(buffer, &bytes, sizeof(bytes));
}

/* Of each user the first and the last of its policies in the array of all. */
static void encode_ranges(struct buffer *first, struct buffer *last, const struct batch *batch)
{
	unsigned at = 1;

	array_start(first, ARRAY_INT4, batch->users.count);
	array_start(last, ARRAY_INT4, batch->users.count);
	for (unsigned i = 0; i < batch->users.count; at += batch->user_policies[i++]) {
		append_number(first, at);
		append_number(last, at + batch->user_policies[i] - 1);
	}
}

static void encode_users(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_INT4, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++)
		append_number(buffer, (unsigned)distinct->of[i]->user);
}

static void encode_user_policies(struct buffer *buffer, const struct batch *batch)
{
	unsigned count = 0;

	for (unsigned i = 0; i < batch->users.count; i++)
		count += batch->user_policies[i];
	array_start(buffer, ARRAY_UUID, count);
	for (unsigned i = 0; i < batch->users.count; i++)
		for (unsigned k = 0; k < batch->count; k++)
			if (batch->members[k]->wants & QUESTION_RIGHTS && batch->members[k]->user_place == i)
				array_append(buffer, batch->members[k]->policy, sizeof(uuid_t));
}

/* Sends one statement with the arrays that batch->parameters hold and, where permission is not NULL, that
 * number. */
static bool send_statement(
	struct batch *batch, PGconn *connection, unsigned statement, int arrays, const int *permission)
{
	const uint32_t number = htobe32(permission ? (uint32_t)*permission : 0);
	const char *values[BATCH_PARAMETERS + 1];
	int lengths[BATCH_PARAMETERS + 1], formats[BATCH_PARAMETERS + 1] = {1, 1, 1, 1, 1, 1}, count = arrays;

	for (int i = 0; i < arrays; i++) {
		if (batch->parameters[i].failed)
			return false;
		values[i] = (const char *)batch->parameters[i].data;
		lengths[i] = (int)batch->parameters[i].length;
	}
	if (permission) {
		values[count] = *permission ? (const char *)&number : NULL;
		lengths[count++] = sizeof(number);
	}
	assert(batch->statement_count < BATCH_STATEMENTS);
	batch->statements[batch->statement_count++] = statement;
	return PQsendQueryPrepared(connection, names[statement], count, values, lengths, formats, 0);
}

static bool send_keys(struct batch *batch, PGconn *connection)
{
	encode_keys(&batch->parameters[0], &batch->keys);
	if (batch->keys.of[0]->wants & QUESTION_ACCESS_TOKEN)
		return send_statement(batch, connection, ACCESS_TOKEN, 1, NULL);
	encode_superuser_by(&batch->parameters[1], &batch->keys);
	encode_search(&batch->parameters[2], &batch->keys);
	return send_statement(batch, connection, CALLER, 3, NULL);
}

static bool send_policies(struct batch *batch, PGconn *connection)
{
	encode_policies(&batch->parameters[0], &batch->policies);
	return send_statement(batch, connection, POLICY, 1, NULL);
}

static bool send_rights(struct batch *batch, PGconn *connection, int permission)
{
	encode_users(&batch->parameters[0], &batch->users);
	encode_superuser_by(&batch->parameters[1], &batch->users);
	encode_ranges(&batch->parameters[2], &batch->parameters[3], batch);
	encode_user_policies(&batch->parameters[4], batch);
	return send_statement(batch, connection, RIGHTS, 5, &permission);
}

bool batch_send(struct batch *batch, PGconn *connection, int permission)
{
	assert(batch->statement_count == 0);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		batch->policy_row[i] = batch->rights_row[i] = -1;
	return (!batch->facts_wanted || send_statement(batch, connection, FACTS, 0, NULL)) &&
	       (!batch->keys.count || send_keys(batch, connection)) &&
	       (!batch->policies.count || send_policies(batch, connection)) &&
	       (!batch->users.count || send_rights(batch, connection, permission)) &&
	       PQpipelineSync(connection);
}

static bool read_callers(struct batch *batch, const PGresult *rows)
{
	unsigned at;

	for (int row = 0; row < PQntuples(rows); row++) {
		if (!answer_read_place(rows, row, batch->keys.count, &at))
			return false;
		batch->caller_found[at] = true;
		batch->callers[at] = answer_read_caller(rows, row, batch->keys.of[at]->superuser_by);
	}
	return true;
}

/* Notes which row is about which of count values, one at most. */
static bool note_rows(const PGresult *rows, unsigned count, int *row_of)
{
	unsigned at;

	for (int row = 0; row < PQntuples(rows); row++) {
		if (!answer_read_place(rows, row, count, &at) || row_of[at] >= 0)
			return false;
		row_of[at] = row;
	}
	return true;
}

/* Reads the rows of a statement; false where they do not fit it. */
static bool read_rows(struct batch *batch, unsigned statement, PGresult *result)
{
	switch (statement) {
	case CALLER:
	case ACCESS_TOKEN:
		return PQnfields(result) == ANSWER_CALLER_COLUMNS && read_callers(batch, result);
	case POLICY:
		return PQnfields(result) == ANSWER_POLICY_COLUMNS &&
		       note_rows(result, batch->policies.count, batch->policy_row);
	case RIGHTS:
		return PQnfields(result) == ANSWER_RIGHTS_COLUMNS &&
		       note_rows(result, batch->users.count, batch->rights_row) &&
		       PQntuples(result) == (int)batch->users.count;
	default:
		batch->facts = session_read_facts(result);
		batch->facts_read = true;
		return PQnfields(result) == ANSWER_FACTS_COLUMNS;
	}
}

static void note_error(struct batch *batch, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (*batch->error)
		return;
	strncpy(batch->sqlstate, sqlstate ? sqlstate : "", sizeof(batch->sqlstate) - 1);
	strncpy(batch->error, message ? message : "the connection is lost", sizeof(batch->error) - 1);
}

enum batch_progress batch_take(struct batch *batch, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	bool good = batch->statement < batch->statement_count;
	unsigned statement = good ? batch->statements[batch->statement] : FACTS;

	if (!result) {
		batch->statement++;
		return good ? BATCH_GOES_ON : BATCH_BROKEN;
	}
	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		return good ? BATCH_BROKEN : BATCH_COMPLETE;
	}
	if (status == PGRES_TUPLES_OK)
		good = good && read_rows(batch, statement, result);
	else
		note_error(batch, result);
	if (good && status == PGRES_TUPLES_OK && statement == POLICY && !batch->policy_rows)
		batch->policy_rows = result; /* its texts are handed out until batch_answer is done */
	else if (good && status == PGRES_TUPLES_OK && statement == RIGHTS && !batch->rights_rows)
		batch->rights_rows = result;
	else
		PQclear(result);
	return good ? BATCH_GOES_ON : BATCH_BROKEN;
}

static void answer_member(struct batch *batch, struct question *question)
{
	struct answer answer = {.outcome = ANSWER_GOOD};
	struct answer_policy policy;
	struct answer_rights rights;

	if (question->wants & (QUESTION_CALLER | QUESTION_ACCESS_TOKEN) &&
		batch->caller_found[question->key_place])
		answer.caller = &batch->callers[question->key_place];
	if (question->wants & QUESTION_POLICY && batch->policy_row[question->policy_place] >= 0) {
		policy = answer_read_policy(batch->policy_rows, batch->policy_row[question->policy_place]);
		answer.policy = &policy;
	}
	if (question->wants & QUESTION_RIGHTS) {
		rights = answer_read_rights(
			batch->rights_rows, batch->rights_row[question->user_place], question->user_policy);
		answer.rights = &rights;
	}
	question->answered(question, &answer);
}

void batch_answer(struct batch *batch)
{
	assert(batch->statement == batch->statement_count);
	for (unsigned i = 0; i < batch->count; i++)
		answer_member(batch, batch->members[i]);
	batch_clear(batch);
}

void batch_clear(struct batch *batch)
{
	struct buffer parameters[BATCH_PARAMETERS];

	PQclear(batch->policy_rows);
	PQclear(batch->rights_rows);
	memcpy(parameters, batch->parameters, sizeof(parameters));
	*batch = (struct batch){0};
	memcpy(batch->parameters, parameters, sizeof(parameters));
}

void batch_free(struct batch *batch)
{
	batch_clear(batch);
	for (int i = 0; i < BATCH_PARAMETERS; i++)
		buffer_free(&batch->parameters[i]);
}
