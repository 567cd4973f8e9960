/* SPDX-License-Identifier: MIT */
/* Keeps a pool: waits for signals, and says what each means. */
#ifndef POOL_SUPERVISOR_H
#define POOL_SUPERVISOR_H

#include "fastcgi/listener.h"
#include "pool/generation.h"
#include "settings.h"

/*
 * Blocks the signals that the supervisor acts on, so that one that comes early waits for supervisor_run instead of
 * ending the process.
 */
void supervisor_hold_signals(void);

/*
 * Keeps settings->workers workers on the listeners until a signal: SIGTERM and SIGQUIT drain, a second one or SIGINT
 * ends at once, SIGHUP loads the settings anew, which then stand in *settings, SIGUSR2 lets the program's file as it is
 * now take over. The caller frees the settings; the
 * listeners are closed and their files removed. Returns the exit code of the process: 0, or 1 with the reason in the
 * log. In a worker's process it does not return.
 */
int supervisor_run(
    struct settings *settings, struct listeners *listeners, const struct invocation *invocation);

#endif
