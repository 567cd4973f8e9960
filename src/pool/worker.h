/* SPDX-License-Identifier: MIT */
/* One worker: builds a loop with both sides, runs it, drains it. */
#ifndef POOL_WORKER_H
#define POOL_WORKER_H

#include "settings.h"

/*
 * Serves on a listening descriptor, which stays the caller's, until a signal: SIGTERM and SIGQUIT
 * drain, within drain_timeout, and a second one, or SIGINT, ends at once. Returns the process's
 * exit code: 0, or 1 with the reason in the log.
 */
int worker_run(const struct settings *settings, int descriptor);

#endif
