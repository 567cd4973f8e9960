/* SPDX-License-Identifier: MIT */
/* The listening socket and its connections: accepts, expires, drains, stops. */
#ifndef FASTCGI_SERVER_H
#define FASTCGI_SERVER_H

#include "fastcgi/allowed.h"
#include "fastcgi/listener.h"
#include "fastcgi/peer.h"

struct server;

/* One listening socket on the loop; descriptor is -1 once it is closed. */
struct server_gate {
	uv_poll_t poll;
	struct server *server;
	int descriptor;
};

/* Owned by the worker; fields are the server's own. */
struct server {
	struct peers peers;
	struct server_gate gates[LISTENERS_MAX];
	size_t count; /* of gates */
	struct allowed allowed;
	uv_timer_t sweep;
	bool accepting;
	int first_kept; /* of the descriptors that are kept back for sessions with the database */
	int highest;    /* descriptor that it has seen */
	bool tight;     /* the next connection would take one of those */
	struct debounce resting; /* no descriptor or no memory for a connection */
	struct debounce foreign; /* sent away */
};

/*
 * Starts serving on the listening descriptors, which are the server's from now on. The settings and the loop must
 * outlive the server. Whom TCP lets in is read from the environment (fastcgi/allowed.h). Returns 0 or libuv's error,
 * UV_EINVAL where that is no list of addresses.
 */
int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings,
    const struct listeners *listeners, const struct handler *handler);

/*
 * How many descriptors this process has open, up to the highest that a connection ever had and 63 at least; 0 where
 * that cannot be told. In a sandbox nothing lists them, but poll(2) says which are none.
 */
size_t server_count_descriptors(struct server *server);

/* How many connections are open. */
size_t server_open(const struct server *server);

/*
 * Takes what waits to be accepted, closes the listening descriptors, then the idle connections, and each other one after
 * its reply. A connection that has never asked has half a second to begin.
 */
void server_drain(struct server *server);

/* Closes the listening descriptors and every connection at once; what it holds is freed as the loop runs on. */
void server_stop(struct server *server);

/* Frees the server's storage once the loop has closed its handles. */
void server_free(struct server *server);

#endif
