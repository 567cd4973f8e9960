/* SPDX-License-Identifier: MIT */
/* When workers that ended are replaced: at once, but for those that die young. */
#ifndef POOL_RESPAWN_H
#define POOL_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

enum { RESPAWN_FIRST_MS = 100, RESPAWN_MOST_MS = 10000, RESPAWN_STEADY_MS = 2000 };

/*
 * Of one crew, all zero at first; times are milliseconds of clock_ms. Workers that crash at each start cost a crew as
 * many starts as one worker would, and one start for each seat more.
 */
struct respawn {
	int64_t delay;   /* from the next early end to the start after it; 0: at once */
	int64_t due;     /* nobody is started before */
	int64_t stepped; /* when the delay last grew */
};

/*
 * A worker that was started then has ended, or, with now for started, could not be started. Where it has lived for
 * RESPAWN_STEADY_MS the next one is due at once. Else it is due after the delay, which is 0 at first and then doubles
 * from RESPAWN_FIRST_MS to RESPAWN_MOST_MS, once for all workers of one start.
 */
void respawn_ended(struct respawn *respawn, int64_t started, int64_t now);

/*
 * Is a worker that was started then on probation? While one is, no other is started: the others follow it once it accepts
 * connections (ready) and has lived for as long as the delay, and after RESPAWN_STEADY_MS in any case.
 */
bool respawn_is_on_probation(
    const struct respawn *respawn, int64_t started, bool ready, int64_t now);

#endif
