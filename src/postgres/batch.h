/* SPDX-License-Identifier: MIT */
/* Many questions, few statements, one Sync: composes, reads, hands out rows. */
#ifndef POSTGRES_BATCH_H
#define POSTGRES_BATCH_H

#include "base/buffer.h"
#include "base/list.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Questions a batch, and values a statement: what all ask about alike costs the same for one and for all. */
enum { BATCH_MEMBERS = 512, BATCH_MAX = 64, BATCH_STATEMENTS = 7, STATEMENT_PARAMETERS = 6 };

struct batch_part;
struct question;
struct unnamed;

/*
 * A prepared statement that is asked about a list of distinct values at once. Each of its rows
 * begins with n, a value's place in that list, from 1; no value is to have more than one row.
 */
struct statement {
	const char *name;
	int columns;   /* of its rows, at least */
	bool complete; /* every value has a row */
	/* Are both asked about the same value? NULL: all are, and there is but one. */
	bool (*same)(const struct question *a, const struct question *b);
	/*
	 * Writes the parameters, in binary format, and returns their number; an empty one is
	 * NULL. A statement without it has none.
	 */
	int (*encode)(struct buffer *parameters, struct batch_part *part, const void *facts);
	/*
	 * The one whose name and encode serve for the values of this part: another, cheaper one where they are a case that
	 * it has been made for, with rows that are read like its own. NULL: it always serves itself.
	 */
	const struct statement *(*choose)(const struct batch_part *part);
};

enum answer_outcome {
	ANSWER_GOOD,
	ANSWER_UNAVAILABLE, /* the database cannot be asked now */
	ANSWER_LATE,        /* it did not answer in time */
	ANSWER_REFUSED      /* it refused the statement */
};

/* Valid in the call of question.answered only. */
struct answer {
	enum answer_outcome outcome;
	const struct batch *batch; /* for batch_row */
};

enum question_state {
	QUESTION_IDLE,   /* not asked, or answered */
	QUESTION_QUEUED, /* waits for a batch */
	QUESTION_SHED, /* cannot be asked now, and is told so at the end of this turn of the loop */
	QUESTION_OUT,  /* in a batch */
	QUESTION_WITHDRAWN, /* the same, but nobody needs its answer */
};

/*
 * A question, embedded in the struct of who asks. The asker sets the first group of fields; the
 * rest is the lane's and the batch's. answered is called exactly once for each question asked.
 */
struct question {
	void (*answered)(struct question *question, const struct answer *answer);
	unsigned
	    wants; /* of each statement of the lane's set that is to answer it, 1 << its place there */
	uint64_t deadline; /* milliseconds of the loop's clock */
	uint64_t
	    waited_us; /* microseconds in queues until it was sent, added to what the asker sets */
	uint64_t asked_us; /* when it was asked: microseconds of clock_us */

	enum question_state state;
	struct list node;                      /* in a list of the lane, in two of the states */
	unsigned char asked_again;             /* how often, after errors */
	bool alone;                            /* in its batch */
	unsigned char place[BATCH_STATEMENTS]; /* in the list of each statement */
};

enum batch_no_row { BATCH_NONE = -1, BATCH_TWICE = -2 };

/* What one statement of the set is asked in a batch, and what it has answered. */
struct batch_part {
	unsigned index; /* in the set */
	const struct statement *statement;
	const struct batch *batch;
	struct question
	    *of[BATCH_MAX]; /* those that stand for the distinct values, in the order asked */
	unsigned count;
	PGresult *rows;
	int row_of[BATCH_MAX]; /* by place; or one of batch_no_row */
};

/* One batch from its first member to its Sync. */
struct batch {
	const struct statement *const *set; /* ends with NULL */
	struct question *members[BATCH_MEMBERS];
	unsigned count;
	uint64_t
	    started; /* set by the lane: since when the server works on it; milliseconds of the loop's
			     clock */
	uint64_t started_us,
	    ended_us;    /* the same, and when all had come: microseconds of clock_us */
	uint64_t number; /* of those that were here before it */
	uint64_t epoch;  /* set by the lane: its own, when the parameters were made */
	struct batch_part parts[BATCH_STATEMENTS];
	unsigned ahead; /* results of settings that are still to come before the first part's */
	unsigned sent[BATCH_STATEMENTS], sent_count, done; /* sent[0 .. done) are complete */
	char sqlstate[6]; /* of the first error; empty: none, or one without */
	char error[256];  /* its text, for the log; empty: none */
	struct buffer parameters[STATEMENT_PARAMETERS];
};

/* Makes an empty batch over a set of statements. */
void batch_init(struct batch *batch, const struct statement *const *set);

/* Has it room for the question, and for its values? */
bool batch_has_room(const struct batch *batch, const struct question *question);

/* Adds a question for which the batch has room. */
void batch_add(struct batch *batch, struct question *question);

/*
 * Hands the statements over their distinct values and one Sync to the connection, whose outgoing
 * buffer takes them; facts go to encode. They are prepared in its session, or, where unnamed is not
 * NULL, come from there, behind its settings. False: the connection is not usable any more, or there
 * is no memory.
 */
bool batch_send(
    struct batch *batch, PGconn *connection, const void *facts, const struct unnamed *unnamed);

/* What a result does to its batch. */
enum batch_progress { BATCH_GOES_ON, BATCH_COMPLETE, BATCH_BROKEN };

/*
 * Takes the next thing that PQgetResult returned (NULL, too) and owns it. BATCH_COMPLETE at the
 * Sync; BATCH_BROKEN where the results do not fit the statements: the connection is to be
 * dropped.
 */
enum batch_progress batch_take(struct batch *batch, PGresult *result);

/*
 * Has a value of the question more than one row? Then a view or a lost constraint lets a key be there twice, and which
 * of them is meant cannot be known.
 */
bool batch_is_ambiguous(const struct batch *batch, const struct question *question);

/*
 * The row of the statement at index that answers the question, and its result in *rows; -1 where
 * there is none.
 */
int batch_row(const struct answer *answer, const struct question *question, unsigned index,
    const PGresult **rows);

/*
 * Empties the batch, and frees its results; keeps its buffers. Its members are the lane's to
 * answer.
 */
void batch_clear(struct batch *batch);

/* Frees its buffers, too. */
void batch_free(struct batch *batch);

#endif
