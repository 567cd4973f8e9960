/* SPDX-License-Identifier: MIT */
/* Parameters into a struct request, or into the status that refuses it: all that is decided without the
 * database; pure. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/slice.h"
#include "api/status.h"
#include "fastcgi/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <uuid/uuid.h>

enum { REQUEST_PATH_MAX = 8192, REQUEST_KEY_MAX = 8192, REQUEST_ID_MAX = 64 };

/*
 * What is asked. With status STATUS_OK, key and policy are what to look up; else the request is refused, and
 * detail says more where the status needs it (a method that is not allowed, what is malformed).
 */
struct request {
	enum status status;
	const char *detail; /* of STATUS_MALFORMED */
	bool head;
	struct slice method, key;
	uuid_t policy;
	char id[REQUEST_ID_MAX + 1]; /* of X-Request-Id, for the log; or empty */
};

/*
 * Reads a request from its parameters, in the order in which a request is checked: well formed, route,
 * format, Accept, method, form of Authorization, form of the UUID. parameters_status other than
 * PARAMETERS_GOOD is malformed. base_path is the API's root, without a slash at its end. The request's slices
 * live as long as the parameters.
 */
void request_parse(struct request *request, enum parameters_status parameters_status,
	const struct parameter *parameters, size_t count, const char *base_path);

#endif
