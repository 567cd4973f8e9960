/* SPDX-License-Identifier: MIT */
/* What an error of PostgreSQL means for its batch and its connection: one table. */
#ifndef POSTGRES_SQLSTATE_H
#define POSTGRES_SQLSTATE_H

#include "postgres/batch.h"

enum sqlstate_again {
	SQLSTATE_ANSWER,   /* the questions are not asked again */
	SQLSTATE_ALONE,    /* each once more, alone in its batch: one of them can be the cause */
	SQLSTATE_TOGETHER, /* all once more, together */
	SQLSTATE_ANEW,     /* all up to seven times more: a migration may change a table as often */
	/*
	 * All up to seven times more: it was not about them, but about where they were asked. As
	 * often as backends can be lost in a request's budget, and no more, should one of them be
	 * the cause.
	 */
	SQLSTATE_ELSEWHERE,
};

struct sqlstate {
	const char *prefix; /* of the codes (PostgreSQL's documentation, appendix A) */
	enum sqlstate_again again;
	enum answer_outcome otherwise; /* of a question that is not asked again */
	const char *reopen; /* why the connection is to be opened anew; NULL: it is not */
};

/*
 * The row of a code; an empty one is that of a connection which was lost without a word. Never
 * NULL.
 */
const struct sqlstate *sqlstate_find(const char *code);

/* How often a question may be asked again. */
unsigned sqlstate_most(enum sqlstate_again again);

#endif
