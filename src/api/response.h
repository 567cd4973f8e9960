/* SPDX-License-Identifier: MIT */
/* A status or a row into the CGI headers and the JSON of a response. */
#ifndef API_RESPONSE_H
#define API_RESPONSE_H

#include "api/request.h"
#include "api/status.h"
#include "authentik/event_matcher.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <yajl/yajl_gen.h>

enum { RESPONSE_HEAD_MAX = 256 };

/* One JSON generator, used for one body after the other. */
struct response_writer {
	yajl_gen generator;
	struct buffer *body; /* where the generator prints */
};

/* Makes the generator; false where there is no memory. Must stay where it is until response_close. */
bool response_open(struct response_writer *writer);

/* Frees the generator. */
void response_close(struct response_writer *writer);

/* Appends a policy as authentik's EventMatcherPolicySerializer renders it. Without memory body->failed is
 * set. */
void response_write_policy(struct response_writer *writer, struct buffer *body, const uuid_t pk,
	const struct event_matcher *policy);

/* Appends the body of an error; request adds the method to a 405, the detail to a 400; NULL where there is
 * none. */
void response_write_error(struct response_writer *writer, struct buffer *body, enum status status,
	const struct request *request);

/*
 * Writes the CGI response header (RFC 3875, section 6.3) of a status, up to the empty line, and returns its
 * length. content_length is the body's, or what it would be for GET; a 204 has none (RFC 9110, section 8.6).
 */
size_t response_write_head(char head[RESPONSE_HEAD_MAX], enum status status, size_t content_length);

#endif
