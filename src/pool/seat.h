/* SPDX-License-Identifier: MIT */
/* One place in a crew: who fills it, and when the next one is due. */
#ifndef POOL_SEAT_H
#define POOL_SEAT_H

#include "pool/scoreboard.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SEAT_DELAY_FIRST_MS = 100, SEAT_DELAY_MOST_MS = 10000 };

/* Times are milliseconds of clock_ms. */
struct seat {
	pid_t pid; /* 0 while no process fills it */
	int64_t started, due;
	struct scoreboard_slot *slot; /* while a process fills it */
};

/* A process fills it from now on. */
void seat_fill(struct seat *seat, pid_t pid, struct scoreboard_slot *slot);

/*
 * Its process has ended, or none could be started. The next one is due at once where this one has served for two
 * seconds, else after the delay, which all seats of a crew share, so that many cost no more than one: it is 0 at first, and
 * then doubles from SEAT_DELAY_FIRST_MS to SEAT_DELAY_MOST_MS.
 */
void seat_empty(struct seat *seat, int64_t *delay);

/*
 * Has its process given no sign of life for that many milliseconds, not counting what was before since? One that is
 * not ready yet has five times as long.
 */
bool seat_is_silent(const struct seat *seat, int64_t timeout, int64_t since);

#endif
