/* SPDX-License-Identifier: MIT */
/* What users may see: each user once, with the objects asked about for them. */
#include "authentik/rights.h"

#include "authentik/facts.h"
#include "postgres/array.h"

#include <endian.h>

enum { N, ALL, GRANTED, ANY, SUPERUSER_BY, COLUMNS };

static bool same_user(const struct question *a, const struct question *b)
{
	return inquiry_of_const(a)->user == inquiry_of_const(b)->user;
}

static void append_number(struct buffer *buffer, unsigned number)
{
	uint32_t bytes = htobe32(number);

	array_append(buffer, &bytes, sizeof(bytes));
}

/* Appends the objects that are asked about for the user at this place; returns how many. */
static unsigned append_objects(struct buffer *buffer, const struct batch_part *part, unsigned user)
{
	unsigned count = 0;

	for (unsigned i = 0; i < part->batch->count; i++) {
		struct question *question = part->batch->members[i];

		if (!(question->wants >> part->index & 1) || question->place[part->index] != user)
			continue;
		array_append(buffer, inquiry_of(question)->object, sizeof(uuid_t));
		inquiry_of(question)->user_object = count++;
	}
	return count;
}

static unsigned count_askers(const struct batch_part *part)
{
	unsigned count = 0;

	for (unsigned i = 0; i < part->batch->count; i++)
		count += part->batch->members[i]->wants >> part->index & 1;
	return count;
}

static void encode_permission(struct buffer *parameter, int permission)
{
	const uint32_t bytes = htobe32((uint32_t)permission);

	buffer_clear(parameter);
	if (permission)
		buffer_append(parameter, &bytes, sizeof(bytes));
}

int rights_encode(struct buffer *parameters, struct batch_part *part, int permission)
{
	unsigned first = 1;

	array_start(&parameters[0], ARRAY_INT4, part->count);
	array_start(&parameters[1], ARRAY_UUID, part->count);
	array_start(&parameters[2], ARRAY_INT4, part->count);
	array_start(&parameters[3], ARRAY_INT4, part->count);
	array_start(&parameters[4], ARRAY_UUID, count_askers(part));
	encode_permission(&parameters[5], permission);
	for (unsigned i = 0; i < part->count; i++) {
		const struct inquiry *inquiry = inquiry_of(part->of[i]);
		unsigned count = append_objects(&parameters[4], part, i);

		append_number(&parameters[0], (unsigned)inquiry->user);
		array_append(&parameters[1], inquiry->superuser_by, sizeof(uuid_t));
		append_number(&parameters[2], first);
		append_number(&parameters[3], first + count - 1);
		first += count;
	}
	return 6;
}

static int permission_of(const void *facts)
{
	return ((const struct facts *)facts)->permission;
}

static int encode(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	return rights_encode(parameters, part, permission_of(facts));
}

static int encode_known(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	array_start(&parameters[0], ARRAY_INT4, part->count);
	array_start(&parameters[1], ARRAY_UUID, part->count);
	for (unsigned i = 0; i < part->count; i++) {
		append_number(&parameters[0], (unsigned)inquiry_of(part->of[i])->user);
		array_append(&parameters[1], inquiry_of(part->of[i])->superuser_by, sizeof(uuid_t));
	}
	encode_permission(&parameters[2], permission_of(facts));
	return 3;
}

/* Each question counts: two about one user may differ in what was guessed. */
static const struct statement *choose(const struct batch_part *part)
{
	static const struct statement known = {.name = "rights_known", .encode = encode_known};

	for (unsigned i = 0; i < part->batch->count; i++)
		if (part->batch->members[i]->wants >> part->index & 1 &&
		    !inquiry_of(part->batch->members[i])->sees_all)
			return part->statement;
	return &known;
}

const struct statement rights_statement = {.name = "rights",
    .columns = COLUMNS,
    .complete = true,
    .same = same_user,
    .encode = encode,
    .choose = choose};

/* granted is an array's text, {t,f,...}, or NULL where sees_all makes it needless, or it was not asked for. */
struct rights rights_read(
    const struct answer *answer, const struct inquiry *inquiry, enum inquiry_wants asked)
{
	struct rights rights = {0};
	size_t at = 1 + 2 * (size_t)inquiry->user_object;
	const PGresult *rows;
	int row = batch_row(answer, &inquiry->question, inquiry_place(asked), &rows);

	rights.sees_all = *PQgetvalue(rows, row, ALL) == 't';
	if (!PQgetisnull(rows, row, SUPERUSER_BY))
		rights.sees_all |=
		    uuid_parse(PQgetvalue(rows, row, SUPERUSER_BY), rights.superuser_by) == 0;
	rights.sees_any = *PQgetvalue(rows, row, ANY) == 't';
	rights.undecided = !rights.sees_all && PQgetisnull(rows, row, GRANTED);
	rights.granted = at < (size_t)PQgetlength(rows, row, GRANTED) &&
			 PQgetvalue(rows, row, GRANTED)[at] == 't';
	return rights;
}
