/* SPDX-License-Identifier: MIT */
/* Which known word was meant by one that is misspelt; pure. */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { SHORT_WORD = 5 };

static int fold(char letter)
{
	return letter == '-' ? '_' : tolower((unsigned char)letter);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned less = a < b ? a : b;

	return less < c ? less : c;
}

/* One row of the table of Wagner and Fischer from the one before it, in place. */
static void next_row(unsigned *row, char letter, const char *b)
{
	unsigned corner = row[0]++;

	for (size_t i = 0; b[i]; i++) {
		unsigned above = row[i + 1];

		row[i + 1] = least(above + 1, row[i] + 1, corner + (fold(letter) != fold(b[i])));
		corner = above;
	}
}

unsigned nearest_distance(const char *a, const char *b)
{
	unsigned row[NEAREST_LENGTH_MAX + 1];
	size_t length = strlen(b);

	if (length > NEAREST_LENGTH_MAX || strlen(a) > NEAREST_LENGTH_MAX)
		return NEAREST_LENGTH_MAX;
	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (; *a; a++)
		next_row(row, *a, b);
	return row[length];
}

bool nearest_is_meant(const char *known, unsigned distance)
{
	return distance <= (strlen(known) > SHORT_WORD ? 2 : 1);
}
