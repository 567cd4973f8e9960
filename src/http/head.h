/* SPDX-License-Identifier: MIT */
/* The head of a plain HTTP/1 request: its method and its path; pure. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/slice.h"

#include <stddef.h>

enum head_kind {
	HEAD_MORE, /* its end has not come */
	HEAD_GOOD,
	HEAD_BAD /* it is no HTTP/1 request */
};

/* Both point into the bytes that were read. */
struct head {
	struct slice method;
	struct slice path; /* without a query */
};

/* Reads the head that begins there; the fields in it are of no matter. */
enum head_kind head_read(const char *bytes, size_t length, struct head *head);

#endif
