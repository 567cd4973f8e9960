/* SPDX-License-Identifier: MIT */
/* Many questions, few statements, one Sync: composes a batch, reads its results, hands each member its
 * answer. */
#include "postgres/batch.h"

#include "postgres/array.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { CALLER, ACCESS_TOKEN, POLICY, RIGHTS, GRANTS, FACTS };

static const char *const names[BATCH_STATEMENTS] = {
	"caller", "access_token", "policy", "rights", "grants", "facts"};

/* Their columns, in the order of the .sql files. */
enum { CALLER_N, CALLER_USER, CALLER_ACTIVE, CALLER_SERVICE, CALLER_SUPERUSER, CALLER_COLUMNS };
enum {
	POLICY_N,
	POLICY_NAME,
	POLICY_LOGGING,
	POLICY_BOUND_TO,
	POLICY_ACTION,
	POLICY_IP,
	POLICY_APP,
	POLICY_MODEL,
	POLICY_COLUMNS
};
enum { RIGHTS_N, RIGHTS_ALL, RIGHTS_ANY, RIGHTS_COLUMNS };
enum { GRANTS_N, GRANTS_COLUMNS };
enum { FACTS_COLUMNS = 2 };

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

static bool same_pair(const struct question *a, const struct question *b)
{
	return same_user(a, b) && same_policy(a, b);
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
		question->pair_place = place(&batch->pairs, question, same_pair);
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
	for (unsigned i = 0; i < distinct->count; i++) {
		array_append(buffer, distinct->of[i]->policy, sizeof(uuid_t));
	}
}

static void encode_users(struct buffer *buffer, const struct batch_distinct *distinct)
{
	array_start(buffer, ARRAY_INT4, distinct->count);
	for (unsigned i = 0; i < distinct->count; i++) {
		uint32_t user = htobe32((uint32_t)distinct->of[i]->user);

		array_append(buffer, &user, sizeof(user));
	}
}

/* Sends one statement with the arrays that batch->parameters hold and, where permission is not NULL, that
 * number. */
static bool send_statement(
	struct batch *batch, PGconn *connection, unsigned statement, int arrays, const int *permission)
{
	const uint32_t number = htobe32(permission ? (uint32_t)*permission : 0);
	const char *values[3];
	int lengths[3], formats[3] = {1, 1, 1}, count = arrays;

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
	bool slow = batch->keys.of[0]->wants & QUESTION_ACCESS_TOKEN;

	encode_keys(&batch->parameters[0], &batch->keys);
	return send_statement(batch, connection, slow ? ACCESS_TOKEN : CALLER, 1, NULL);
}

static bool send_policies(struct batch *batch, PGconn *connection)
{
	encode_policies(&batch->parameters[0], &batch->policies);
	return send_statement(batch, connection, POLICY, 1, NULL);
}

static bool send_rights(struct batch *batch, PGconn *connection, int permission)
{
	encode_users(&batch->parameters[0], &batch->users);
	if (!send_statement(batch, connection, RIGHTS, 1, &permission))
		return false;
	encode_users(&batch->parameters[0], &batch->pairs);
	encode_policies(&batch->parameters[1], &batch->pairs);
	return send_statement(batch, connection, GRANTS, 2, &permission);
}

bool batch_send(struct batch *batch, PGconn *connection, int permission)
{
	assert(batch->statement_count == 0);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		batch->policy_row[i] = -1;
	return (!batch->facts_wanted || send_statement(batch, connection, FACTS, 0, NULL)) &&
	       (!batch->keys.count || send_keys(batch, connection)) &&
	       (!batch->policies.count || send_policies(batch, connection)) &&
	       (!batch->users.count || send_rights(batch, connection, permission)) &&
	       PQpipelineSync(connection);
}

/* The row's place in a list of count values; false where it is none. */
static bool read_place(const PGresult *result, int row, unsigned count, unsigned *at)
{
	long n = strtol(PQgetvalue(result, row, 0), NULL, 10);

	*at = (unsigned)(n - 1);
	return n >= 1 && n <= (long)count;
}

static bool is_true(const PGresult *result, int row, int column)
{
	return *PQgetvalue(result, row, column) == 't';
}

static bool read_callers(struct batch *batch, const PGresult *result)
{
	unsigned at;

	for (int row = 0; row < PQntuples(result); row++) {
		if (!read_place(result, row, batch->keys.count, &at))
			return false;
		batch->caller_found[at] = true;
		batch->callers[at] =
			(struct answer_caller){.user = atoi(PQgetvalue(result, row, CALLER_USER)),
				.active = is_true(result, row, CALLER_ACTIVE),
				.service = is_true(result, row, CALLER_SERVICE),
				.superuser = is_true(result, row, CALLER_SUPERUSER)};
	}
	return PQnfields(result) == CALLER_COLUMNS;
}

static bool read_policies(struct batch *batch, PGresult *result)
{
	unsigned at;

	for (int row = 0; row < PQntuples(result); row++) {
		if (!read_place(result, row, batch->policies.count, &at))
			return false;
		batch->policy_row[at] = row;
	}
	return PQnfields(result) == POLICY_COLUMNS;
}

static bool read_rights(struct batch *batch, const PGresult *result)
{
	unsigned at;

	for (int row = 0; row < PQntuples(result); row++) {
		if (!read_place(result, row, batch->users.count, &at))
			return false;
		batch->rights[at].sees_all = is_true(result, row, RIGHTS_ALL);
		batch->rights[at].sees_any = is_true(result, row, RIGHTS_ANY);
	}
	return PQnfields(result) == RIGHTS_COLUMNS && PQntuples(result) == (int)batch->users.count;
}

static bool read_grants(struct batch *batch, const PGresult *result)
{
	unsigned at;

	for (int row = 0; row < PQntuples(result); row++) {
		if (!read_place(result, row, batch->pairs.count, &at))
			return false;
		batch->granted[at] = true;
	}
	return PQnfields(result) == GRANTS_COLUMNS;
}

/* Reads the rows of a statement; false where they do not fit it. */
static bool read_rows(struct batch *batch, unsigned statement, PGresult *result)
{
	switch (statement) {
	case CALLER:
	case ACCESS_TOKEN:
		return read_callers(batch, result);
	case POLICY:
		return read_policies(batch, result);
	case RIGHTS:
		return read_rights(batch, result);
	case GRANTS:
		return read_grants(batch, result);
	default:
		batch->facts = session_read_facts(result);
		batch->facts_read = true;
		return PQnfields(result) == FACTS_COLUMNS;
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
	else
		PQclear(result);
	return good ? BATCH_GOES_ON : BATCH_BROKEN;
}

static const char *text_of(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static struct answer_policy read_policy(const PGresult *rows, int row)
{
	return (struct answer_policy){.name = PQgetvalue(rows, row, POLICY_NAME),
		.bound_to = PQgetvalue(rows, row, POLICY_BOUND_TO),
		.action = text_of(rows, row, POLICY_ACTION),
		.client_ip = text_of(rows, row, POLICY_IP),
		.app = text_of(rows, row, POLICY_APP),
		.model = text_of(rows, row, POLICY_MODEL),
		.execution_logging = is_true(rows, row, POLICY_LOGGING)};
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
		policy = read_policy(batch->policy_rows, batch->policy_row[question->policy_place]);
		answer.policy = &policy;
	}
	if (question->wants & QUESTION_RIGHTS) {
		rights = batch->rights[question->user_place];
		rights.granted = batch->granted[question->pair_place];
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
	struct buffer first = batch->parameters[0], second = batch->parameters[1];

	PQclear(batch->policy_rows);
	buffer_clear(&first);
	buffer_clear(&second);
	*batch = (struct batch){.parameters = {first, second}};
}

void batch_free(struct batch *batch)
{
	batch_clear(batch);
	buffer_free(&batch->parameters[0]);
	buffer_free(&batch->parameters[1]);
}
