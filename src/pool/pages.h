/* SPDX-License-Identifier: MIT */
/* Serves metrics and health over HTTP, on the sockets of metrics_listen. */
#ifndef POOL_PAGES_H
#define POOL_PAGES_H

#include "api/vitals.h"
#include "base/list.h"
#include "fastcgi/listener.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct pages;

/* One of the sockets on the loop. */
struct pages_gate {
	uv_poll_t poll;
	struct pages *pages;
	int descriptor;
};

/* Owned by the worker; fields are its own. */
struct pages {
	uv_loop_t *loop;
	const struct vitals *vitals;
	struct pages_gate gates[LISTENERS_MAX];
	size_t count; /* of gates */
	bool accepting;
	struct list clients; /* the oldest first */
	size_t open;
	uv_timer_t sweep;
};

/*
 * Starts to serve on the descriptors behind those of FastCGI, which are the worker's from now on. Each connection gets
 * one answer. All but zeros must outlive the loop. Returns 0 or libuv's error.
 */
int pages_start(struct pages *pages, uv_loop_t *loop, const struct listeners *listeners,
    const struct vitals *vitals);

/* Takes no connection any more, and closes the descriptors; those that are open are answered. */
void pages_drain(struct pages *pages);

/* The same, and closes every connection. */
void pages_stop(struct pages *pages);

#endif
