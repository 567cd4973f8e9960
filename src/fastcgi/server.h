/* SPDX-License-Identifier: MIT */
/* The listening socket and its connections: accepts, expires, drains, stops. */
#ifndef FASTCGI_SERVER_H
#define FASTCGI_SERVER_H

#include "fastcgi/peer.h"

/* Owned by the worker; fields are the server's own. */
struct server {
	struct peers peers;
	uv_poll_t listener;
	uv_timer_t sweep;
	int descriptor;
	bool accepting;
};

/*
 * Starts serving on a listening descriptor, which stays the caller's. The settings and the loop
 * must outlive the server. Returns 0 or libuv's error.
 */
int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings,
    int descriptor, const struct handler *handler);

/* How many connections are open. */
size_t server_open(const struct server *server);

/* Stops accepting, closes idle connections, and closes each other one after its reply. */
void server_drain(struct server *server);

/* Closes the listener and every connection at once; what it holds is freed as the loop runs on. */
void server_stop(struct server *server);

/* Frees the server's storage once the loop has closed its handles. */
void server_free(struct server *server);

#endif
