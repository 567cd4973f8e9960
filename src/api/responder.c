/* SPDX-License-Identifier: MIT */
/* Writes responses as the release of authentik that the database is of words them. */
#include "api/responder.h"

#include "authentik/facts.h"

/* What the database says of itself; before it has said anything, the newest. */
static const struct facts *facts_of(const struct responder *responder)
{
	return lane_facts(responder->lane);
}

bool responder_start(struct responder *responder, const struct lane *lane, struct buffer_pool *pool)
{
	const struct request refused = {.status = STATUS_UNAVAILABLE};

	*responder = (struct responder){.lane = lane, .pool = pool};
	json_init(&responder->json);
	responder_refuse(responder, &refused, &responder->overloaded);
	return !responder->overloaded.failed;
}

void responder_free(struct responder *responder)
{
	buffer_free(&responder->overloaded);
}

size_t responder_write_head(const struct responder *responder, char to[STATUS_HEAD_MAX],
    enum status status, size_t content_length)
{
	const struct status_head fields = {
	    .charset = facts_of(responder)->charset, .content_length = content_length};

	return status_write_head(to, status, &fields);
}

void responder_write_error(
    struct responder *responder, struct buffer *body, enum status status, const char *model)
{
	const struct status_detail detail = {.text = slice_of(model)};

	if (status == STATUS_NO_OBJECT && facts_of(responder)->plain_not_found)
		status = STATUS_NOT_FOUND;
	buffer_return(body, responder->pool);
	buffer_borrow(body, responder->pool);
	status_write_error(&responder->json, body, status, &detail);
}

void responder_refuse(
    struct responder *responder, const struct request *request, struct buffer *response)
{
	const struct facts *facts = facts_of(responder);
	enum status status = request->status;
	struct buffer body = {0};
	char head[STATUS_HEAD_MAX];
	struct status_head fields = {.allow = request->detail.allow, .charset = facts->charset};

	if (status == STATUS_UNSUPPORTED_SCHEME && !facts->names_scheme)
		status = STATUS_FORBIDDEN;
	buffer_borrow(&body, responder->pool);
	if (status != STATUS_OPTIONS)
		status_write_error(&responder->json, &body, status, &request->detail);
	fields.content_length = body.length;
	buffer_append(response, head, status_write_head(head, status, &fields));
	if (!request->head)
		buffer_append(response, body.data, body.length);
	response->failed |= body.failed;
	buffer_return(&body, responder->pool);
}
