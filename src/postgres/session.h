/* SPDX-License-Identifier: MIT */
/* Opens one session that is ready for our statements: connected, set up, checked, prepared. The only code
 * that blocks. */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include "base/settings.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum session_purpose {
	SESSION_COMMON, /* the questions of every request: each step is to be an index look-up */
	SESSION_SLOW    /* look-ups of access tokens, which may have to scan */
};

/* What a connection has to know of the database besides its tables (sql/statements/facts.sql). */
struct session_facts {
	int permission;   /* id of view_eventmatcherpolicy; 0 where there is none */
	bool token_index; /* a valid index finds an access token */
};

/*
 * A session; connection is NULL where it could not be opened, and fault says what was being done and why it
 * failed: for the log, not for a client.
 */
struct session {
	PGconn *connection;
	struct session_facts facts;
	char fault[2000];
};

/*
 * Opens a session for the purpose. Blocks, at most about connect_timeout for each host and as long again for
 * the set-up, so a loop calls it from another thread. The connection is in pipeline mode and non-blocking;
 * whoever holds the session finishes it with PQfinish.
 */
void session_open(struct session *session, const struct settings *settings, enum session_purpose purpose);

/* Reads the one row of facts.sql. */
struct session_facts session_read_facts(const PGresult *result);

#endif
