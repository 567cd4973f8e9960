/* SPDX-License-Identifier: MIT */
/* Pieces of text that end without a NUL: compared, trimmed, cut, percent-decoded; pure. */
#ifndef API_SLICE_H
#define API_SLICE_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of somebody else's bytes; text is NULL where there is none, which is not the same as an empty one.
 */
struct slice {
	const char *text;
	size_t length;
};

/* Is it this text, byte for byte? */
bool slice_equals(struct slice slice, const char *text);

/* The same, with ASCII letters in any case. */
bool slice_equals_ignoring_case(struct slice slice, const char *text);

/* What is left without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice slice);

/* Cuts what stands before the separator off the front of *rest: all of it, and no rest, where there is none.
 */
struct slice slice_cut(struct slice *rest, char separator);

/*
 * Percent-decodes once (RFC 3986, section 2.1), into to, which has room for slice.length bytes; a bad "%zz"
 * stands for itself.
 */
struct slice slice_decode(struct slice slice, char *to);

#endif
