/* SPDX-License-Identifier: MIT */
/* What a process may still do once it has started: no privileges, no core, few system calls. */
#ifndef POOL_SANDBOX_H
#define POOL_SANDBOX_H

#include "settings.h"

#include <stdbool.h>

/* The lists of sandbox.def. */
enum sandbox_list {
	SANDBOX_LOOP,       /* of the thread that serves: nothing can be opened any more */
	SANDBOX_CONNECTING, /* of those that connect to PostgreSQL: names, files to read, sockets */
	SANDBOX_LISTS
};

/* Is there one? Not with sandbox = off, nor in a build with sanitizers. */
bool sandbox_is_on(const struct settings *settings);

/*
 * For the whole process and what it forks: no exec gains privileges (PR_SET_NO_NEW_PRIVS), and
 * its memory, which holds keys, goes into no core and is no other process's of the same user to
 * read (PR_SET_DUMPABLE). Where there is no sandbox it only says so in the
 * log. False with the reason in the log.
 */
bool sandbox_harden(const struct settings *settings);

/*
 * From here on the calling thread, and each that it starts, can make only the system calls of the
 * list: what else is called ends the process with SIGSYS. Does nothing where there is no
 * sandbox. False with the reason in the log: no memory, or a kernel without seccomp. After
 * sandbox_harden.
 */
bool sandbox_enter(const struct settings *settings, enum sandbox_list list);

#endif
