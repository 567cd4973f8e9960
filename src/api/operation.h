/* SPDX-License-Identifier: MIT */
/* What a route does with an object of authentik's, for a caller who may see it. */
#ifndef API_OPERATION_H
#define API_OPERATION_H

#include "authentik/inquiry.h"
#include "base/buffer.h"
#include "http/json.h"

#include <stdbool.h>

struct operation {
	const char *doing; /* for the log: "retrieving a policy" */
	const char *model; /* what a 404 names */
	/* Of enum inquiry_wants: what reads the object, and who may see it. */
	unsigned object, rights;
	/* Appends the object that the answer has, as JSON. False where there is none. */
	bool (*render)(struct json *json, struct buffer *body, const struct inquiry *inquiry,
	    const struct answer *answer);
};

#endif
