/* SPDX-License-Identifier: MIT */
/* Starts the workers, replaces one that dies with growing delay, drains them. */
#ifndef POOL_SUPERVISOR_H
#define POOL_SUPERVISOR_H

#include "settings.h"

/*
 * Keeps settings->workers workers on a listening descriptor, which stays the caller's, until a
 * signal: SIGTERM and SIGQUIT drain, a second one or SIGINT ends at once. Returns the exit code
 * of the process: 0, or 1 with the reason in the log. In a worker's process it does not return.
 */
int supervisor_run(const struct settings *settings, int descriptor);

#endif
