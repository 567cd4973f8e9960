/* SPDX-License-Identifier: MIT */
/* The listening socket, its connections, and the request open on each: FastCGI without a blocking call. */
#ifndef FASTCGI_SERVER_H
#define FASTCGI_SERVER_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/settings.h"
#include "fastcgi/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <uv.h>

struct server;
struct peer;

/*
 * What the server asks of the program above. For each request begin is called once, when its parameters are
 * complete; the parameters are valid in that call only. Then either end is called, once, when its STDIN has
 * ended, and must sooner or later lead to one server_reply; or cancel is called, at any time before
 * server_reply: the client has gone or has aborted, and the connection handed to begin is not valid any more.
 */
struct server_handler {
	/* Takes a request and returns its exchange, or NULL where there is no room for it: overloaded is the
	 * reply. */
	void *(*begin)(void *context, struct peer *peer, enum parameters_status status,
		const struct parameter *parameters, size_t count);
	void (*end)(void *exchange);
	void (*cancel)(void *exchange);
	void *context;
	struct iovec overloaded; /* a whole CGI response */
};

/* Owned by the worker; fields are the server's own. */
struct server {
	uv_loop_t *loop;
	const struct settings *settings;
	struct server_handler handler;
	uv_poll_t listener;
	uv_timer_t sweep;
	int descriptor;
	bool accepting, draining;
	size_t connections; /* those not yet freed */
	size_t open;        /* those of them that are not closed */
	size_t unsent;      /* reply bytes that wait for slow readers */
	struct list idle, receiving, waiting, sending, lingering;
	struct buffer_pool pool;
	unsigned char received[65536];
};

/*
 * Starts serving on a listening descriptor, which stays the caller's. The settings and the loop must outlive
 * the server. Returns 0 or libuv's error.
 */
int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings, int descriptor,
	const struct server_handler *handler);

/*
 * Answers the request that is open on connection with the bytes of the parts, a CGI response, in order, and
 * closes the connection or makes it ready for the next request. The parts are copied as far as they cannot be
 * sent at once.
 */
void server_reply(struct peer *peer, const struct iovec *parts, int count);

/* Stops accepting, closes idle connections, and closes each other one after its reply. */
void server_drain(struct server *server);

/* Closes the listener and every connection at once; what it holds is freed as the loop runs on. */
void server_stop(struct server *server);

/* Frees the server's storage once the loop has closed its handles. */
void server_free(struct server *server);

#endif
