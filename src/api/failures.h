/* SPDX-License-Identifier: MIT */
/* Says in the log which requests failed or were slow, without a line for each of many. */
#ifndef API_FAILURES_H
#define API_FAILURES_H

#include "base/debounce.h"
#include "http/status.h"

#include <stdint.h>
#include <uv.h>

/* What is told apart. */
enum failures_kind {
	FAILURES_ERROR,       /* 500 */
	FAILURES_UNAVAILABLE, /* 503: the database */
	FAILURES_LATE,        /* 504 */
	FAILURES_SHED,        /* 503: max_requests wait already */
	FAILURES_SLOW,        /* none, but it took as long as slow_request */
	FAILURES_KINDS
};

/* Of one process; fields are its own. */
struct failures {
	uv_loop_t *loop;
	uv_timer_t timer; /* runs while anything is open */
	struct debounce kinds[FAILURES_KINDS];
};

/* Starts with none, on a loop that outlives it; it must stay where it is. */
void failures_start(struct failures *failures, uv_loop_t *loop);

/* The request of that id (empty: none) was answered with a status from STATUS_ERROR on, doing what is named. */
void failures_note(
    struct failures *failures, const char *doing, enum status status, const char *id);

/* A request was answered 503, as there are as many as may wait for the database. */
void failures_shed(struct failures *failures, const char *doing, const char *id);

/*
 * A request took as long as slow_request: milliseconds in all, and of them until its last question was
 * sent to the database.
 */
void failures_slow(
    struct failures *failures, const char *doing, const char *id, uint64_t took, uint64_t waited);

/* Says what has not been said, and closes its handle. */
void failures_stop(struct failures *failures);

#endif
