/* SPDX-License-Identifier: MIT */
/* What the processes of a pool tell each other, in memory that they share. */
#ifndef POOL_SCOREBOARD_H
#define POOL_SCOREBOARD_H

#include "base/buffer.h"
#include "base/metric.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCOREBOARD_SLOTS = 256 };

/*
 * One worker's, which alone writes it, but for the supervisor before the worker is there. Each field stands for
 * itself: nothing follows from the order in which two of them change. A slot of its own cache line each.
 */
struct scoreboard_slot {
	_Alignas(64) atomic_bool taken; /* the supervisor's own: a worker has it, or is to get it */
	atomic_bool ready;              /* it accepts connections */
	atomic_bool draining;
	_Atomic int64_t heartbeat; /* when its loop last turned; milliseconds of clock_ms */

	/* What all workers that had the slot have counted: one that ends takes nothing back. */
	struct metric_counts counts;
};

/* The supervisor's part, and the slots. */
struct scoreboard {
	_Atomic uint32_t generation; /* counts the crews that have served; the first is 1 */
	_Atomic int64_t loaded;      /* when the settings were: seconds since 1970 */
	atomic_bool reload_failed;   /* the last reload did, and the pool goes on as it was */
	struct metric_counts counts; /* what the supervisor has counted */
	struct scoreboard_slot slots[SCOREBOARD_SLOTS];
};

/* The memory, all zero, shared with every process forked from now on; NULL where there is none. */
struct scoreboard *scoreboard_open(void);

/* Gives it back. */
void scoreboard_close(struct scoreboard *board);

/* A free slot for a worker that is about to be started, with its heartbeat now; NULL where all are taken. */
struct scoreboard_slot *scoreboard_take(struct scoreboard *board);

/* The worker has ended, and what it had open is closed; harmless for NULL. */
void scoreboard_leave(struct scoreboard_slot *slot);

/* Has any worker of the pool a session with the database for requests? */
bool scoreboard_has_session(const struct scoreboard *board);

/* Appends the metrics of the pool in Prometheus' text format. */
void scoreboard_write_metrics(const struct scoreboard *board, struct buffer *text);

/* The loop has turned at that time. */
static inline void scoreboard_beat(struct scoreboard_slot *slot, int64_t now)
{
	atomic_store_explicit(&slot->heartbeat, now, memory_order_relaxed);
}

#endif
