/* SPDX-License-Identifier: MIT */
/* Who holds a key: how the keys are asked about, and how a row is read. */
#include "authentik/caller.h"

#include "postgres/array.h"

#include <stdlib.h>
#include <string.h>

enum { N, USER, ACTIVE, SERVICE, SUPERUSER_BY, EXPIRES, COLUMNS };

static bool same_key(const struct question *a, const struct question *b)
{
	const struct inquiry *one = inquiry_of_const(a), *other = inquiry_of_const(b);

	return one->key_length == other->key_length &&
	       memcmp(one->key, other->key, one->key_length) == 0;
}

static int encode_keys(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	(void)facts;
	array_start(&parameters[0], ARRAY_TEXT, part->count);
	for (unsigned i = 0; i < part->count; i++)
		array_append(&parameters[0], inquiry_of(part->of[i])->key,
		    inquiry_of(part->of[i])->key_length);
	return 1;
}

static int encode_callers(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	encode_keys(parameters, part, facts);
	array_start(&parameters[1], ARRAY_UUID, part->count);
	array_start(&parameters[2], ARRAY_BOOL, part->count);
	for (unsigned i = 0; i < part->count; i++) {
		array_append(&parameters[1], inquiry_of(part->of[i])->superuser_by, sizeof(uuid_t));
		array_append(&parameters[2], inquiry_of(part->of[i])->search ? "\1" : "\0", 1);
	}
	return 3;
}

const struct statement caller_statement = {
    .name = "caller", .columns = COLUMNS, .same = same_key, .encode = encode_callers};
const struct statement caller_token_statement = {
    .name = "access_token", .columns = COLUMNS, .same = same_key, .encode = encode_keys};

/* Mostly it is the expected one, and need not be parsed. */
static bool read_group(const PGresult *rows, int row, const uuid_t expected, uuid_t group)
{
	const char *text = PQgetvalue(rows, row, SUPERUSER_BY);
	char expected_text[UUID_STR_LEN];

	if (PQgetisnull(rows, row, SUPERUSER_BY))
		return false;
	uuid_unparse_lower(expected, expected_text);
	if (strcmp(text, expected_text) != 0)
		return uuid_parse(text, group) == 0;
	uuid_copy(group, expected);
	return true;
}

bool caller_read(struct caller *caller, const struct answer *answer, const struct inquiry *inquiry,
    enum inquiry_wants asked)
{
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, inquiry_place(asked), &rows);

	if (row < 0)
		return false;
	*caller = (struct caller){.user = atoi(PQgetvalue(rows, row, USER)),
	    .active = *PQgetvalue(rows, row, ACTIVE) == 't',
	    .service = *PQgetvalue(rows, row, SERVICE) == 't',
	    .expires = PQgetisnull(rows, row, EXPIRES) ? NULL : PQgetvalue(rows, row, EXPIRES)};
	caller->superuser = read_group(rows, row, inquiry->superuser_by, caller->superuser_by);
	return true;
}
