/* SPDX-License-Identifier: MIT */
/* Tells systemd how the service is (sd_notify(3)). */
#ifndef POOL_NOTIFY_H
#define POOL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Sends assignments, one a line ("READY=1\nSTATUS=serving"), to the socket that NOTIFY_SOCKET names.
 * True where it was sent; false where nobody wants to know, and with a line in the log, once, where
 * the message could not be sent.
 */
bool notify_tell(const char *state);

/* What is meant for this process's parent, which is its copy, is meant for it from now on: it is to be the main process. */
void notify_inherit(void);

/*
 * How often "WATCHDOG=1" is to be told: half of WATCHDOG_USEC, in milliseconds, where that is meant for
 * this process (sd_watchdog_enabled(3)); 0: not at all.
 */
int64_t notify_interval(void);

#endif
