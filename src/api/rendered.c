/* SPDX-License-Identifier: MIT */
/* A large body that was rendered, for others of its batch that ask for the same object. */
#include "api/rendered.h"

static bool fits(const struct rendered *rendered, const struct operation *operation,
    const struct inquiry *inquiry)
{
	return rendered->operation == operation &&
	       uuid_compare(rendered->object, inquiry->object) == 0;
}

/* Without memory nothing is kept. */
static void keep(struct rendered *rendered, const struct operation *operation,
    const struct inquiry *inquiry, const struct batch *batch, const struct buffer *body)
{
	buffer_clear(&rendered->body);
	buffer_append(&rendered->body, body->data, body->length);
	if (rendered->body.failed) {
		rendered_free(rendered);
		return;
	}
	rendered->operation = operation;
	uuid_copy(rendered->object, inquiry->object);
	rendered->batch = batch;
	rendered->number = batch->number;
}

bool rendered_append(struct rendered *rendered, const struct operation *operation,
    struct json *json, struct buffer *body, const struct inquiry *inquiry,
    const struct answer *answer)
{
	const struct batch *batch = answer->batch;
	bool found;

	if (rendered->operation && (rendered->batch != batch || rendered->number != batch->number))
		rendered_free(rendered);
	if (rendered->operation && fits(rendered, operation, inquiry)) {
		buffer_append(body, rendered->body.data, rendered->body.length);
		return true;
	}
	found = operation->render(json, body, inquiry, answer);
	if (found && body->length >= RENDERED_LEAST && !body->failed)
		keep(rendered, operation, inquiry, batch, body);
	return found;
}

void rendered_free(struct rendered *rendered)
{
	buffer_free(&rendered->body);
	*rendered = (struct rendered){0};
}
