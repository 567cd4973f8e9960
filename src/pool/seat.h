/* SPDX-License-Identifier: MIT */
/* One place in a crew: who fills it. */
#ifndef POOL_SEAT_H
#define POOL_SEAT_H

#include "pool/scoreboard.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Times are milliseconds of clock_ms. */
struct seat {
	pid_t pid; /* 0 while no process fills it */
	int64_t started;
	bool silent;                  /* it gave no sign of life, and is ended for that */
	struct scoreboard_slot *slot; /* while a process fills it */
};

/* A process fills it from now on. */
void seat_fill(struct seat *seat, pid_t pid, struct scoreboard_slot *slot);

/* Its process has ended. */
void seat_empty(struct seat *seat);

/*
 * Has its process given no sign of life for that many milliseconds, not counting what was before since? One that is
 * not ready yet has five times as long.
 */
bool seat_is_silent(const struct seat *seat, int64_t timeout, int64_t since);

#endif
