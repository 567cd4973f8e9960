/* SPDX-License-Identifier: MIT */
/* Asks a FastCGI server for one page. */
#ifndef FASTCGI_CLIENT_H
#define FASTCGI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Asks for a path over a connection that is open and stays the caller's, and waits at most limit
 * milliseconds. True with whether the answer's status is 200 in *good; false with errno set where no
 * answer came.
 */
bool client_ask(int descriptor, const char *path, int64_t limit, bool *good);

#endif
