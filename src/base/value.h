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
	bool secret;              /* a text that may hold a password */
};

/* Is it a kind of text? */
static inline bool value_is_text(const struct value_kind *kind)
{
	return !kind->units && !kind->words;
}

extern const struct value_kind value_text, value_count, value_mode, value_duration, value_size,
    value_flag; /* 0: off, 1: on */

/*
 * Reads a number or a choice into *number; a duration is milliseconds, a size bytes. False where
 * the text has not its form, or the number does not fit.
 */
bool value_parse(const struct value_kind *kind, const char *text, uint64_t *number);

enum { VALUE_SIZE = 32 };

/* The text that value_parse reads as that number, in the largest unit that it is a multiple of. */
void value_print(const struct value_kind *kind, uint64_t number, char text[VALUE_SIZE]);

#endif
