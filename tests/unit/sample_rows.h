/* SPDX-License-Identifier: MIT */
/* Results as PostgreSQL would send them, made by hand. */
#ifndef UNIT_SAMPLE_ROWS_H
#define UNIT_SAMPLE_ROWS_H

#include "postgres/batch.h"

#include <criterion/criterion.h>
#include <string.h>

/* A result of one row with these columns; NULL is SQL's NULL. */
static inline PGresult *sample_named_row(
    int count, const char *const names[], const char *const texts[])
{
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[16] = {0};

	cr_assert(count <= 16);
	for (int i = 0; i < count; i++)
		columns[i].name = (char *)(size_t)names[i];
	cr_assert(PQsetResultAttrs(rows, count, columns));
	for (int i = 0; i < count; i++)
		cr_assert(PQsetvalue(
		    rows, 0, i, (char *)(size_t)texts[i], texts[i] ? (int)strlen(texts[i]) : -1));
	return rows;
}

/* The same, where no name matters. */
static inline PGresult *sample_row(int count, const char *const texts[])
{
	static const char *const names[16] = {
	    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};

	return sample_named_row(count, names, texts);
}

#endif
