/* SPDX-License-Identifier: MIT */
/* Settings that are judged before anything is started with them. */
#ifndef POOL_GENERATION_H
#define POOL_GENERATION_H

#include "settings.h"

#include <stdbool.h>

/* What the program was started with, which a reload reads again and an upgrade starts again. */
struct invocation {
	int argc;
	char **argv;
	char program[4096]; /* its file; empty: not known */
	int ready; /* of a program that is to take another's place, for upgrade_tell; -1: it is not */
};

/*
 * Loads the settings anew, from the same arguments, the environment as it was, and the file as it is now, for a pool
 * that runs with the running ones. NULL with a sentence in error: a fault with its place, a setting that has changed
 * and is kept until a restart, no memory. The caller frees what is returned with generation_free.
 */
struct settings *generation_load(const struct invocation *invocation,
    const struct settings *running, char error[SETTINGS_ERROR_SIZE]);

/* Frees it; harmless for NULL. */
void generation_free(struct settings *settings);

#endif
