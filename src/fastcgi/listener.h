/* SPDX-License-Identifier: MIT */
/* Opens the listening sockets: unix with mode and group, TCP, systemd's. */
#ifndef FASTCGI_LISTENER_H
#define FASTCGI_LISTENER_H

#include "fastcgi/socket_file.h"
#include "settings.h"

#include <stdbool.h>
#include <stddef.h>

enum { LISTENERS_MAX = 16 };

/* One socket; the file is empty for TCP and for a socket that somebody else made. */
struct listener {
	int descriptor;
	struct socket_file file;
};

/* All sockets that a pool listens on. A process that was forked has its own copy of the descriptors. */
struct listeners {
	size_t count;
	size_t
	    fastcgi; /* how many of them, from the first on; the others are those of metrics_listen */
	bool ours;   /* made by this program, not by systemd or who started us */
	struct listener all[LISTENERS_MAX];
};

/*
 * Opens every socket that settings->listen names, and behind them those of settings->metrics_listen, close-on-exec and non-blocking. Its addresses stand between commas or
 * spaces, and are unix:/path, host:port, [host]:port, :port or port, the last two for every address that the machine has;
 * a name is listened on at each of its addresses. False with a sentence in error (size bytes), and none open. A left-over
 * unix socket is replaced only if nobody answers on it; the socket is bound under umask 0177, then gets its group and its
 * mode.
 */
bool listener_open(
    struct listeners *listeners, const struct settings *settings, char *error, size_t size);

/*
 * Says whether an address of the list could be listened on, and listens on nothing: as socket_file_try, which it is for
 * the path of a unix socket.
 */
enum socket_file_trial listener_try(
    const char *address, const struct settings *settings, char *error, size_t size);

/*
 * The same sockets once more, in descriptors of their own, but that a unix socket whose file is gone is opened anew at its
 * path. False with a sentence in error (size bytes), and none open.
 */
bool listener_renew(struct listeners *next, const struct listeners *now,
    const struct settings *settings, char *error, size_t size);

/* Does systemd hand over sockets (sd_listen_fds(3): LISTEN_PID is this process and LISTEN_FDS at least 1)? */
bool listener_is_inherited(void);

/*
 * The descriptors that systemd hands over, made close-on-exec and non-blocking. False with a sentence in error (size
 * bytes) where one is no listening socket, or they are more than LISTENERS_MAX.
 */
bool listener_inherit(
    struct listeners *listeners, const struct settings *settings, char *error, size_t size);

/* Is this descriptor a listening socket, as FastCGI 1.0 section 2.2 has descriptor 0? */
bool listener_is(int descriptor);

/* A list of this one descriptor, which somebody else opened. */
struct listeners listener_alone(int descriptor);

/* The first that is not ours any more of the files; SOCKET_FILE_OURS where all are. */
enum socket_file_state listener_look(const struct listeners *listeners);

/*
 * Nobody shall come any more: removes the files that are still ours, and closes the descriptors. A unix socket of
 * ours refuses from now on also in the processes that share it, which still accept what waits in it.
 */
void listener_end(struct listeners *listeners);

/* The same for those that kept has not as well; of the others only the descriptors are closed. */
void listener_end_but(struct listeners *listeners, const struct listeners *kept);

/* Closes this process's descriptors, and leaves files and sockets as they are. */
void listener_close(struct listeners *listeners);

#endif
