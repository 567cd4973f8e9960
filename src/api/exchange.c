/* SPDX-License-Identifier: MIT */
/* Every open exchange: its slot, its deadline, its one reply. */
#include "api/exchange.h"

#include "api/access.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/metric.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum exchange_state {
	EXCHANGE_UNUSED,
	EXCHANGE_RECEIVING, /* its request has not come to its end */
	EXCHANGE_ASKING,    /* its question is with a lane, and its client waits */
	EXCHANGE_FORSAKEN   /* its question is out, but nobody waits: freed when the answer comes */
};

struct exchange {
	struct exchanges *all;
	struct list node; /* in unused or asking, or in none */
	enum exchange_state state;
	void *client; /* who waits; NULL in EXCHANGE_UNUSED and EXCHANGE_FORSAKEN */
	struct access access;
	struct lane *lane; /* where the question is, while EXCHANGE_ASKING or EXCHANGE_FORSAKEN */
	const struct operation *operation;
	uint64_t asked; /* microseconds of clock_us: when its request had come */
	bool head, found;
	bool recalls; /* all is known: it is only asked whether that still holds */
	struct buffer key,
	    body; /* the body is rendered before it is known whether the caller may see it */
	char id[REQUEST_ID_MAX + 1];
};

static bool in_list(const struct exchange *exchange)
{
	return !list_empty(&exchange->node);
}

/* What holds between two events. */
static void exchange_check(const struct exchange *exchange)
{
	bool waits = exchange->state != EXCHANGE_UNUSED && exchange->state != EXCHANGE_FORSAKEN;

	assert((exchange->client != NULL) == waits);
	assert(in_list(exchange) ==
	       (exchange->state == EXCHANGE_UNUSED || exchange->state == EXCHANGE_ASKING));
	assert(exchange->state != EXCHANGE_ASKING || exchange->access.step != ACCESS_DECIDED);
	assert(exchange->state != EXCHANGE_UNUSED || (!exchange->key.data && !exchange->body.data));
	(void)waits;
}

/*
 * The only place that changes the state: moves the exchange to the list of the new one, NULL for
 * none.
 */
static void set_state(struct exchange *exchange, enum exchange_state state, struct list *list)
{
	unsigned waited = exchange->state >= EXCHANGE_ASKING, waits = state >= EXCHANGE_ASKING;

	exchange->all->waiting += (size_t)waits - waited;
	if (waits != waited)
		metric_add(METRIC_IN_FLIGHT, (uint64_t)waits - waited);
	list_remove(&exchange->node);
	if (list)
		list_append(list, &exchange->node);
	exchange->state = state;
}

static struct exchange *take_slot(struct exchanges *all)
{
	struct exchange *exchange;

	if (!list_empty(&all->unused))
		return list_entry(all->unused.next, struct exchange, node);
	if (all->fresh == all->count)
		return NULL;
	exchange = &all->slots[all->fresh++];
	exchange->all = all;
	list_init(&exchange->node);
	return exchange;
}

static void free_slot(struct exchange *exchange)
{
	struct exchanges *all = exchange->all;

	buffer_return(&exchange->key, &all->pool);
	buffer_return(&exchange->body, &all->pool);
	exchange->client = NULL;
	set_state(exchange, EXCHANGE_UNUSED, NULL);
	list_prepend(&all->unused,
	    &exchange->node); /* the one used last is the one in the processor's cache */
	exchange_check(exchange);
}

/*
 * Leaves the client: the slot is free at once, or, where its question is out, when the answer
 * comes.
 */
static void forsake(struct exchange *exchange)
{
	if (exchange->state != EXCHANGE_ASKING ||
	    lane_withdraw(exchange->lane, &exchange->access.inquiry.question)) {
		free_slot(exchange);
		return;
	}
	exchange->client = NULL;
	set_state(exchange, EXCHANGE_FORSAKEN, NULL);
	exchange_check(exchange);
}

static struct iovec whole(const struct buffer *buffer)
{
	return (struct iovec){buffer->data, buffer->length};
}

/* Without memory for a response there is one that was made at the start. */
static void send_reply(struct exchange *exchange, enum status status)
{
	struct exchanges *all = exchange->all;
	char head[STATUS_HEAD_MAX];
	struct iovec parts[2] = {{.iov_base = head}, whole(&exchange->body)};
	struct iovec overloaded = whole(&all->responder.overloaded);

	parts[0].iov_len =
	    responder_write_head(&all->responder, head, status, exchange->body.length);
	if (exchange->body.failed)
		all->reply(exchange->client, &overloaded, 1);
	else
		all->reply(exchange->client, parts, exchange->head ? 1 : 2);
}

/* What failed or took long is for the log, too, with where the time went. */
static void report(struct exchange *exchange, enum status status, uint64_t took_us)
{
	struct exchanges *all = exchange->all;
	const struct failures_request request = {.doing = exchange->operation->doing,
	    .id = exchange->id,
	    .took_us = took_us,
	    .waited_us =
		lane_waited(&exchange->access.inquiry.question, exchange->asked + took_us)};

	if (status >= STATUS_ERROR)
		failures_note(&all->failures, &request, status);
	else
		failures_slow(&all->failures, &request);
}

static bool is_slow(const struct exchange *exchange, uint64_t took_us)
{
	uint64_t limit = exchange->all->settings->slow_request;

	return limit && took_us >= limit * 1000;
}

/* Sends the response of a status that is known since then, microseconds of clock_us. */
static void reply(struct exchange *exchange, enum status status, uint64_t since)
{
	uint64_t took_us = since - exchange->asked;

	if (status == STATUS_OK && exchange->body.failed)
		status = STATUS_UNAVAILABLE;
	if (status >= STATUS_ERROR || is_slow(exchange, took_us))
		report(exchange, status, took_us);
	if (status != STATUS_OK)
		responder_write_error(
		    &exchange->all->responder, &exchange->body, status, exchange->operation->model);
	metric_add(status_metric(status), 1);
	metric_observe_time(METRIC_DURATION, took_us);
	send_reply(exchange, status);
}

static void finish(struct exchange *exchange, enum status status, uint64_t since)
{
	reply(exchange, status, since);
	free_slot(exchange);
}

/*
 * Rendered where it may still be sent: before it is asked what the holder of the key may see,
 * too.
 */
static void keep_object(struct exchange *exchange, enum access_verdict verdict,
    const struct answer *answer, struct store *found)
{
	const struct inquiry *inquiry = &exchange->access.inquiry;
	bool asked = inquiry->question.wants & exchange->operation->object;

	if (!asked || !(verdict == ACCESS_ALLOWED ||
			  (verdict == ACCESS_ASKS && exchange->access.step == ACCESS_RIGHTS)))
		return;
	buffer_borrow(&exchange->body, &exchange->all->pool);
	exchange->found = rendered_append(&exchange->all->rendered, exchange->operation,
	    &exchange->all->responder.json, &exchange->body, inquiry, answer);
	if (found && !exchange->body.failed)
		findings_keep_object(found, exchange->operation->object, inquiry->object,
		    exchange->found ? buffer_slice(&exchange->body) : (struct slice){NULL, 0});
}

static enum status status_of_verdict(enum access_verdict verdict, bool found)
{
	static const enum status refusals[ACCESS_VERDICTS] = {
	    [ACCESS_NOT_FOUND] = STATUS_NO_OBJECT,
	    [ACCESS_FORBIDDEN] = STATUS_FORBIDDEN,
	    [ACCESS_INVALID_KEY] = STATUS_INVALID_KEY,
	};

	if (verdict == ACCESS_ALLOWED)
		return found ? STATUS_OK : STATUS_NO_OBJECT;
	return refusals[verdict];
}

/* Is all known that the reply takes? *verdict is it then; the body is found where there is one to send. */
static bool recall(struct exchange *exchange, enum access_verdict *verdict, struct slice *body)
{
	const struct store *found = &exchange->all->known.store;
	const struct access *access = &exchange->access;

	*body = (struct slice){NULL, 0};
	*verdict = access_recall(access, found);
	if (*verdict == ACCESS_ALLOWED)
		return findings_object(found, exchange->operation->object, access->inquiry.object,
			   body) != FINDING_NONE;
	return *verdict != ACCESS_ASKS;
}

static void on_answer(struct question *question, const struct answer *answer);

/*
 * Asks what the step wants to know; where all may be known, and is, only whether that still holds. The answer comes always
 * later.
 */
static void ask(struct exchange *exchange, bool may_be_known)
{
	struct question *question = &exchange->access.inquiry.question;
	struct exchanges *all = exchange->all;
	bool slow = access_is_slow(&exchange->access);
	unsigned look = slow ? 0 : known_wants(&all->known);
	enum access_verdict verdict;
	struct slice body;

	exchange->recalls = look && may_be_known && recall(exchange, &verdict, &body);
	exchange->lane = slow ? all->slow : all->common;
	question->answered = on_answer;
	question->wants = look | (exchange->recalls ? 0 : access_wants(&exchange->access));
	lane_ask(exchange->lane, question);
	exchange_check(exchange);
}

/* What was known when it was asked may have changed, or had to make room: then it is asked in full. */
static void act_on_look(struct exchange *exchange, const struct answer *answer, bool holds)
{
	enum access_verdict verdict;
	struct slice body;

	if (!holds || !recall(exchange, &verdict, &body)) {
		ask(exchange, false);
		return;
	}
	metric_add(METRIC_KNOWN_ANSWERS, 1);
	exchange->found = body.length;
	buffer_borrow(&exchange->body, &exchange->all->pool);
	buffer_append(&exchange->body, body.text, body.length);
	finish(exchange, status_of_verdict(verdict, exchange->found), answer->batch->ended_us);
}

static void act_on_answer(struct exchange *exchange, const struct answer *answer)
{
	struct known *known = &exchange->all->known;
	bool holds = known_look(known, answer, &exchange->access.inquiry);
	struct store *found = holds ? &known->store : NULL;
	enum access_verdict verdict;

	if (exchange->recalls) {
		act_on_look(exchange, answer, holds);
		return;
	}
	verdict = access_take(&exchange->access, answer, found);
	keep_object(exchange, verdict, answer, found);
	if (verdict == ACCESS_ASKS)
		ask(exchange, false);
	else
		finish(
		    exchange, status_of_verdict(verdict, exchange->found), answer->batch->ended_us);
}

static void fail(struct exchange *exchange, enum answer_outcome outcome)
{
	static const enum status failures[] = {[ANSWER_UNAVAILABLE] = STATUS_UNAVAILABLE,
	    [ANSWER_LATE] = STATUS_LATE,
	    [ANSWER_REFUSED] = STATUS_ERROR};

	finish(exchange, failures[outcome], clock_us());
}

static void on_answer(struct question *question, const struct answer *answer)
{
	struct exchange *exchange = list_entry(question, struct exchange, access.inquiry.question);

	exchange_check(exchange);
	if (exchange->state == EXCHANGE_FORSAKEN)
		free_slot(exchange);
	else if (answer->outcome != ANSWER_GOOD)
		fail(exchange, answer->outcome);
	else
		act_on_answer(exchange, answer);
}

/*
 * All requests have the same budget, so the list is in the order of their deadlines. An answer that has come while this
 * process stood still is read before its deadline is judged.
 */
static void on_deadline(uv_timer_t *timer)
{
	struct exchanges *all = timer->data;
	uint64_t now = uv_now(all->loop);

	lane_read(all->common);
	lane_read(all->slow);
	while (!list_empty(&all->asking)) {
		struct exchange *exchange = list_entry(all->asking.next, struct exchange, node);
		uint64_t deadline = exchange->access.inquiry.question.deadline;

		if (deadline > now) {
			uv_timer_start(timer, on_deadline, deadline - now, 0);
			return;
		}
		reply(exchange, STATUS_LATE, clock_us());
		forsake(exchange);
	}
}

/* Is there a page of the program's own at the path? A request that is refused has no path otherwise. */
static bool answer_page(
    struct exchanges *all, const struct request *request, struct buffer *response)
{
	return request->path.length &&
	       vitals_answer(all->vitals, request->path, request->head, response);
}

/* Copies what outlives the parameters. NULL where no slot is free, or no memory. */
static struct exchange *open_exchange(
    struct exchanges *all, void *client, const struct request *request)
{
	struct exchange *exchange = take_slot(all);

	if (!exchange)
		return NULL;
	exchange->client = client;
	exchange->operation = request->operation;
	exchange->head = request->head;
	exchange->found = false;
	memcpy(exchange->id, request->id, sizeof(exchange->id));
	buffer_borrow(&exchange->key, &all->pool);
	buffer_append(&exchange->key, request->key.text, request->key.length);
	uuid_copy(exchange->access.inquiry.object, request->object);
	set_state(exchange, EXCHANGE_RECEIVING, NULL);
	if (!exchange->key.failed)
		return exchange;
	free_slot(exchange);
	return NULL;
}

static void *begin(void *context, void *client, enum parameters_status status,
    const struct parameter *parameters, size_t count, struct buffer *response)
{
	struct exchanges *all = context;
	struct exchange *exchange = NULL;
	struct request request;

	request_parse(&request, status, parameters, count, &all->router);
	keyless_note(&all->keyless, &request);
	if (request.status == STATUS_OK) {
		exchange = open_exchange(all, client, &request);
		request.status = STATUS_UNAVAILABLE; /* said where there is none */
	}
	if (exchange)
		exchange_check(exchange);
	else if (!answer_page(all, &request, response)) {
		metric_add(status_metric(request.status), 1);
		responder_refuse(&all->responder, &request, response);
	}
	return exchange;
}

/* There are as many as may be that wait for the database. */
static bool shed(struct exchange *exchange, struct buffer *response)
{
	const struct request refused = {.status = STATUS_UNAVAILABLE, .head = exchange->head};

	failures_shed(&exchange->all->failures,
	    &(struct failures_request){exchange->operation->doing, exchange->id, 0, 0});
	metric_add(METRIC_REQUESTS_503, 1);
	metric_add(METRIC_SHED_REQUESTS, 1);
	responder_refuse(&exchange->all->responder, &refused, response);
	free_slot(exchange);
	return false;
}

static bool end(void *context, struct buffer *response)
{
	struct exchange *exchange = context;
	struct exchanges *all = exchange->all;
	struct inquiry *inquiry = &exchange->access.inquiry;

	if (all->waiting == all->settings->max_requests)
		return shed(exchange, response);
	inquiry->key = exchange->key.data;
	inquiry->key_length = exchange->key.length;
	inquiry->question.deadline = uv_now(all->loop) + all->settings->request_timeout;
	exchange->access.object = exchange->operation->object;
	exchange->access.rights = exchange->operation->rights;
	inquiry->question.waited_us = 0;
	access_start(&exchange->access, &all->guesses);
	known_digest(&all->known, inquiry, exchange->access.digest);
	set_state(exchange, EXCHANGE_ASKING, &all->asking);
	if (!uv_is_active((uv_handle_t *)&all->deadline))
		uv_timer_start(&all->deadline, on_deadline, all->settings->request_timeout, 0);
	ask(exchange, true);
	exchange->asked = inquiry->question.asked_us;
	return true;
}

static void cancel(void *exchange)
{
	exchange_check(exchange);
	forsake(exchange);
}

static const char *id_of(const void *exchange)
{
	return ((const struct exchange *)exchange)->id;
}

struct handler exchange_handler(struct exchanges *exchanges, handler_reply *reply_to)
{
	exchanges->reply = reply_to;
	return (struct handler){.context = exchanges,
	    .begin = begin,
	    .end = end,
	    .cancel = cancel,
	    .id = id_of,
	    .overloaded = whole(&exchanges->responder.overloaded)};
}

bool exchange_start(struct exchanges *exchanges, uv_loop_t *loop, const struct settings *settings,
    struct lane *common, struct lane *slow)
{
	*exchanges =
	    (struct exchanges){.settings = settings, .loop = loop, .common = common, .slow = slow};
	exchanges->router = (struct router){settings->base_path, routes_all};
	list_init(&exchanges->unused);
	list_init(&exchanges->asking);
	exchanges->count = (size_t)settings->max_connections + settings->max_requests;
	exchanges->slots = calloc(exchanges->count, sizeof(*exchanges->slots));
	if (!exchanges->slots ||
	    !responder_start(&exchanges->responder, common, &exchanges->pool) ||
	    !known_start(&exchanges->known, common, settings->known_answers)) {
		exchange_free(exchanges);
		return false;
	}
	uv_timer_init(loop, &exchanges->deadline);
	exchanges->deadline.data = exchanges;
	failures_start(&exchanges->failures, loop);
	return true;
}

void exchange_stop(struct exchanges *exchanges)
{
	uv_close((uv_handle_t *)&exchanges->deadline, NULL);
	failures_stop(&exchanges->failures);
}

void exchange_free(struct exchanges *exchanges)
{
	for (size_t i = 0; i < exchanges->fresh; i++) {
		buffer_free(&exchanges->slots[i].key);
		buffer_free(&exchanges->slots[i].body);
	}
	free(exchanges->slots);
	rendered_free(&exchanges->rendered);
	known_free(&exchanges->known);
	responder_free(&exchanges->responder);
	buffer_pool_free(&exchanges->pool);
}
