/* SPDX-License-Identifier: MIT */
/* The kinds of value that an option may have, and how a text is read as one; pure. */
#include "base/value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct value_unit none[] = {{"", 1}, {NULL, 0}};
static const struct value_unit times[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct value_unit bytes[] = {
    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

const struct value_kind value_text = {.form = "a text that memory has room for"};
const struct value_kind value_count = {"a whole number within its limits", 10, none, NULL, false};
const struct value_kind value_mode = {"an octal mode such as 0660", 8, none, NULL, false};
const struct value_kind value_duration = {
    "a duration with its unit, such as 250ms, 2s or 5min, within its limits", 10, times, NULL,
    NULL};
const struct value_kind value_size = {
    "a size in bytes or with KiB, MiB or GiB, within its limits", 10, bytes, NULL, false};

static const char *const flag_words[] = {"off", "on", NULL};

const struct value_kind value_flag = {.form = "on or off", .words = flag_words};

static bool parse_number(const struct value_kind *kind, const char *text, uint64_t *number)
{
	const struct value_unit *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, kind->base);
	for (unit = kind->units; unit->name && strcmp(unit->name, end) != 0; unit++)
		;
	if (errno || !unit->name || *number > UINT64_MAX / unit->factor)
		return false;
	*number *= unit->factor;
	return true;
}

static bool parse_word(const struct value_kind *kind, const char *text, uint64_t *number)
{
	for (*number = 0; kind->words[*number]; ++*number)
		if (strcmp(kind->words[*number], text) == 0)
			return true;
	return false;
}

bool value_parse(const struct value_kind *kind, const char *text, uint64_t *number)
{
	assert(!value_is_text(kind));
	return kind->words ? parse_word(kind, text, number) : parse_number(kind, text, number);
}

/* The last unit of those that divide the number: they grow. */
static const struct value_unit *unit_for(const struct value_kind *kind, uint64_t number)
{
	const struct value_unit *unit = kind->units;

	for (const struct value_unit *next = unit + 1; number && next->name; next++)
		if (number % next->factor == 0)
			unit = next;
	return unit;
}

void value_print(const struct value_kind *kind, uint64_t number, char text[VALUE_SIZE])
{
	const struct value_unit *unit;

	assert(!value_is_text(kind));
	if (kind->words) {
		snprintf(text, VALUE_SIZE, "%s", kind->words[number]);
		return;
	}
	unit = unit_for(kind, number);
	number /= unit->factor;
	if (kind->base == 8)
		snprintf(text, VALUE_SIZE, "%04" PRIo64 "%s", number, unit->name);
	else
		snprintf(text, VALUE_SIZE, "%" PRIu64 "%s", number, unit->name);
}
