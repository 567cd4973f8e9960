/* SPDX-License-Identifier: MIT */
/* Which known word was meant by one that is misspelt; pure. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stdbool.h>

enum { NEAREST_LENGTH_MAX = 63 }; /* bytes of a word; a longer one is near to none */

/*
 * How many letters are to be put in, taken out or changed to make one word the other (Levenshtein's
 * distance); NEAREST_LENGTH_MAX where a word is too long. Upper and lower case are the same, and so
 * are "-" and "_".
 */
unsigned nearest_distance(const char *a, const char *b);

/* Is a word of that distance from a known one that one, misspelt: two letters, of short words one? */
bool nearest_is_meant(const char *known, unsigned distance);

#endif
