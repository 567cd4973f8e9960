/* SPDX-License-Identifier: MIT */
/* What the database answers, and how the rows of each statement are read into it. */
#include "postgres/answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The statements' columns, in the order of the .sql files. */
enum { CALLER_N, CALLER_USER, CALLER_ACTIVE, CALLER_SERVICE, CALLER_SUPERUSER_BY };
enum {
	POLICY_N,
	POLICY_NAME,
	POLICY_LOGGING,
	POLICY_BOUND_TO,
	POLICY_ACTION,
	POLICY_IP,
	POLICY_APP,
	POLICY_MODEL
};
enum { RIGHTS_N, RIGHTS_ALL, RIGHTS_GRANTED, RIGHTS_ANY, RIGHTS_SUPERUSER_BY };

static_assert(CALLER_SUPERUSER_BY + 1 == ANSWER_CALLER_COLUMNS, "a caller's last column");
static_assert(POLICY_MODEL + 1 == ANSWER_POLICY_COLUMNS, "a policy's");
static_assert(RIGHTS_SUPERUSER_BY + 1 == ANSWER_RIGHTS_COLUMNS, "the rights'");

bool answer_read_place(const PGresult *rows, int row, unsigned count, unsigned *place)
{
	long n = strtol(PQgetvalue(rows, row, 0), NULL, 10);

	*place = (unsigned)(n - 1);
	return n >= 1 && n <= (long)count;
}

static bool is_true(const PGresult *result, int row, int column)
{
	return *PQgetvalue(result, row, column) == 't';
}

/* Returns whether the column has a UUID, which goes to uuid; mostly it is the expected one, and need not be
 * parsed. */
static bool read_uuid(const PGresult *result, int row, int column, const uuid_t expected, uuid_t uuid)
{
	const char *text = PQgetvalue(result, row, column);
	char expected_text[UUID_STR_LEN];

	if (PQgetisnull(result, row, column))
		return false;
	uuid_unparse_lower(expected, expected_text);
	if (strcmp(text, expected_text) != 0)
		return uuid_parse(text, uuid) == 0;
	uuid_copy(uuid, expected);
	return true;
}

struct answer_caller answer_read_caller(const PGresult *rows, int row, const uuid_t expected)
{
	struct answer_caller caller = {.user = atoi(PQgetvalue(rows, row, CALLER_USER)),
		.active = is_true(rows, row, CALLER_ACTIVE),
		.service = is_true(rows, row, CALLER_SERVICE)};

	caller.superuser = read_uuid(rows, row, CALLER_SUPERUSER_BY, expected, caller.superuser_by);
	return caller;
}

static const char *text_of(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

struct answer_policy answer_read_policy(const PGresult *rows, int row)
{
	return (struct answer_policy){.name = PQgetvalue(rows, row, POLICY_NAME),
		.bound_to = PQgetvalue(rows, row, POLICY_BOUND_TO),
		.action = text_of(rows, row, POLICY_ACTION),
		.client_ip = text_of(rows, row, POLICY_IP),
		.app = text_of(rows, row, POLICY_APP),
		.model = text_of(rows, row, POLICY_MODEL),
		.execution_logging = is_true(rows, row, POLICY_LOGGING)};
}

/* granted is an array's text, {t,f,...}, or NULL where sees_all makes it needless. */
struct answer_rights answer_read_rights(const PGresult *rows, int row, unsigned policy)
{
	struct answer_rights rights = {0};
	size_t at = 1 + 2 * (size_t)policy;

	rights.sees_all = is_true(rows, row, RIGHTS_ALL) ||
			  read_uuid(rows, row, RIGHTS_SUPERUSER_BY, rights.superuser_by, rights.superuser_by);
	rights.sees_any = is_true(rows, row, RIGHTS_ANY);
	rights.granted = at < (size_t)PQgetlength(rows, row, RIGHTS_GRANTED) &&
			 PQgetvalue(rows, row, RIGHTS_GRANTED)[at] == 't';
	return rights;
}
