/* SPDX-License-Identifier: MIT */
/* Whom TCP lets in: the addresses of FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section 3.2). */
#ifndef FASTCGI_ALLOWED_H
#define FASTCGI_ALLOWED_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { ALLOWED_MAX = 64 };

/* None at all: everybody is let in. IPv4 addresses are held as IPv6 has them (::ffff:192.0.2.1). */
struct allowed {
	size_t count;
	struct in6_addr all[ALLOWED_MAX];
};

/*
 * Reads addresses, IPv4 or IPv6, with commas between them, and white space around them or not; NULL and empty: none.
 * False with a sentence in error (size bytes): an entry, which is named, is no address, or they are more than
 * ALLOWED_MAX. Pure.
 */
bool allowed_parse(struct allowed *allowed, const char *text, char *error, size_t size);

/* The same of the variable FCGI_WEB_SERVER_ADDRS of the environment. */
bool allowed_load(struct allowed *allowed, char *error, size_t size);

/* May a peer of this address ask? Who does not come by an address (a unix socket) may always. */
bool allowed_has(const struct allowed *allowed, const struct sockaddr_storage *peer);

/* Is it the first time that a peer of this address, IPv4 or IPv6, was sent away? Then that is to be said. */
bool allowed_is_news(const struct sockaddr_storage *peer);

/* Says in the log that a peer of this address was sent away. */
void allowed_tell(const struct sockaddr_storage *peer);

#endif
