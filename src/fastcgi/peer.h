/* SPDX-License-Identifier: MIT */
/* One connection of the web server on the loop, and the request open on it. */
#ifndef FASTCGI_PEER_H
#define FASTCGI_PEER_H

#include "base/buffer.h"
#include "base/debounce.h"
#include "base/handler.h"
#include "base/list.h"
#include "settings.h"
#include "fastcgi/framing.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <uv.h>

/*
 * Each state but the last is a list that the connection is in; docs/design.md has the
 * transitions.
 */
enum peer_state {
	PEER_IDLE,      /* no request open, not a byte of one received */
	PEER_RECEIVING, /* a record or a request has begun and not ended */
	PEER_WAITING,   /* the request is with the program above, which owes a reply */
	PEER_SENDING,   /* a reply waits for its reader; nothing is received meanwhile */
	PEER_LINGERING, /* all is sent and our side is shut; what comes is thrown away */
	PEER_CLOSED     /* waits for libuv to let go of it */
};

/* What all connections share. Owned by the server, which sets the first group. */
struct peers {
	uv_loop_t *loop;
	const struct settings *settings;
	struct handler handler;
	struct framing_limits limits;
	void (*closed)(struct peers *peers); /* one fewer is open */

	bool draining;               /* close each after its reply */
	size_t connections;          /* those not yet freed */
	size_t open;                 /* those of them that are not closed */
	size_t unsent;               /* reply bytes that wait for slow readers */
	struct debounce crowded;     /* more than max_connections */
	struct debounce unread;      /* more than max_unsent */
	struct list in[PEER_CLOSED]; /* by state, in the order of their since */
	struct buffer_pool pool;
	unsigned char received[65536];
};

/*
 * Between two requests in, out and response are empty and without storage.
 * out[0 .. sent) is sent, out[sent .. length) is not; unsent of the peers counts the latter.
 */
struct peer {
	uv_poll_t poll;
	struct peers *peers;
	struct list node; /* in the list of its state */
	uint64_t
	    since; /* of the state, or of its last progress; milliseconds of the loop's clock */
	uint64_t
	    body_since; /* when the open request's parameters were complete, on the same clock */
	int descriptor, events;
	enum peer_state state;
	bool over_limit; /* one more than max_connections: its first request is told so */
	bool asked;      /* it has begun a request */
	bool closing;    /* after what is in out */
	bool lingers;    /* before it closes: the peer may still be writing */
	struct framing framing;
	void *
	    exchange; /* what handler.begin returned for the open request, until the reply or the cancel */
	struct buffer response; /* what handler.begin answered the open request instead */
	struct buffer in, out;
	size_t sent;
};

/*
 * Takes the descriptor over, close-on-exec and non-blocking. False where there is no memory; it
 * is closed then.
 */
bool peer_open(struct peers *peers, int descriptor);

/* Reads once, and acts on what came. */
void peer_receive(struct peer *peer);

/*
 * Answers the open request of a struct peer (see handler_reply), never in a call of the handler,
 * and closes the connection or makes it ready for the next request. The parts are copied as far
 * as they cannot be sent at once.
 */
void peer_reply(void *client, const struct iovec *parts, int count);

/*
 * Closes the connection, cancels what is open on it, and says why in the log. Harmless on a
 * closed one.
 */
void peer_close(struct peer *peer, const char *reason);

#endif
