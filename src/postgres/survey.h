/* SPDX-License-Identifier: MIT */
/* What an open session shows of the server behind it. */
#ifndef POSTGRES_SURVEY_H
#define POSTGRES_SURVEY_H

#include "postgres/session.h"

#include <stdbool.h>

enum { SURVEY_TEXT_MAX = 300 };

struct survey {
	char server[SURVEY_TEXT_MAX];     /* version, host and port */
	char encryption[SURVEY_TEXT_MAX]; /* TLS's protocol, or "none" */
	bool pooled;                      /* the session is lent to others as well */

	/* Of the answer; role is empty where there was none. */
	char role[SURVEY_TEXT_MAX];
	bool standby;
	double clock_ahead; /* of the server's before ours, in seconds */
};

/*
 * Fills *survey. The SQL answers one row: the server's time in seconds since 1970, the role, is it a
 * standby? Blocks, as long as statement_timeout lets it. The session is to be closed afterwards.
 */
void survey_take(struct survey *survey, struct session *session, const char *sql);

#endif
