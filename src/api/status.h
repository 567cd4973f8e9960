/* SPDX-License-Identifier: MIT */
/* Every answer that a client can get: one name each, with the HTTP status and the text that go with it in
 * response.c. */
#ifndef API_STATUS_H
#define API_STATUS_H

enum status {
	STATUS_OK,
	STATUS_OPTIONS,            /* 204 */
	STATUS_MALFORMED,          /* 400: the parameters */
	STATUS_INVALID_UUID,       /* 400: the last segment of the path */
	STATUS_FORBIDDEN,          /* 403: no key, or no right to see anything */
	STATUS_UNSUPPORTED_SCHEME, /* 403: an Authorization other than Bearer */
	STATUS_INVALID_KEY,        /* 403: unknown, expired, malformed, or of an inactive user */
	STATUS_NOT_FOUND,          /* 404 */
	STATUS_METHOD_NOT_ALLOWED, /* 405 */
	STATUS_NOT_ACCEPTABLE,     /* 406 */
	STATUS_ERROR,              /* 500 */
	STATUS_UNAVAILABLE,        /* 503, with Retry-After */
	STATUS_LATE                /* 504 */
};

#endif
