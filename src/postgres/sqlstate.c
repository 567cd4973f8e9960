/* SPDX-License-Identifier: MIT */
/* What an error of PostgreSQL means: the first row whose prefix the code has. */
#include "postgres/sqlstate.h"

#include <string.h>

/*
 * One by one only where one member's data can be the cause: elsewhere that would multiply every
 * failure by the size of the batch.
 */
/* clang-format off */
static const struct sqlstate rows[] = {
	{"22",    SQLSTATE_ALONE,    ANSWER_REFUSED,     NULL},
	{"40001", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, NULL},
	{"40P01", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, NULL},
	{"0A000", SQLSTATE_TOGETHER, ANSWER_REFUSED,     "its prepared statements are stale"},
	{"26000", SQLSTATE_TOGETHER, ANSWER_REFUSED,     "its prepared statements are stale"},
	{"57014", SQLSTATE_ANSWER,   ANSWER_LATE,        NULL},
	{"57P",   SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "the server ends it"},
	{"53",    SQLSTATE_ANSWER,   ANSWER_UNAVAILABLE, NULL},
	{"42P01", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "a table is missing"},
	{"42703", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "a column is missing"},
	{"42501", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "a privilege is missing"},
	{"42883", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "a column has another type"},
	{"42804", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "a column has another type"},
	{"3F000", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "the schema is missing"},
	{"55P03", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, NULL}, /* lock_timeout */
	{"55000", SQLSTATE_ANSWER,   ANSWER_UNAVAILABLE, NULL}, /* a materialized view without data */
	{"42",    SQLSTATE_ANSWER,   ANSWER_REFUSED,     "the tables are to be checked again"},
	{"",      SQLSTATE_ANSWER,   ANSWER_REFUSED,     NULL},
};
/* clang-format on */

static const struct sqlstate lost = {
    "", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, "the server ends it"};

const struct sqlstate *sqlstate_find(const char *code)
{
	const struct sqlstate *row = rows;

	if (!*code)
		return &lost;
	while (strncmp(code, row->prefix, strlen(row->prefix)) != 0)
		row++;
	return row;
}
