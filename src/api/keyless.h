/* SPDX-License-Identifier: MIT */
/* Says once that no request has had an Authorization header: a web server may keep it. */
#ifndef API_KEYLESS_H
#define API_KEYLESS_H

#include "http/request.h"

#include <stdbool.h>

/*
 * So many requests of a worker without the header, and not one with it, are no chance: Apache and HAProxy hand it
 * on only where they are told to, and each request is 403 then.
 */
enum { KEYLESS_MANY = 10 };

/* Of one process; all zero at first. */
struct keyless {
	bool settled; /* there was one with the header, or it has been said */
	unsigned without;
};

/* A request was read; counts where a route has taken it. Logs at most one line in a process's life. */
void keyless_note(struct keyless *keyless, const struct request *request);

#endif
