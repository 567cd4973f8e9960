/* SPDX-License-Identifier: MIT */
/* One session on the loop: opened in a thread, watched, opened again when lost. */
#ifndef POSTGRES_CONNECTION_H
#define POSTGRES_CONNECTION_H

#include "postgres/news.h"
#include "postgres/session.h"

#include <stdint.h>
#include <uv.h>

enum connection_state {
	CONNECTION_RESTING, /* is not needed, until connection_wake */
	CONNECTION_DOWN,    /* waits for its next try */
	CONNECTION_OPENING, /* session_open is at work in a thread */
	CONNECTION_READY,   /* session.pg can be used */
	CONNECTION_STOPPED  /* for good */
};

/* Why a connection is lost. */
enum connection_loss {
	CONNECTION_BROKEN,  /* the server or the network has ended it */
	CONNECTION_SHARED,  /* what was prepared in its session is gone: a pooler stands between */
	CONNECTION_STALE,   /* its session is to be made anew */
	CONNECTION_OVERDUE, /* its answer did not come */
};

/*
 * How a thread is started, for who may not start one: the data of a connection's loop points to
 * one of these, or is NULL. start is as uv_thread_create, and does not wait for run.
 */
struct connection_threads {
	int (*start)(struct connection_threads *threads, uv_thread_t *thread, uv_thread_cb run,
	    void *argument);
};

/* What the owner is told, each with the owner given to connection_start. */
struct connection_events {
	void (*ready)(void *owner);
	void (*readable)(void *owner); /* input has come: connection_next may have results */
	/* The session is gone, and what was in flight with it; another try follows. */
	void (*lost)(void *owner, enum connection_loss loss);
};

/* Owned by its lane; fields are to be read only. */
struct connection {
	uv_loop_t *loop;
	const struct settings *settings;
	const struct connection_events *events;
	void *owner;
	const struct session_kind *kind;
	enum connection_state state;
	enum metric role, layout; /* that count the session while CONNECTION_READY */
	struct session session;
	struct connection_opening *opening; /* while CONNECTION_OPENING */
	uv_poll_t *poll;                    /* while CONNECTION_READY */
	bool
	    served; /* the session has answered a batch: when it is lost, the next try comes without delay */
	bool waking; /* the first try since it rested has not come to an end */
	uv_timer_t retry;
	int watched;
	uint64_t delay,
	    changed; /* milliseconds: until the next try; when READY began or ended, on the loop's
				    clock */
	struct news news;
};

/* Begins to rest. Settings, loop, events and owner must outlive the connection. */
void connection_start(struct connection *connection, uv_loop_t *loop,
    const struct settings *settings, const struct session_kind *kind,
    const struct connection_events *events, void *owner);

/*
 * Hands a batch to a ready connection; connection_flush sends it. False: the connection is lost,
 * lost was called.
 */
bool connection_send(struct connection *connection, struct batch *batch);

/*
 * Sends what libpq holds, as far as the server takes it, and the rest as soon as it does. May
 * call lost.
 */
void connection_flush(struct connection *connection);

/*
 * The next thing that PQgetResult has, NULL too, for batch_take. False where more must come
 * first, or the connection is not ready.
 */
bool connection_next(struct connection *connection, PGresult **result);

/* Is a ready connection known to be broken, though what it has received can still be read? */
bool connection_is_broken(const struct connection *connection);

/*
 * Drops a ready connection, logs why, calls lost, and opens another one. Harmless where it is not
 * ready.
 */
void connection_lose(struct connection *connection, enum connection_loss loss, const char *reason);

/* The same for a connection that is broken, with libpq's own reason. */
void connection_break(struct connection *connection);

/* Starts opening a connection that rests; harmless where it does not. */
void connection_wake(struct connection *connection);

/* Closes a session that is not needed, and makes no other try, without a call of lost; harmless while one is opening. */
void connection_rest(struct connection *connection);

/* Reads what has come, as if it were an event of the loop: for who is about to judge that nothing has. */
void connection_read(struct connection *connection);

/* The facts of a ready connection have been read anew: it is counted by what they say now. */
void connection_recount(struct connection *connection);

/* Makes a next try that is still to come now: a sign was seen that the server is back. */
void connection_hurry(struct connection *connection);

/*
 * Closes all, without a call of lost; a thread that is still opening is left to finish on its
 * own.
 */
void connection_stop(struct connection *connection);

#endif
