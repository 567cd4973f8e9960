/* SPDX-License-Identifier: MIT */
/* One worker: builds a loop with both sides, runs it, drains it. */
#ifndef POOL_WORKER_H
#define POOL_WORKER_H

#include "fastcgi/listener.h"
#include "pool/scoreboard.h"
#include "settings.h"

/*
 * Serves on listening descriptors, which are the worker's from now on, until a signal: SIGTERM and SIGQUIT drain,
 * within drain_timeout, and SIGINT ends at once. A worker of a pool has a slot, which tells the supervisor that it is
 * ready and alive: it drains on any number of SIGTERM, as a signal to the whole group and the supervisor's own reach it
 * both. A worker alone, whose slot is NULL, ends at once by the second. Returns the process's exit code: 0, or 1 with
 * the reason in the log.
 */
int worker_run(const struct settings *settings, const struct listeners *listeners,
    struct scoreboard_slot *slot, const struct scoreboard *board);

#endif
