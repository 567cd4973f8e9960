/* SPDX-License-Identifier: MIT */
/* The file of a unix socket: made, looked after and removed as long as it is ours. */
#ifndef FASTCGI_SOCKET_FILE_H
#define FASTCGI_SOCKET_FILE_H

#include "settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>

/*
 * The file is ours only while the path leads to this device and inode. As long as the socket is open its inode is
 * not given to another file.
 */
struct socket_file {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* empty: there is none */
	dev_t device;
	ino_t inode;
};

/* What the path leads to. */
enum socket_file_state {
	SOCKET_FILE_OURS,
	SOCKET_FILE_GONE,
	SOCKET_FILE_ANOTHERS /* or it cannot be looked at */
};

/*
 * Makes a listening unix socket at path, with the mode, group and backlog of the settings, and fills *file. Returns
 * its descriptor, close-on-exec and non-blocking, or -1 with a sentence in error (size bytes); *file is empty then. A
 * socket that was left over is replaced only if nobody answers on it. The directory is locked meanwhile, so no second
 * start of this program comes between the look and the bind.
 */
int socket_file_open(struct socket_file *file, const char *path, const struct settings *settings,
    char *error, size_t size);

/* What would come of socket_file_open. */
enum socket_file_trial { SOCKET_FILE_FREE, SOCKET_FILE_TAKEN, SOCKET_FILE_IMPOSSIBLE };

/*
 * Says whether a socket could be made at path, and makes nothing: SOCKET_FILE_TAKEN where somebody answers there, a
 * sentence in error (size bytes) where it is impossible.
 */
enum socket_file_trial socket_file_try(
    const char *path, const struct settings *settings, char *error, size_t size);

/* Looks where the path leads; an empty file counts as ours. */
enum socket_file_state socket_file_look(const struct socket_file *file);

/* Removes the file if it is ours, under the same lock, and empties *file. */
void socket_file_remove(struct socket_file *file);

#endif
