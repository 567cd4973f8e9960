/* SPDX-License-Identifier: MIT */
/* Reads an SQL PREPARE, for the protocol's own way to prepare; pure. */
#include "postgres/prepared.h"

#include <assert.h>
#include <string.h>

/* By their object identifiers in PostgreSQL's pg_type.dat. */
static const struct {
	const char *name;
	Oid oid;
} types[] = {{"int", 23}, {"text", 25}, {"bool[]", 1000}, {"int[]", 1007}, {"text[]", 1009},
    {"uuid", 2950}, {"uuid[]", 2951}};

static Oid find_type(const char *text, size_t length)
{
	size_t i = 0, count = sizeof(types) / sizeof(types[0]);

	while (i < count &&
	       (strlen(types[i].name) != length || strncmp(text, types[i].name, length) != 0))
		i++;
	assert(i < count);
	return types[i].oid;
}

/* Reads "(type, ...) ", and returns what stands behind. */
static const char *read_types(struct prepared *prepared, const char *text)
{
	while (*text != ')') {
		size_t length;

		text += strspn(text, "(, ");
		length = strcspn(text, ",)");
		assert(prepared->count < PREPARED_PARAMETERS && text[length]);
		prepared->types[prepared->count++] = find_type(text, length);
		text += length;
	}
	return text + strlen(") ");
}

struct prepared prepared_read(const char *text)
{
	static const char head[] = "prepare ", as[] = "as\n";
	struct prepared prepared = {.body = text};
	size_t length;

	if (strncmp(text, head, strlen(head)) != 0)
		return prepared;
	text += strlen(head);
	length = strcspn(text, " ");
	assert(length > 0 && length < sizeof(prepared.name));
	memcpy(prepared.name, text, length);
	text += length + 1;
	if (*text == '(')
		text = read_types(&prepared, text);
	assert(strncmp(text, as, strlen(as)) == 0);
	prepared.body = text + strlen(as);
	return prepared;
}
