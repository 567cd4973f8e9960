/* SPDX-License-Identifier: MIT */
/* Says in the log which requests failed or were slow, without a line for each of many. */
#include "api/failures.h"

#include "event.h"

#include <assert.h>
#include <inttypes.h>

enum { TURN_MS = 1000 };

/* What is told apart. */
enum kind {
	ERROR,
	UNAVAILABLE, /* 503: the database */
	LATE,
	SHED, /* 503: max_requests wait already */
	SLOW, /* none, but it took as long as slow_request */
	KINDS
};

static const struct repeats_kind kinds[KINDS] = {
    [ERROR] = {&event_request_failed, 1, "requests answered 500"},
    [UNAVAILABLE] = {&event_request_failed, 1, "requests answered 503 for the database"},
    [LATE] = {&event_request_failed, 1, "requests answered 504"},
    [SHED] = {&event_request_shed, 1, "requests answered 503 for max_requests"},
    [SLOW] = {&event_request_slow, 1, "requests answered later than slow_request"},
};

static void on_timer(uv_timer_t *timer)
{
	struct failures *failures = timer->data;

	if (!repeats_turn(&failures->repeats, uv_now(failures->loop)))
		uv_timer_stop(timer);
}

void failures_start(struct failures *failures, uv_loop_t *loop)
{
	*failures = (struct failures){.loop = loop, .repeats = {.kinds = kinds, .count = KINDS}};
	uv_timer_init(loop, &failures->timer);
	failures->timer.data = failures;
}

/* Is it to be said? */
static bool take(struct failures *failures, enum kind kind)
{
	if (!uv_is_active((uv_handle_t *)&failures->timer))
		uv_timer_start(&failures->timer, on_timer, TURN_MS, TURN_MS);
	return repeats_take(&failures->repeats, kind, uv_now(failures->loop));
}

static const char *id_of(const struct failures_request *request)
{
	return *request->id ? request->id : "without id";
}

static uint64_t ms(uint64_t us)
{
	return us / 1000;
}

void failures_note(
    struct failures *failures, const struct failures_request *request, enum status status)
{
	static const enum kind of[STATUS_COUNT] = {
	    [STATUS_ERROR] = ERROR, [STATUS_UNAVAILABLE] = UNAVAILABLE, [STATUS_LATE] = LATE};
	bool first;

	assert(status >= STATUS_ERROR);
	first = take(failures, of[status]);
	log_request(first ? &event_request_failed : &event_request_failed_too, request->id,
	    "%s: answered %s (request %s) after %" PRIu64 " ms, of them %" PRIu64 " in the queue",
	    request->doing, status_line(status), id_of(request), ms(request->took_us),
	    ms(request->waited_us));
}

void failures_shed(struct failures *failures, const struct failures_request *request)
{
	if (take(failures, SHED))
		log_request(&event_request_shed, request->id,
		    "%s: answered %s (request %s): max_requests wait for the database already",
		    request->doing, status_line(STATUS_UNAVAILABLE), id_of(request));
}

void failures_slow(struct failures *failures, const struct failures_request *request)
{
	if (take(failures, SLOW))
		log_request(&event_request_slow, request->id,
		    "%s: answered later than slow_request (request %s): after %" PRIu64
		    " ms, of them %" PRIu64 " in the queue and %" PRIu64 " with the database",
		    request->doing, id_of(request), ms(request->took_us), ms(request->waited_us),
		    ms(request->took_us - request->waited_us));
}

void failures_stop(struct failures *failures)
{
	repeats_end(&failures->repeats);
	uv_close((uv_handle_t *)&failures->timer, NULL);
}
