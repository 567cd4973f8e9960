/* SPDX-License-Identifier: MIT */
/* Who holds a key: how the keys are asked about, and how a row is read. */
#include "authentik/caller.h"

#include "postgres/array.h"

#include <stdlib.h>
#include <string.h>

enum { N, USER, ACTIVE, TYPE, SUPERUSER_BY, EXPIRES, COLUMNS };

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

static void encode_group(struct buffer *parameter, const unsigned char *group)
{
	buffer_clear(parameter);
	buffer_append(parameter, group, sizeof(uuid_t));
}

/*
 * The one group that all who are believed to be superusers are it by, nil where nobody is; NULL where there are several, or a
 * key is not known. Of others the rights decide, not a group of their own.
 */
static const unsigned char *common_group(const struct batch_part *part)
{
	static const uuid_t none;
	const unsigned char *group = none;

	for (unsigned i = 0; i < part->count; i++) {
		const struct inquiry *inquiry = inquiry_of(part->of[i]);

		if (inquiry->search ||
		    (!inquiry->user && group != none &&
			memcmp(group, inquiry->superuser_by, sizeof(uuid_t)) != 0))
			return NULL;
		if (!inquiry->user)
			group = inquiry->superuser_by;
	}
	return group;
}

static int encode_known(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	encode_keys(parameters, part, facts);
	encode_group(&parameters[1], common_group(part));
	return 2;
}

static int encode_one(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	const struct inquiry *inquiry = inquiry_of(part->of[0]);

	(void)facts;
	buffer_clear(&parameters[0]);
	buffer_append(&parameters[0], inquiry->key, inquiry->key_length);
	encode_group(&parameters[1], common_group(part));
	return 2;
}

static const struct statement *choose(const struct batch_part *part)
{
	static const struct statement known = {.name = "caller_known", .encode = encode_known},
				      one = {.name = "caller_one", .encode = encode_one};

	if (!common_group(part))
		return part->statement;
	return part->count == 1 ? &one : &known;
}

const struct statement caller_statement = {.name = "caller",
    .columns = COLUMNS,
    .same = same_key,
    .encode = encode_callers,
    .choose = choose};
const struct statement caller_token_statement = {
    .name = "access_token", .columns = COLUMNS, .same = same_key, .encode = encode_keys};

/* Mostly it is the expected one, and need not be parsed. Where no other was looked at, there is only "t" or "f". */
static bool read_group(const PGresult *rows, int row, const uuid_t expected, uuid_t group)
{
	const char *text = PQgetvalue(rows, row, SUPERUSER_BY);
	char expected_text[UUID_STR_LEN];

	if (PQgetisnull(rows, row, SUPERUSER_BY))
		return false;
	uuid_copy(group, expected);
	if (PQgetlength(rows, row, SUPERUSER_BY) == 1)
		return *text == 't';
	uuid_unparse_lower(expected, expected_text);
	return strcmp(text, expected_text) == 0 || uuid_parse(text, group) == 0;
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
	    .service = strcmp(PQgetvalue(rows, row, TYPE), "internal_service_account") == 0,
	    .expires = PQgetisnull(rows, row, EXPIRES) ? NULL : PQgetvalue(rows, row, EXPIRES)};
	caller->superuser = read_group(rows, row, inquiry->superuser_by, caller->superuser_by);
	return true;
}
