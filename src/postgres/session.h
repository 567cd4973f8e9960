/* SPDX-License-Identifier: MIT */
/* Opens a session: connected, set up, checked, prepared; blocks while it does. */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include "base/metric.h"
#include "postgres/batch.h"
#include "postgres/hosts.h"
#include "postgres/template.h"
#include "postgres/unnamed.h"
#include "settings.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { SESSION_FACTS_MAX = 32, SESSION_TEXT_MAX = 2000 };

/*
 * What a session is for, from whoever knows the tables; one constant each. Its texts are SQL, one
 * statement each, with the variables :schema, :statement_timeout, :lock_timeout, :local (whether what
 * is set is set for one transaction) and :backend (the server's process that the connection was told
 * of). The facts are what a session has to know of the database besides its tables: read_facts reads
 * them from the answer to the first statement of the set, and all else may depend on them.
 */
struct session_kind {
	const char *name;                   /* for the log */
	const struct statement *const *set; /* what may be asked */
	const char *set_up;                 /* how the session, or one transaction, is set up */
	const char *alone;                /* fails where the session is not the connection's own */
	const char *requirements;         /* what is missing, a sentence a row */
	const char *facts;                /* prepares the set's first statement */
	unsigned in_flight;               /* batches at once */
	uint64_t most_delay;              /* milliseconds between two tries to connect */
	enum metric ready, opening, down; /* that count its sessions by state, ready by server */
	void (*read_facts)(void *facts, const PGresult *rows);
	const char *(*settings)(
	    const void *facts); /* how it is set up besides, for its statements */
	/*
	 * What else is sent once the facts are known, up to NULL, and the variables besides: the
	 * statements are prepared; a row that comes back is a sentence that an operator should
	 * know. Facts that give the same list give the same variables.
	 */
	const char *const *(*statements)(const void *facts);
	const struct template_variable *(*variables)(const void *facts);
	const char *(*describe)(const void *facts); /* what they say, for the log */
	enum metric (*layout)(const void *facts);   /* the same, for the metrics */
	const char *(*warning)(const void *facts);  /* what an operator should know, or NULL */
	bool (*rests)(const void *facts);           /* after a batch, as long as that took */
	const char *(*stale)(
	    const void *before, const void *after); /* why to be made anew, or NULL */
};

/*
 * A session; pg is NULL where it could not be opened, and fault says what was being done and why
 * it failed: for the log, not for a client.
 */
struct session {
	PGconn *pg;
	/*
	 * What each batch is to bring along where a pooler stands between, which lends its sessions to
	 * others as well: NULL where the session is our own, and the statements are prepared in it.
	 */
	struct unnamed *unnamed;
	bool
	    shared; /* a sign was seen that there is such a pooler, which the next look may not show */
	struct hosts_memory hosts; /* which servers were good */
	unsigned host;             /* where pg leads, or led: its place in metric_hosts */
	bool resumable; /* facts are those of a session that was open: likely the next one's, too */
	bool cut;       /* it was lost while it was set up, and the server had let it in */
	_Alignas(max_align_t) unsigned char facts[SESSION_FACTS_MAX];
	char remarks[SESSION_TEXT_MAX]; /* what an operator should know, or empty */
	char fault[SESSION_TEXT_MAX];
};

/*
 * Opens a session of the kind. It holds what the last one knew, or zeros: where it is resumable, one
 * round trip makes the connection a session, otherwise two do. Blocks, at most about as
 * long as connect_to_server and connect_timeout again for the set-up, so a loop calls it from another thread. The
 * connection is in pipeline mode and non-blocking; whoever holds the session closes it.
 */
void session_open(
    struct session *session, const struct settings *settings, const struct session_kind *kind);

/* Closes an open session; what it has known stays. */
void session_close(struct session *session);

#endif
