/* SPDX-License-Identifier: MIT */
/* Says in the log which requests failed or were slow, without a line for each of many. */
#ifndef API_FAILURES_H
#define API_FAILURES_H

#include "base/repeats.h"
#include "http/status.h"

#include <stdint.h>
#include <uv.h>

/* Of one process; fields are its own. */
struct failures {
	uv_loop_t *loop;
	uv_timer_t timer; /* runs while a number may come */
	struct repeats repeats;
};

/* What is said of a request. */
struct failures_request {
	const char *doing, *id; /* id: its own, or empty */
	uint64_t took_us,
	    waited_us; /* microseconds in all, and of them in the queues before the database */
};

/* Starts with none, on a loop that outlives it; it must stay where it is. */
void failures_start(struct failures *failures, uv_loop_t *loop);

/* A request was answered with a status from STATUS_ERROR on. */
void failures_note(
    struct failures *failures, const struct failures_request *request, enum status status);

/* A request was answered 503, as there are as many as may wait for the database. */
void failures_shed(struct failures *failures, const struct failures_request *request);

/* A request took as long as slow_request. */
void failures_slow(struct failures *failures, const struct failures_request *request);

/* Says what has not been said, and closes its handle. */
void failures_stop(struct failures *failures);

#endif
