/* SPDX-License-Identifier: MIT */
/* Results as PostgreSQL would send them, made by hand. */
#ifndef UNIT_SAMPLE_ROWS_H
#define UNIT_SAMPLE_ROWS_H

#include "postgres/batch.h"

#include <criterion/criterion.h>
#include <string.h>

/* A result of one row; NULL is SQL's NULL, and the list of texts ends after count of them. */
static inline PGresult *sample_row(int count, const char *const texts[])
{
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[16] = {0};

	cr_assert(count <= 16);
	for (int i = 0; i < count; i++)
		columns[i].name = (char *)(size_t) "column";
	cr_assert(PQsetResultAttrs(rows, count, columns));
	for (int i = 0; i < count; i++)
		cr_assert(PQsetvalue(
		    rows, 0, i, (char *)(size_t)texts[i], texts[i] ? (int)strlen(texts[i]) : -1));
	return rows;
}

#endif
