/* SPDX-License-Identifier: MIT */
/* A large body that was rendered, for others of its batch that ask for the same object. */
#ifndef API_RENDERED_H
#define API_RENDERED_H

#include "api/operation.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <uuid/uuid.h>

enum { RENDERED_LEAST = 65536 }; /* bytes: smaller ones are rendered again as fast */

/* All zero: none is kept. One at most, and it goes with the next batch. */
struct rendered {
	struct buffer body;
	const struct operation *operation;
	uuid_t object;
	const struct batch *batch; /* and the number that it had then */
	uint64_t number;
};

/*
 * Appends the object that the answer has to body, as operation->render does, but renders a large one
 * once for all who ask for it in one batch: escaping 4 MiB takes ten times as long as copying them.
 */
bool rendered_append(struct rendered *rendered, const struct operation *operation,
    struct json *json, struct buffer *body, const struct inquiry *inquiry,
    const struct answer *answer);

/* Frees what is kept. */
void rendered_free(struct rendered *rendered);

#endif
