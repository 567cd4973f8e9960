/* SPDX-License-Identifier: MIT */
/* Parameters into a request, or into the status that refuses it; pure. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/parameter.h"
#include "base/slice.h"
#include "http/route.h"
#include "http/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <uuid/uuid.h>

enum { REQUEST_KEY_MAX = 8192, REQUEST_ID_MAX = 64 };

/*
 * What is asked. With status STATUS_OK, operation, key and object are what to do, for whom, and
 * to what; else the request is refused, and detail says more.
 */
struct request {
	enum status status;
	struct status_detail detail;
	const struct operation *operation;
	bool head;
	bool keyless;      /* a route has taken it, and it has no Authorization header */
	struct slice key;  /* printable ASCII */
	struct slice path; /* as it was sent, of a request that no route takes; or empty */
	uuid_t object;
	char id[REQUEST_ID_MAX + 1]; /* of X-Request-Id, for the log; or empty */
};

/*
 * Reads a request from its parameters, in the order in which a request is checked: well formed,
 * route, format, Accept, method, form of Authorization, form of the UUID. A parameters_status
 * other than PARAMETERS_GOOD is malformed. The request's slices live as long as the parameters.
 */
void request_parse(struct request *request, enum parameters_status parameters_status,
    const struct parameter *parameters, size_t count, const struct router *router);

#endif
