/* SPDX-License-Identifier: MIT */
/* Many questions, few statements, one Sync: composes a batch, reads its results, hands each member its
 * answer. */
#ifndef POSTGRES_BATCH_H
#define POSTGRES_BATCH_H

#include "base/buffer.h"
#include "base/list.h"
#include "postgres/answer.h"
#include "postgres/session.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uuid/uuid.h>

enum { BATCH_MAX = 64 };

/* What a question asks; several at once are answered together. */
enum question_wants {
	QUESTION_CALLER = 1,       /* who holds the API key (caller.sql) */
	QUESTION_ACCESS_TOKEN = 2, /* who holds the access token (access_token.sql), on a SESSION_SLOW only */
	QUESTION_POLICY = 4,       /* the policy (policy.sql) */
	QUESTION_RIGHTS = 8        /* what the user may see (rights.sql) */
};

/*
 * A question, embedded in the struct of who asks. The asker sets the first group of fields and keeps the
 * key's bytes; the rest is the lane's and the batch's. answered is called exactly once for each question
 * asked.
 */
struct question {
	void (*answered)(struct question *question, const struct answer *answer);
	unsigned wants;           /* of enum question_wants */
	const unsigned char *key; /* printable ASCII */
	size_t key_length;
	uuid_t policy;
	int user;
	uuid_t superuser_by; /* the group to be looked at first; nil: none is known */
	bool search;         /* of a caller: where that is not why, look at all groups of the user */
	uint64_t deadline;   /* milliseconds of the loop's clock */

	struct list node;
	bool queued, withdrawn, asked_again, alone;
	unsigned key_place, policy_place, user_place; /* in the batch's lists of distinct values */
	unsigned user_policy; /* of the user's policies in the batch, which one is the question's */
};

/* The members that stand for the distinct values which one statement is asked about, in the order asked. */
struct batch_distinct {
	struct question *of[BATCH_MAX];
	unsigned count;
};

enum { BATCH_STATEMENTS = 5, BATCH_PARAMETERS = 5 };

/* One batch from its first member to its Sync. All zero is an empty one. */
struct batch {
	struct question *members[BATCH_MAX];
	unsigned count;
	bool facts_wanted; /* set by the lane: facts.sql goes along */
	uint64_t started;  /* set by the lane: since when the server works on it: none before it is out;
			      milliseconds of the loop's clock */

	/* What is asked. */
	struct batch_distinct keys, policies, users;
	unsigned user_policies[BATCH_MAX]; /* by place in users: how many policies it is asked about */
	struct buffer parameters[BATCH_PARAMETERS];
	unsigned statements[BATCH_STATEMENTS], statement_count;

	/* What has come back. */
	unsigned statement;                      /* statements[0 .. statement) are complete */
	char sqlstate[6];                        /* of the first error; empty: none, or one without */
	char error[256];                         /* its text, for the log; empty: none */
	struct answer_caller callers[BATCH_MAX]; /* by place in keys */
	bool caller_found[BATCH_MAX];
	PGresult *policy_rows, *rights_rows;
	int policy_row[BATCH_MAX], rights_row[BATCH_MAX]; /* by place in policies, in users; -1: none */
	struct session_facts facts;                       /* where facts_read */
	bool facts_read;
};

/* Adds a question; the batch must have room (count < BATCH_MAX). */
void batch_add(struct batch *batch, struct question *question);

/*
 * Hands the batch's statements, over its distinct keys, policies and users, and one Sync to the connection,
 * whose outgoing buffer takes them; permission is the id of view_eventmatcherpolicy, 0 for none. False: the
 * connection is not usable any more, or there is no memory.
 */
bool batch_send(struct batch *batch, PGconn *connection, int permission);

/* What a result does to its batch. */
enum batch_progress { BATCH_GOES_ON, BATCH_COMPLETE, BATCH_BROKEN };

/*
 * Takes the next thing that PQgetResult returned (NULL, too) and owns it. BATCH_COMPLETE at the Sync;
 * BATCH_BROKEN where the results do not fit the statements: the connection is to be dropped.
 */
enum batch_progress batch_take(struct batch *batch, PGresult *result);

/* Calls answered of every member, once, with what was taken for it, and empties the batch. */
void batch_answer(struct batch *batch);

/* Empties the batch without a call, and frees its results; keeps its buffers. */
void batch_clear(struct batch *batch);

/* Frees its buffers, too. */
void batch_free(struct batch *batch);

#endif
