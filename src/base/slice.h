/* SPDX-License-Identifier: MIT */
/* Pieces of text that end without a NUL: compared, trimmed, cut, percent-decoded; pure. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * A piece of somebody else's bytes; text is NULL where there is none, which is not the same as an
 * empty one.
 */
struct slice {
	const char *text;
	size_t length;
};

/* The slice of a string literal. */
#define SLICE(literal) ((struct slice){literal, sizeof(literal) - 1})

/* The slice of a string, or none for NULL. */
static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

/* Are the two the same bytes? */
static inline bool slice_is(struct slice slice, struct slice other)
{
	return slice.length == other.length &&
	       (!slice.length || memcmp(slice.text, other.text, slice.length) == 0);
}

/* Is it this text, byte for byte? */
static inline bool slice_equals(struct slice slice, const char *text)
{
	return slice_is(slice, slice_of(text));
}

/* The same, with ASCII letters in any case. */
bool slice_equals_ignoring_case(struct slice slice, const char *text);

/* Has it a control character, 0x00 to 0x1f or 0x7f? A tab counts where it is not allowed. */
bool slice_has_control(struct slice slice, bool tab_allowed);

/* What is left without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice slice);

/*
 * Cuts what stands before the separator off the front of *rest: all of it, and no rest, where
 * there is none.
 */
struct slice slice_cut(struct slice *rest, char separator);

/*
 * Percent-decodes once (RFC 3986, section 2.1); a bad "%zz" stands for itself. Returns the slice
 * itself where nothing is encoded, else the bytes written into to, which has room for
 * slice.length.
 */
struct slice slice_decode(struct slice slice, char *to);

#endif
