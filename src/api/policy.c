/* SPDX-License-Identifier: MIT */
/* Retrieves event matcher policies: who asks, what they may see, the row; owns every open exchange and its
 * deadline. */
#include "api/policy.h"

#include "authentik/caller.h"
#include "authentik/rights.h"
#include "base/log.h"

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
	struct policy_service *service;
	struct list node; /* in the service's unused or asking */
	enum exchange_state state;
	void *client;
	struct inquiry inquiry;
	struct lane *lane;  /* where the question is */
	enum status status; /* what refuses the request already; STATUS_OK: it is to be asked */
	bool head, policy_found, service_account, access_token;
	struct buffer key, body; /* the body is rendered before it is known whether the caller may see it */
	char id[REQUEST_ID_MAX + 1];
};

static struct exchange *take_slot(struct policy_service *service)
{
	struct exchange *exchange;

	if (list_empty(&service->unused)) {
		if (service->fresh == service->settings->max_requests)
			return NULL;
		exchange = &service->exchanges[service->fresh++];
	} else {
		exchange = list_entry(service->unused.next, struct exchange, node);
		list_remove(&exchange->node);
	}
	exchange->service = service;
	list_init(&exchange->node);
	return exchange;
}

static void free_slot(struct exchange *exchange)
{
	struct policy_service *service = exchange->service;

	buffer_return(&exchange->key, &service->pool);
	buffer_return(&exchange->body, &service->pool);
	list_remove(&exchange->node);
	exchange->state = EXCHANGE_UNUSED;
	exchange->client = NULL;
	list_prepend(&service->unused, &exchange->node);
}

/* Leaves the client: the slot is free at once, or, where its question is out, when the answer comes. */
static void forsake(struct exchange *exchange)
{
	list_remove(&exchange->node);
	exchange->client = NULL;
	if (exchange->state == EXCHANGE_ASKING && !lane_withdraw(exchange->lane, &exchange->inquiry.question))
		exchange->state = EXCHANGE_FORSAKEN;
	else
		free_slot(exchange);
}

static void send_reply(struct exchange *exchange, enum status status)
{
	char head[RESPONSE_HEAD_MAX];
	struct iovec parts[2] = {{.iov_base = head}, {exchange->body.data, exchange->body.length}};

	parts[0].iov_len = response_write_head(head, status, exchange->body.length);
	exchange->service->reply(exchange->client, parts, exchange->head || !exchange->body.length ? 1 : 2);
}

static void write_error(struct exchange *exchange, enum status status, const struct request *request)
{
	struct policy_service *service = exchange->service;

	buffer_return(&exchange->body, &service->pool);
	buffer_borrow(&exchange->body, &service->pool);
	if (status != STATUS_OPTIONS)
		response_write_error(&service->writer, &exchange->body, status, request);
}

/* Sends the status's response, once the question has come back. */
static void reply(struct exchange *exchange, enum status status)
{
	if (status == STATUS_OK && exchange->body.failed)
		status = STATUS_UNAVAILABLE;
	if (status >= STATUS_ERROR)
		log_warning("retrieving a policy: answered %s (request %s)",
			status == STATUS_LATE    ? "504, too late"
			: status == STATUS_ERROR ? "500"
						 : "503",
			*exchange->id ? exchange->id : "without id");
	if (status != STATUS_OK)
		write_error(exchange, status, NULL);
	send_reply(exchange, status);
}

static void finish(struct exchange *exchange, enum status status)
{
	reply(exchange, status);
	free_slot(exchange);
}

static void on_answer(struct question *question, const struct answer *answer);

static void ask(struct exchange *exchange, struct lane *lane, unsigned wants)
{
	exchange->lane = lane;
	exchange->inquiry.question.answered = on_answer;
	exchange->inquiry.question.wants = wants;
	lane_ask(lane, &exchange->inquiry.question);
}

static void finish_allowed(struct exchange *exchange)
{
	finish(exchange, exchange->policy_found ? STATUS_OK : STATUS_NOT_FOUND);
}

/* authentik/rbac/filters.py and permissions.py: who sees nothing at all is forbidden, all others find
 * nothing. */
static void decide_rights(struct exchange *exchange, const struct rights *rights)
{
	if (rights->sees_all || (rights->granted && exchange->policy_found))
		finish_allowed(exchange);
	else if (rights->sees_any || exchange->service_account)
		finish(exchange, STATUS_NOT_FOUND);
	else
		finish(exchange, STATUS_FORBIDDEN);
}

static void learn_rights(struct exchange *exchange, const struct rights *rights)
{
	guess_learn_rights(&exchange->service->guesses, &exchange->inquiry, rights->superuser_by,
		exchange->access_token);
}

/* The rights of a caller about whom there was no guess, or a wrong one. */
static void ask_rights(struct exchange *exchange, const struct caller *caller, unsigned besides)
{
	exchange->inquiry.user = caller->user;
	uuid_clear(exchange->inquiry.superuser_by);
	ask(exchange, exchange->service->common, INQUIRY_RIGHTS | besides);
}

/*
 * Superusers by a group of their own are done. Of all others the rights must be known: they are, where it was
 * guessed right whose the key is; else the lane is asked for them.
 */
static void decide_key(struct exchange *exchange, const struct caller *caller, const struct rights *rights)
{
	struct inquiry *inquiry = &exchange->inquiry;

	exchange->service_account = caller->service;
	if (!caller->active)
		finish(exchange, STATUS_INVALID_KEY);
	else if (caller->superuser) {
		if (uuid_compare(caller->superuser_by, inquiry->superuser_by) != 0)
			guess_learn_superuser(&exchange->service->guesses, inquiry, caller->superuser_by);
		finish_allowed(exchange);
	} else if (rights && caller->user == inquiry->user) {
		if (!uuid_is_null(rights->superuser_by))
			learn_rights(exchange, rights);
		decide_rights(exchange, rights);
	} else
		ask_rights(exchange, caller, 0);
}

static void decide_access_token(struct exchange *exchange, const struct caller *caller)
{
	struct inquiry *inquiry = &exchange->inquiry;

	if (!caller || !caller->active) {
		finish(exchange, STATUS_INVALID_KEY);
		return;
	}
	exchange->access_token = true;
	exchange->service_account = caller->service;
	if (caller->user == inquiry->user)
		ask(exchange, exchange->service->common, INQUIRY_RIGHTS | INQUIRY_POLICY);
	else
		ask_rights(exchange, caller, INQUIRY_POLICY);
}

static void keep_policy(struct exchange *exchange, const struct event_matcher *policy)
{
	struct policy_service *service = exchange->service;

	exchange->policy_found = policy != NULL;
	if (!policy)
		return;
	buffer_borrow(&exchange->body, &service->pool);
	response_write_policy(&service->writer, &exchange->body, exchange->inquiry.policy, policy);
}

static enum status status_of(enum answer_outcome outcome)
{
	return outcome == ANSWER_UNAVAILABLE ? STATUS_UNAVAILABLE
	       : outcome == ANSWER_LATE      ? STATUS_LATE
					     : STATUS_ERROR;
}

static void act_on_answer(struct exchange *exchange, unsigned asked, const struct answer *answer)
{
	const struct inquiry *inquiry = &exchange->inquiry;
	struct event_matcher policy;
	struct caller caller;
	struct rights rights;
	bool held = asked & (INQUIRY_CALLER | INQUIRY_ACCESS_TOKEN) &&
		    caller_read(&caller, answer, inquiry,
			    asked & INQUIRY_CALLER ? STATEMENT_CALLER : STATEMENT_ACCESS_TOKEN);

	/* A key that is no API token may be an access token: only then is its policy worth rendering. */
	if (asked & INQUIRY_CALLER && !held) {
		ask(exchange, exchange->service->slow, INQUIRY_ACCESS_TOKEN);
		return;
	}
	if (asked == INQUIRY_CALLER) { /* it was an access token the last time, and is an API token now */
		exchange->inquiry.search = true;
		ask(exchange, exchange->service->common, INQUIRY_CALLER | INQUIRY_POLICY);
		return;
	}
	if (asked & INQUIRY_POLICY)
		keep_policy(exchange, event_matcher_read(&policy, answer, inquiry) ? &policy : NULL);
	if (asked & INQUIRY_RIGHTS)
		rights = rights_read(answer, inquiry);
	if (asked & INQUIRY_CALLER)
		decide_key(exchange, &caller, asked & INQUIRY_RIGHTS ? &rights : NULL);
	else if (asked & INQUIRY_ACCESS_TOKEN)
		decide_access_token(exchange, held ? &caller : NULL);
	else {
		learn_rights(exchange, &rights);
		decide_rights(exchange, &rights);
	}
}

static void on_answer(struct question *question, const struct answer *answer)
{
	struct exchange *exchange = list_entry(question, struct exchange, inquiry.question);

	if (exchange->state == EXCHANGE_FORSAKEN)
		free_slot(exchange);
	else if (answer->outcome != ANSWER_GOOD)
		finish(exchange, status_of(answer->outcome));
	else
		act_on_answer(exchange, question->wants, answer);
}

/* All requests have the same budget, so the list is in the order of their deadlines. */
static void on_deadline(uv_timer_t *timer)
{
	struct policy_service *service = timer->data;
	uint64_t now = uv_now(service->loop);

	while (!list_empty(&service->asking)) {
		struct exchange *exchange = list_entry(service->asking.next, struct exchange, node);

		if (exchange->inquiry.question.deadline > now) {
			uv_timer_start(timer, on_deadline, exchange->inquiry.question.deadline - now, 0);
			return;
		}
		reply(exchange, STATUS_LATE);
		forsake(exchange);
	}
}

struct exchange *policy_begin(struct policy_service *service, void *client, enum parameters_status status,
	const struct parameter *parameters, size_t count)
{
	struct exchange *exchange = take_slot(service);
	struct request request;

	if (!exchange)
		return NULL;
	request_parse(&request, status, parameters, count, service->settings->base_path);
	exchange->state = EXCHANGE_RECEIVING;
	exchange->client = client;
	exchange->status = request.status;
	exchange->head = request.head;
	exchange->policy_found = exchange->service_account = exchange->access_token = false;
	memcpy(exchange->id, request.id, sizeof(exchange->id));
	if (request.status != STATUS_OK) {
		write_error(exchange, request.status, &request);
		return exchange;
	}
	buffer_borrow(&exchange->key, &service->pool);
	buffer_append(&exchange->key, request.key.text, request.key.length);
	uuid_copy(exchange->inquiry.policy, request.policy);
	return exchange;
}

void policy_end(struct exchange *exchange)
{
	struct policy_service *service = exchange->service;
	struct inquiry *inquiry = &exchange->inquiry;

	assert(exchange->state == EXCHANGE_RECEIVING);
	if (exchange->status != STATUS_OK || exchange->key.failed) {
		if (exchange->status == STATUS_OK)
			write_error(exchange, exchange->status = STATUS_UNAVAILABLE, NULL);
		send_reply(exchange, exchange->status);
		free_slot(exchange);
		return;
	}
	inquiry->key = exchange->key.data;
	inquiry->key_length = exchange->key.length;
	inquiry->question.deadline = uv_now(service->loop) + service->settings->request_timeout;
	exchange->state = EXCHANGE_ASKING;
	list_append(&service->asking, &exchange->node);
	if (!uv_is_active((uv_handle_t *)&service->deadline))
		uv_timer_start(&service->deadline, on_deadline, service->settings->request_timeout, 0);
	ask(exchange, service->common, guess_ask(&service->guesses, inquiry));
}

void policy_cancel(struct exchange *exchange)
{
	assert(exchange->state == EXCHANGE_RECEIVING || exchange->state == EXCHANGE_ASKING);
	forsake(exchange);
}

static void make_overloaded(struct policy_service *service)
{
	struct buffer body = {0};
	char head[RESPONSE_HEAD_MAX];

	response_write_error(&service->writer, &body, STATUS_UNAVAILABLE, NULL);
	buffer_append(&service->overloaded, head, response_write_head(head, STATUS_UNAVAILABLE, body.length));
	buffer_append(&service->overloaded, body.data, body.length);
	service->overloaded.failed |= body.failed;
	buffer_free(&body);
}

bool policy_start(struct policy_service *service, uv_loop_t *loop, const struct settings *settings,
	struct lane *common, struct lane *slow, policy_reply *reply_to)
{
	*service = (struct policy_service){
		.settings = settings, .loop = loop, .common = common, .slow = slow, .reply = reply_to};
	list_init(&service->unused);
	list_init(&service->asking);
	service->exchanges = calloc(settings->max_requests, sizeof(*service->exchanges));
	if (!service->exchanges || !response_open(&service->writer)) {
		policy_free(service);
		return false;
	}
	make_overloaded(service);
	uv_timer_init(loop, &service->deadline);
	service->deadline.data = service;
	return !service->overloaded.failed;
}

void policy_stop(struct policy_service *service)
{
	uv_close((uv_handle_t *)&service->deadline, NULL);
}

void policy_free(struct policy_service *service)
{
	for (size_t i = 0; i < service->fresh; i++) {
		buffer_free(&service->exchanges[i].key);
		buffer_free(&service->exchanges[i].body);
	}
	free(service->exchanges);
	response_close(&service->writer);
	buffer_free(&service->overloaded);
	buffer_pool_free(&service->pool);
}
