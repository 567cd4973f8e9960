/* SPDX-License-Identifier: MIT */
/* Writes responses as the release of authentik that the database is of words them. */
#ifndef API_RESPONDER_H
#define API_RESPONDER_H

#include "base/buffer.h"
#include "http/json.h"
#include "http/request.h"
#include "http/status.h"
#include "postgres/lane.h"

#include <stdbool.h>
#include <stddef.h>

/* Owned by the exchanges; fields are its own, but json, which all may use that render. */
struct responder {
	const struct lane *lane; /* knows the release */
	struct buffer_pool *pool;
	struct json json;
	struct buffer overloaded; /* the whole response where there is no memory for one */
};

/* Starts; lane and pool must outlive it, and it must stay where it is. False where there is no memory. */
bool responder_start(
    struct responder *responder, const struct lane *lane, struct buffer_pool *pool);

/* Writes a response's head, and returns its length; content_length is the body's. */
size_t responder_write_head(const struct responder *responder, char to[STATUS_HEAD_MAX],
    enum status status, size_t content_length);

/* Puts an error's body in place of what stands there; model is what a 404 names. Without memory body->failed is set. */
void responder_write_error(
    struct responder *responder, struct buffer *body, enum status status, const char *model);

/* Appends the whole response of a request that is refused without a question. Without memory response->failed is set. */
void responder_refuse(
    struct responder *responder, const struct request *request, struct buffer *response);

/* Frees what it holds. */
void responder_free(struct responder *responder);

#endif
