/* SPDX-License-Identifier: MIT */
/* The kinds of value that an option may have, and how a text is read as one; pure. */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

struct value_unit {
	const char *name;
	uint64_t factor;
};

/* A number has a base and units, a choice has words, a text has neither. Lists end with NULL. */
struct value_kind {
	const char *form; /* how it is to look, for an error: "a whole number ..." */
	int base;
	const struct value_unit *units;
	const char *const *words; /* the number of a choice is its place among them */
};

extern const struct value_kind value_text, value_count, value_mode, value_duration, value_size,
    value_flag; /* 0: off, 1: on */

/*
 * Reads a number or a choice into *number; a duration is milliseconds, a size bytes. False where
 * the text has not its form, or the number does not fit.
 */
bool value_parse(const struct value_kind *kind, const char *text, uint64_t *number);

#endif
