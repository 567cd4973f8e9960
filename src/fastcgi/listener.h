/* SPDX-License-Identifier: MIT */
/* Opens the listening socket: unix with mode and group, TCP, systemd's. */
#ifndef FASTCGI_LISTENER_H
#define FASTCGI_LISTENER_H

#include "settings.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens the socket that settings->listen names and returns its descriptor, close-on-exec and
 * non-blocking, or -1 with a sentence in error (size bytes). A left-over unix socket is replaced
 * only if nobody answers on it; the socket is bound under umask 0177, then gets its group and its
 * mode.
 */
int listener_open(const struct settings *settings, char *error, size_t size);

/*
 * Does systemd hand over a socket (sd_listen_fds(3): LISTEN_PID is this process and LISTEN_FDS at
 * least 1)?
 */
bool listener_is_inherited(void);

/*
 * The first descriptor that systemd hands over, close-on-exec and non-blocking, or -1 with a
 * sentence in error (size bytes).
 */
int listener_inherit(char *error, size_t size);

/* Is this descriptor a listening socket, as FastCGI 1.0 section 2.2 has descriptor 0? */
bool listener_is(int descriptor);

/* Removes the file of a unix socket that listener_open made; does nothing for TCP. */
void listener_remove(const struct settings *settings);

#endif
