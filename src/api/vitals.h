/* SPDX-License-Identifier: MIT */
/* What the program says of itself: is it alive, is it ready, what has it counted. */
#ifndef API_VITALS_H
#define API_VITALS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

/* Who knows; a NULL is answered for this process alone. */
struct vitals {
	const void *context; /* handed to both */
	/* Does this process take new requests, and has any of its pool a session with the database? */
	bool (*is_ready)(const void *context);
	/* Appends the pool's metrics in Prometheus' text format; NULL: those of this process are all. */
	void (*write_metrics)(const void *context, struct buffer *text);
};

/*
 * Answers a path that is one of ours, /-/metrics/, /-/health/live/ or /-/health/ready/, with or without
 * its last slash: appends the whole CGI response, of a HEAD without a body. False where the path is none
 * of them. No key is asked for: who may come is the web server's to say. Without memory
 * response->failed is set.
 */
bool vitals_answer(
    const struct vitals *vitals, struct slice path, bool head, struct buffer *response);

#endif
