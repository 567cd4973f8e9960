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
	{"22",    SQLSTATE_ALONE,     ANSWER_REFUSED,     NULL},
	{"40",    SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, NULL}, /* a standby's recovery, a deadlock */
	{"0A000", SQLSTATE_ANEW,      ANSWER_REFUSED,     "its prepared statements are stale"},
	{"26000", SQLSTATE_ANEW,      ANSWER_REFUSED,     "its prepared statements are stale"},
	{"57014", SQLSTATE_ANSWER,    ANSWER_LATE,        NULL},
	{"57P",   SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, "the server ends it"},
	{"08",    SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, "the connection fails"},
	{"25",    SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, "its transaction is not ours"},
	{"53",    SQLSTATE_ANSWER,    ANSWER_UNAVAILABLE, NULL},
	{"42P01", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "a table is missing"},
	{"42703", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "a column is missing"},
	{"42501", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "a privilege is missing"},
	{"42883", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "a column has another type"},
	{"42804", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "a column has another type"},
	{"3F000", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, "the schema is missing"},
	{"55P03", SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, NULL}, /* lock_timeout */
	{"55",    SQLSTATE_ANSWER,    ANSWER_UNAVAILABLE, NULL}, /* a materialized view without data */
	{"58",    SQLSTATE_ANSWER,    ANSWER_UNAVAILABLE, NULL}, /* the server's own files */
	{"72",    SQLSTATE_TOGETHER,  ANSWER_UNAVAILABLE, NULL}, /* its snapshot is too old */
	{"HV",    SQLSTATE_ANSWER,    ANSWER_UNAVAILABLE, NULL}, /* what is behind a foreign table */
	{"42",    SQLSTATE_ANSWER,    ANSWER_REFUSED,     "the tables are to be checked again"},
	{"",      SQLSTATE_ANSWER,    ANSWER_REFUSED,     NULL},
};
/* clang-format on */

static const struct sqlstate lost = {
    "", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, "the server ends it"};

unsigned sqlstate_most(enum sqlstate_again again)
{
	static const unsigned most[] = {[SQLSTATE_ALONE] = 1,
	    [SQLSTATE_TOGETHER] = 1,
	    [SQLSTATE_ANEW] = 7,
	    [SQLSTATE_ELSEWHERE] = 7};

	return most[again];
}

const struct sqlstate *sqlstate_find(const char *code)
{
	const struct sqlstate *row = rows;

	if (!*code)
		return &lost;
	while (strncmp(code, row->prefix, strlen(row->prefix)) != 0)
		row++;
	return row;
}
