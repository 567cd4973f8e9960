/* SPDX-License-Identifier: MIT */
/* What the database answers, and how the rows of each statement are read into it. */
#ifndef POSTGRES_ANSWER_H
#define POSTGRES_ANSWER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <uuid/uuid.h>

enum answer_outcome {
	ANSWER_GOOD,
	ANSWER_UNAVAILABLE, /* the database cannot be asked now */
	ANSWER_LATE,        /* it did not answer in time */
	ANSWER_REFUSED      /* it refused the statement */
};

struct answer_caller {
	int user;
	bool active, service;
	bool superuser;      /* by a group of their own */
	uuid_t superuser_by; /* that group */
};

/* A row of policy.sql; a NULL text is SQL's NULL. All of it points into the result. */
struct answer_policy {
	const char *name, *bound_to, *action, *client_ip, *app, *model;
	bool execution_logging;
};

struct answer_rights {
	bool sees_all, sees_any; /* of the user */
	bool granted;            /* this policy, to this user */
	uuid_t superuser_by;     /* the group that was found to be why, itself or an ancestor; nil: none */
};

/* Valid in the call of question.answered only. Of what was not wanted or not found there is NULL. */
struct answer {
	enum answer_outcome outcome;
	const struct answer_caller *caller;
	const struct answer_policy *policy;
	const struct answer_rights *rights;
};

/* How many columns the results of caller.sql and access_token.sql, policy.sql, rights.sql and facts.sql have.
 */
enum {
	ANSWER_CALLER_COLUMNS = 5,
	ANSWER_POLICY_COLUMNS = 8,
	ANSWER_RIGHTS_COLUMNS = 5,
	ANSWER_FACTS_COLUMNS = 2
};

/* Reads n, which each row of a statement over a list begins with, as a place in that list of count values,
 * from 0. False where it is none. */
bool answer_read_place(const PGresult *rows, int row, unsigned count, unsigned *place);

/* Reads a row of caller.sql or access_token.sql; expected is the group that the question named. */
struct answer_caller answer_read_caller(const PGresult *rows, int row, const uuid_t expected);

/* Reads a row of policy.sql; the texts are the result's. */
struct answer_policy answer_read_policy(const PGresult *rows, int row);

/* Reads a row of rights.sql, for the policy at this place in the user's range. */
struct answer_rights answer_read_rights(const PGresult *rows, int row, unsigned policy);

#endif
