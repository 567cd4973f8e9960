/* SPDX-License-Identifier: MIT */
/* The values of settings that are numbers: counts, modes, durations and sizes with their units, levels; pure.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

enum value_kind {
	VALUE_TEXT, /* anything: not for value_parse */
	VALUE_COUNT,
	VALUE_MODE,     /* octal */
	VALUE_DURATION, /* milliseconds */
	VALUE_SIZE,     /* bytes */
	VALUE_LEVEL     /* enum log_level */
};

/* Reads a value of the kind into *number; false where the text has not its form, or the number does not fit.
 */
bool value_parse(enum value_kind kind, const char *text, uint64_t *number);

/* What a value of the kind is to look like, for an error: "a duration with its unit, ...". */
const char *value_form(enum value_kind kind);

#endif
