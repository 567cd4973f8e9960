/* SPDX-License-Identifier: MIT */
/* Pieces of text that end without a NUL: compared, trimmed, cut, percent-decoded; pure. */
#include "api/slice.h"

#include <string.h>
#include <strings.h>

bool slice_equals(struct slice slice, const char *text)
{
	return slice.length == strlen(text) && memcmp(slice.text, text, slice.length) == 0;
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
	while (slice.length && (slice.text[slice.length - 1] == ' ' || slice.text[slice.length - 1] == '\t'))
		slice.length--;
	return slice;
}

/* Cuts what stands before the separator off the front of *rest; all of it, and no rest, where there is none.
 */
struct slice slice_cut(struct slice *rest, char separator)
{
	const char *found = rest->length ? memchr(rest->text, separator, rest->length) : NULL;
	struct slice front = {rest->text, found ? (size_t)(found - rest->text) : rest->length};

	*rest = found ? (struct slice){found + 1, rest->length - front.length - 1} : (struct slice){0};
	return front;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

struct slice slice_decode(struct slice slice, char *to)
{
	size_t length = 0;

	for (size_t i = 0; i < slice.length; i++) {
		char byte = slice.text[i];

		if (byte == '%' && slice.length - i > 2 && hex_digit(slice.text[i + 1]) >= 0 &&
			hex_digit(slice.text[i + 2]) >= 0) {
			byte = (char)(hex_digit(slice.text[i + 1]) << 4 | hex_digit(slice.text[i + 2]));
			i += 2;
		}
		to[length++] = byte;
	}
	return (struct slice){to, length};
}
