/* SPDX-License-Identifier: MIT */
/* Every answer that a client can get: status line, header fields, text; one table. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/buffer.h"
#include "base/slice.h"
#include "http/json.h"

#include <stddef.h>

enum status {
	STATUS_OK,
	STATUS_OPTIONS,            /* 204 */
	STATUS_MALFORMED,          /* 400: the parameters */
	STATUS_INVALID_ID,         /* 400: the object's id in the path */
	STATUS_FORBIDDEN,          /* 403: no key, or no right to see anything */
	STATUS_UNSUPPORTED_SCHEME, /* 403: an Authorization other than Bearer */
	STATUS_INVALID_KEY,        /* 403: unknown, expired, malformed, or of an inactive user */
	STATUS_NOT_FOUND,          /* 404 */
	STATUS_METHOD_NOT_ALLOWED, /* 405 */
	STATUS_NOT_ACCEPTABLE,     /* 406 */
	STATUS_ERROR,              /* 500 */
	STATUS_UNAVAILABLE,        /* 503, with Retry-After */
	STATUS_LATE,               /* 504 */
	STATUS_COUNT
};

enum { STATUS_HEAD_MAX = 256 };

/* What a request adds to its refusal; none for most. */
struct status_detail {
	struct slice property; /* of a 400: what is wrong */
	struct slice text;     /* of a 400 about the parameters: how; of a 405: the method */
	const char *allow;     /* of a 204 and a 405: the methods that the route has */
};

/* The status line (RFC 9110, section 15): code and reason. */
const char *status_line(enum status status);

/* Appends the body of an error. Without memory body->failed is set. */
void status_write_error(
    struct json *json, struct buffer *body, enum status status, const struct status_detail *detail);

/*
 * Writes the CGI response header (RFC 3875, section 6.3), up to the empty line, and returns its
 * length. content_length is the body's, or what it would be for GET; a 204 has none (RFC 9110,
 * section 8.6).
 */
size_t status_write_head(
    char head[STATUS_HEAD_MAX], enum status status, const char *allow, size_t content_length);

#endif
