/* SPDX-License-Identifier: MIT */
/* Asks the workers over their own socket whether they are ready, for a probe's exec. */
#ifndef POOL_READY_H
#define POOL_READY_H

#include "settings.h"

/*
 * Asks for /-/health/ready/ at the first address that settings->listen names, and waits for a second at
 * most. Returns the exit code of the process, with a line on stdout or stderr: 0 where they are ready; 1
 * where they are not, or nobody answers; 2 where listen names no address.
 */
int ready_ask(const struct settings *settings);

#endif
