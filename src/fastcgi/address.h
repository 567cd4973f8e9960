/* SPDX-License-Identifier: MIT */
/* The addresses that a setting lists: unix:/path, host:port, [host]:port, :port, port. */
#ifndef FASTCGI_ADDRESS_H
#define FASTCGI_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_SIZE = 300 };

/* Takes the first address off the list, whose addresses stand between commas or spaces; false where it has no room. */
bool address_next(const char **list, char address[ADDRESS_SIZE]);

/* The path of a unix socket's address; NULL: it is another. */
const char *address_path(const char *address);

/*
 * Judges a list before anything is looked up or opened; an empty one is good. False with a sentence in error (size
 * bytes) that names the setting, the address and its fault.
 */
bool address_judge(const char *setting, const char *list, char *error, size_t size);

/*
 * The TCP addresses of a name, for freeaddrinfo; flags are getaddrinfo's. NULL with a sentence in error (size bytes).
 */
struct addrinfo *address_look_up(const char *address, int flags, char *error, size_t size);

/*
 * Connects to an address. Returns a descriptor, close-on-exec and blocking, which the caller closes, or -1 with errno
 * and a sentence in error (size bytes).
 */
int address_connect(const char *address, char *error, size_t size);

#endif
