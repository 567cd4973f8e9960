/* SPDX-License-Identifier: MIT */
/* How a row is found by its name and takes a value, and how one is refused. */
#include "base/option_row.h"

#include "base/nearest.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool option_row_refuse(struct option_loader *loader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(loader->error, loader->size, format, arguments);
	va_end(arguments);
	return false;
}

static bool replace_text(const char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free((char *)*field);
	*field = copy;
	return true;
}

static void store(const struct option_row *row, void *field, uint64_t number)
{
	uint32_t narrow = (uint32_t)number;

	assert(row->size == sizeof(number) ||
	       (row->size == sizeof(narrow) && row->most <= UINT32_MAX));
	if (row->size == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &number, sizeof(number));
}

bool option_row_assign(const struct option_row *row, void *values, const char *text)
{
	void *field = (char *)values + row->offset;
	uint64_t number;

	if (value_is_text(row->kind))
		return replace_text(field, text);
	if (!value_parse(row->kind, text, &number) || number < row->least || number > row->most)
		return false;
	store(row, field, number);
	return true;
}

/* The number has the form, and is below the least or above the most. */
static bool refuse_number(struct option_loader *loader, const struct option_row *row,
    const char *value, const char *place)
{
	char least[VALUE_SIZE], most[VALUE_SIZE];

	value_print(row->kind, row->least, least);
	value_print(row->kind, row->most, most);
	return option_row_refuse(loader, "%s: %s is to be between %s and %s, not \"%s\"", place,
	    row->name, least, most, value);
}

/* A settings file could not hold it, and the log would not show it as it is. */
static bool is_odd(const struct option_row *row, const char *value)
{
	if (!value_is_text(row->kind) || row->kind->secret)
		return false;
	while (*value && !iscntrl((unsigned char)*value))
		value++;
	return *value;
}

bool option_row_take(struct option_loader *loader, const struct option_row *row, const char *value,
    struct option_origin origin, const char *place)
{
	uint64_t number;

	if (is_odd(row, value))
		return option_row_refuse(
		    loader, "%s: %s holds a control character", place, row->name);
	if (option_row_assign(row, loader->values, value)) {
		loader->origins->rows[row - loader->set->rows] = origin;
		return true;
	}
	if (value_is_text(row->kind)) /* it may be a secret */
		return option_row_refuse(loader, "%s: no memory for %s", place, row->name);
	if (value_parse(row->kind, value, &number))
		return refuse_number(loader, row, value, place);
	return option_row_refuse(
	    loader, "%s: %s is to be %s, not \"%s\"", place, row->name, row->kind->form, value);
}

const struct option_row *option_row_find(const struct option_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->rows[i].name, name) == 0)
			return &set->rows[i];
	return NULL;
}

const struct option_row *option_row_guess(const struct option_set *set, const char *name)
{
	const struct option_row *nearest = NULL;
	unsigned least = NEAREST_LENGTH_MAX;

	for (size_t i = 0; i < set->count; i++) {
		unsigned distance = nearest_distance(name, set->rows[i].name);

		if (distance < least && nearest_is_meant(set->rows[i].name, distance)) {
			nearest = &set->rows[i];
			least = distance;
		}
	}
	return nearest;
}

bool option_row_is_name(const char *text)
{
	size_t length =
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return length < OPTION_NAME_MAX && !text[length];
}

bool option_row_unquote(char **value)
{
	size_t length = strlen(*value);

	if (**value != '"' && **value != '\'')
		return true;
	if (length < 2 || (*value)[length - 1] != **value)
		return false;
	(*value)[length - 1] = '\0';
	++*value;
	return true;
}
