/* SPDX-License-Identifier: MIT */
/* Lets another program take the pool's place, with its listening sockets. */
#ifndef POOL_UPGRADE_H
#define POOL_UPGRADE_H

#include "fastcgi/listener.h"
#include "pool/generation.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How the one that is to take over gets on. */
enum upgrade_state {
	UPGRADE_NONE,    /* none was started */
	UPGRADE_STARTED, /* it has neither served nor ended */
	UPGRADE_SERVES,  /* all its workers accept: this one is to drain */
	UPGRADE_FAILED /* it has ended, or was ended: all is as it was; UPGRADE_NONE at the next look */
};

/* Fields are the upgrade's own; all zero before. */
struct upgrade {
	enum upgrade_state state;
	pid_t pid;
	int ready;       /* it writes here once it serves */
	int64_t kill_at; /* milliseconds of clock_ms */
	bool told;       /* it was told to end */
};

/*
 * Where a later exec finds what argv[0] names now, into program (size bytes): the path as it was called, so that a file
 * or a symbolic link put in its place counts; empty where that is not known.
 */
void upgrade_find_program(const char *name, char *program, size_t size);

/*
 * Starts the program anew with the invocation's arguments and the descriptors of the listeners. The log says what goes
 * wrong. Not while one is started.
 */
void upgrade_begin(struct upgrade *upgrade, const struct invocation *invocation,
    const struct listeners *listeners, const struct settings *settings);

/* The state now. One that does not serve within ten seconds is ended. */
enum upgrade_state upgrade_look(struct upgrade *upgrade);

/* True where the process that ended with that status (of waitpid) is the one started; says how it ended. */
bool upgrade_reap(struct upgrade *upgrade, pid_t pid, int status);

/* Ends the one started, as this program is to end itself; harmless where none is. */
void upgrade_cancel(struct upgrade *upgrade);

/* Is this process one that was started by upgrade_begin? */
bool upgrade_is_inherited(void);

/*
 * Takes the sockets over that upgrade_begin hands on, and in *ready the descriptor for upgrade_tell. False with a
 * sentence in error (size bytes): what the settings say of the socket has changed, or a descriptor is no socket.
 */
bool upgrade_inherit(struct listeners *listeners, int *ready, const struct settings *settings,
    char *error, size_t size);

/* Says that this process serves, and closes *ready; harmless where that is -1. */
void upgrade_tell(int *ready);

#endif
