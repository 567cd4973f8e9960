/* SPDX-License-Identifier: MIT */
/* What the supervisor sees of its pool from outside, for the metrics: queues, memory. */
#ifndef POOL_OBSERVER_H
#define POOL_OBSERVER_H

#include "pool/succession.h"

/* The supervisor's; all zero has not looked yet. */
struct observer {
	int64_t looked; /* milliseconds of clock_ms */
};

/*
 * Looks, once a second at most, and counts what it sees: the listening socket whose queue is the fullest, the memory of
 * the workers and of this process. What the kernel does not tell is not counted.
 */
void observer_look(struct observer *observer, const struct succession *pool);

#endif
