/* SPDX-License-Identifier: MIT */
/* Pieces of text that end without a NUL: compared, trimmed, cut, percent-decoded; pure. */
#include "base/slice.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * Eight bytes at a time: in each byte the top bit tells whether it is below 0x20, or 0x7f, and no
 * top bit was there.
 */
static bool word_has_control(const char *text)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
	uint64_t word, deletes;

	memcpy(&word, text, sizeof(word));
	deletes = word ^ 0x7f * ones;
	return (((word - 0x20 * ones) & ~word) | ((deletes - ones) & ~deletes)) & tops;
}

bool slice_has_control(struct slice slice, bool tab_allowed)
{
	size_t i = 0;

	while (slice.length - i >= sizeof(uint64_t) && !word_has_control(slice.text + i))
		i += sizeof(uint64_t);
	for (; i < slice.length; i++) {
		unsigned char byte = (unsigned char)slice.text[i];

		if ((byte < 0x20 && !(tab_allowed && byte == '\t')) || byte == 0x7f)
			return true;
	}
	return false;
}

bool slice_equals_ignoring_case(struct slice slice, const char *text)
{
	return slice.length == strlen(text) && strncasecmp(slice.text, text, slice.length) == 0;
}

struct slice slice_trim(struct slice slice)
{
	while (slice.length && (*slice.text == ' ' || *slice.text == '\t')) {
		slice.text++;
		slice.length--;
	}
	while (slice.length &&
	       (slice.text[slice.length - 1] == ' ' || slice.text[slice.length - 1] == '\t'))
		slice.length--;
	return slice;
}

/*
 * Cuts what stands before the separator off the front of *rest; all of it, and no rest, where
 * there is none.
 */
struct slice slice_cut(struct slice *rest, char separator)
{
	const char *found = rest->length ? memchr(rest->text, separator, rest->length) : NULL;
	struct slice front = {rest->text, found ? (size_t)(found - rest->text) : rest->length};

	*rest =
	    found ? (struct slice){found + 1, rest->length - front.length - 1} : (struct slice){0};
	return front;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct slice slice_decode(struct slice slice, char *to)
{
	size_t length = 0;

	if (!slice.length || !memchr(slice.text, '%', slice.length))
		return slice;
	for (size_t i = 0; i < slice.length; i++) {
		char byte = slice.text[i];

		if (byte == '%' && slice.length - i > 2 && hex_digit(slice.text[i + 1]) >= 0 &&
		    hex_digit(slice.text[i + 2]) >= 0) {
			byte = (char)(hex_digit(slice.text[i + 1]) << 4 |
				      hex_digit(slice.text[i + 2]));
			i += 2;
		}
		to[length++] = byte;
	}
	return (struct slice){to, length};
}
