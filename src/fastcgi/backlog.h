/* SPDX-License-Identifier: MIT */
/* How many connections wait in a listening socket's queue, and how many may. */
#ifndef FASTCGI_BACKLOG_H
#define FASTCGI_BACKLOG_H

#include <stdbool.h>

struct backlog {
	unsigned waiting, limit;
};

/*
 * Asks the kernel: of TCP by TCP_INFO, of a unix socket by sock_diag(7). False where it does not say, as in a sandbox
 * that has no netlink, or for a descriptor that does not listen.
 */
bool backlog_look(int descriptor, struct backlog *backlog);

#endif
