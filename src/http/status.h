/* SPDX-License-Identifier: MIT */
/* Every answer that a client can get: status line, header fields, text; one table. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/buffer.h"
#include "base/metric.h"
#include "base/slice.h"
#include "http/json.h"

#include <stdbool.h>
#include <stddef.h>

enum status {
	STATUS_OK,
	STATUS_OPTIONS,            /* 204 */
	STATUS_MALFORMED,          /* 400: the parameters */
	STATUS_INVALID_ID,         /* 400: the object's id in the path */
	STATUS_FORBIDDEN,          /* 403: no key, or no right to see anything */
	STATUS_UNSUPPORTED_SCHEME, /* 403: an Authorization other than Bearer */
	STATUS_INVALID_KEY,        /* 403: unknown, expired, malformed, or of an inactive user */
	STATUS_NOT_FOUND,          /* 404: no route, or no object */
	STATUS_NO_OBJECT,          /* 404: the same, where the object's kind is named */
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
	struct slice text; /* of a 400: how; of a 405: the method; of a 404: the kind of object */
	const char *allow; /* of a 204 and a 405: the methods that the route has */
};

/* What the head of an answer has besides its status. */
struct status_head {
	const char *allow;     /* of a 204 and a 405 */
	bool charset;          /* is named in Content-Type */
	size_t content_length; /* of the body, or what it would be for GET */
};

/* The status line (RFC 9110, section 15): code and reason. */
const char *status_line(enum status status);

/* What counts the answers with its code. */
enum metric status_metric(enum status status);

/* Appends the body of an error. Without memory body->failed is set. */
void status_write_error(
    struct json *json, struct buffer *body, enum status status, const struct status_detail *detail);

/*
 * Writes the CGI response header (RFC 3875, section 6.3), up to the empty line, and returns its
 * length. A 204 has neither type nor length (RFC 9110, section 8.6).
 */
size_t status_write_head(
    char to[STATUS_HEAD_MAX], enum status status, const struct status_head *head);

#endif
