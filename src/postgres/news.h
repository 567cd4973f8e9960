/* SPDX-License-Identifier: MIT */
/* Says in the log what becomes of a connection's sessions, without a line for each of many. */
#ifndef POSTGRES_NEWS_H
#define POSTGRES_NEWS_H

#include "base/repeats.h"
#include "postgres/batch.h"
#include "postgres/session.h"

#include <uv.h>

/* Of one connection; fields are its own. */
struct news {
	uv_loop_t *loop;
	const char *name; /* of the connection */
	uv_timer_t timer; /* runs while a number may come */
	struct repeats repeats;
	char fault[sizeof(
	    ((struct session *)0)->fault)]; /* the last one; empty: a session was ready since */
};

/* Starts without any, on a loop that outlives it; it must stay where it is. */
void news_start(struct news *news, uv_loop_t *loop, const char *name);

/* A session is ready: what the server is like, and what the session has remarked. What it says is logged from now on. */
void news_ready(struct news *news, const struct session *session, const char *description);

/*
 * No session could be opened. The same fault is logged once, by whichever process meets it first, until a session was
 * ready.
 */
void news_fault(struct news *news, const char *fault);

/* The session is lost, and why. */
void news_lost(struct news *news, const char *reason);

/* A batch has ended with an error. */
void news_failed(struct news *news, const struct batch *batch);

/* Says what has not been said, and closes its handle. */
void news_stop(struct news *news);

#endif
