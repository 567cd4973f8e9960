/* SPDX-License-Identifier: MIT */
/* Checks settings and database, and says on one screen what an operator wants to know. */
#ifndef POOL_CHECK_H
#define POOL_CHECK_H

#include "settings.h"

#include <stdbool.h>

/*
 * Opens each kind of session that a worker has, and prints what was found: a line each, or, json, one
 * object. Returns the exit code of the process: 0, or 1 with what is missing on stderr, or as the
 * object's "fault".
 */
int check_run(const struct settings *settings, bool json);

#endif
