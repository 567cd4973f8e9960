/* SPDX-License-Identifier: MIT */
/* How a row is found by its name and takes a value, and how one is refused. */
#ifndef BASE_OPTION_ROW_H
#define BASE_OPTION_ROW_H

#include "base/option.h"

/* Writes the sentence into the loader's error; false, for the caller to return. */
bool option_row_refuse(struct option_loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Gives the row's member of values the value; false where the value has not the row's form, or there
 * is no memory.
 */
bool option_row_assign(const struct option_row *row, void *values, const char *text);

/*
 * Gives the row the value, and remembers where it came from. False with a sentence that begins with
 * the place where the value has not the row's form, or there is no memory; a text's value is not
 * told, as it may be a secret.
 */
bool option_row_take(struct option_loader *loader, const struct option_row *row, const char *value,
    struct option_origin origin, const char *place);

/* The row of that name, or NULL. */
const struct option_row *option_row_find(const struct option_set *set, const char *name);

/* The row that a misspelt name means, or NULL. */
const struct option_row *option_row_guess(const struct option_set *set, const char *name);

/* Has it the form of a setting's name? What has not may be a secret that went astray. */
bool option_row_is_name(const char *text);

/*
 * Takes one pair of equal quotes off the ends of a value, in place. False where it starts with a
 * quote and does not end with it.
 */
bool option_row_unquote(char **value);

#endif
