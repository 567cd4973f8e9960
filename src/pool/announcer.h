/* SPDX-License-Identifier: MIT */
/* Keeps systemd informed of a pool: ready, reloading, stopping, alive. */
#ifndef POOL_ANNOUNCER_H
#define POOL_ANNOUNCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* docs/design.md has the transitions. */
enum announcer_state {
	ANNOUNCER_STARTING, /* nothing was said */
	ANNOUNCER_READY,
	ANNOUNCER_RELOADING,
	ANNOUNCER_STOPPING
};

/* All zero before; fields are the announcer's own. */
struct announcer {
	enum announcer_state state;
	uint32_t generation; /* that was told last */
	bool gone;           /* another process speaks for the service */
	int64_t alive_due;   /* milliseconds of clock_ms; 0: not at all */
};

/* How a pool is; what has been said is not said again. Says that the process lives where that is due. */
void announcer_tell(
    struct announcer *announcer, enum announcer_state state, uint32_t generation, size_t workers);

/* The main process of the service is another from now on, and serves. */
void announcer_hand_over(struct announcer *announcer, pid_t pid);

#endif
