/* SPDX-License-Identifier: MIT */
/* The values of settings that are numbers: counts, modes, durations and sizes with their units, levels; pure.
 */
#include "base/value.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};
static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

static const struct unit *units_of(enum value_kind kind)
{
	return kind == VALUE_DURATION ? durations : kind == VALUE_SIZE ? sizes : counts;
}

static bool parse_number(enum value_kind kind, const char *text, uint64_t *number)
{
	const struct unit *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, &end, kind == VALUE_MODE ? 8 : 10);
	for (unit = units_of(kind); unit->name && strcmp(unit->name, end) != 0; unit++)
		;
	if (errno || !unit->name || *number > UINT64_MAX / unit->factor)
		return false;
	*number *= unit->factor;
	return true;
}

static bool parse_level(const char *text, uint64_t *number)
{
	for (*number = 0; levels[*number]; ++*number)
		if (strcmp(levels[*number], text) == 0)
			return true;
	return false;
}

bool value_parse(enum value_kind kind, const char *text, uint64_t *number)
{
	return kind == VALUE_LEVEL ? parse_level(text, number) : parse_number(kind, text, number);
}

const char *value_form(enum value_kind kind)
{
	switch (kind) {
	case VALUE_MODE:
		return "an octal mode such as 0660";
	case VALUE_DURATION:
		return "a duration with its unit, such as 250ms, 2s or 5min, within its limits";
	case VALUE_SIZE:
		return "a size in bytes or with KiB, MiB or GiB, within its limits";
	case VALUE_LEVEL:
		return "error, warning, info or debug";
	default:
		return "a whole number within its limits";
	}
}
