/* SPDX-License-Identifier: MIT */
/* Says in the log which requests failed or were slow, without a line for each of many. */
#include "api/failures.h"

#include "event.h"

#include <assert.h>
#include <inttypes.h>

enum { TURN_MS = 1000 };

static const char *what(enum failures_kind kind)
{
	static const char *const names[FAILURES_KINDS] = {"500", "503 for the database", "504",
	    "503 for max_requests", "later than slow_request"};

	return names[kind];
}

static void sum_up(enum failures_kind kind, unsigned count)
{
	static const struct log_event *const events[FAILURES_KINDS] = {
	    [FAILURES_ERROR] = &event_request_failed,
	    [FAILURES_UNAVAILABLE] = &event_request_failed,
	    [FAILURES_LATE] = &event_request_failed,
	    [FAILURES_SHED] = &event_request_shed,
	    [FAILURES_SLOW] = &event_request_slow};

	if (count)
		log_event(events[kind],
		    "requests answered %s in the last %d s beside the one named: %u", what(kind),
		    DEBOUNCE_MS / 1000, count);
}

static void on_timer(uv_timer_t *timer)
{
	struct failures *failures = timer->data;
	bool open = false;

	for (enum failures_kind kind = 0; kind < FAILURES_KINDS; kind++) {
		sum_up(kind, debounce_turn(&failures->kinds[kind], uv_now(failures->loop)));
		open |= failures->kinds[kind].open;
	}
	if (!open)
		uv_timer_stop(timer);
}

void failures_start(struct failures *failures, uv_loop_t *loop)
{
	*failures = (struct failures){.loop = loop};
	uv_timer_init(loop, &failures->timer);
	failures->timer.data = failures;
}

/* Is it to be said? */
static bool take(struct failures *failures, enum failures_kind kind)
{
	if (!uv_is_active((uv_handle_t *)&failures->timer))
		uv_timer_start(&failures->timer, on_timer, TURN_MS, TURN_MS);
	return debounce_take(&failures->kinds[kind], uv_now(failures->loop));
}

void failures_note(struct failures *failures, const char *doing, enum status status, const char *id)
{
	static const enum failures_kind kinds[STATUS_COUNT] = {[STATUS_ERROR] = FAILURES_ERROR,
	    [STATUS_UNAVAILABLE] = FAILURES_UNAVAILABLE,
	    [STATUS_LATE] = FAILURES_LATE};

	assert(status >= STATUS_ERROR);
	log_request(
	    take(failures, kinds[status]) ? &event_request_failed : &event_request_failed_too, id,
	    "%s: answered %s (request %s)", doing, status_line(status), *id ? id : "without id");
}

void failures_shed(struct failures *failures, const char *doing, const char *id)
{
	if (take(failures, FAILURES_SHED))
		log_request(&event_request_shed, id,
		    "%s: answered %s (request %s): max_requests wait for the database already",
		    doing, status_line(STATUS_UNAVAILABLE), *id ? id : "without id");
}

void failures_slow(
    struct failures *failures, const char *doing, const char *id, uint64_t took, uint64_t waited)
{
	if (take(failures, FAILURES_SLOW))
		log_request(&event_request_slow, id,
		    "%s: answered later than slow_request (request %s): after %" PRIu64
		    " ms, of them %" PRIu64 " until its last question was sent",
		    doing, *id ? id : "without id", took, waited);
}

void failures_stop(struct failures *failures)
{
	for (enum failures_kind kind = 0; kind < FAILURES_KINDS; kind++)
		sum_up(kind, debounce_end(&failures->kinds[kind]));
	uv_close((uv_handle_t *)&failures->timer, NULL);
}
