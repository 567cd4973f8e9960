/* SPDX-License-Identifier: MIT */
/* One connection of the web server: what the server, the protocol and the peer itself share. */
#ifndef FASTCGI_PEER_H
#define FASTCGI_PEER_H

#include "fastcgi/server.h"

enum peer_state {
	PEER_IDLE,      /* no request open, not a byte of one received */
	PEER_RECEIVING, /* a record or a request has begun and not ended */
	PEER_WAITING,   /* the request is with the program above, which owes a reply */
	PEER_SENDING,   /* a reply waits for its reader; nothing is received meanwhile */
	PEER_LINGERING, /* all is sent and our side is shut; what comes is thrown away */
	PEER_CLOSED     /* waits for libuv to let go of it */
};

/*
 * Between two requests in, parameters and out are empty and without storage.
 * out[0 .. sent) is sent, out[sent .. length) is not; the server's unsent counts the latter.
 */
struct peer {
	uv_poll_t poll;
	struct server *server;
	struct list node; /* in the server's list for the state */
	uint64_t since;   /* of the state, or of its last progress; milliseconds of the loop's clock */
	int descriptor, events;
	enum peer_state state;
	bool surplus;                   /* one more than the limit: its first request is told so */
	bool parsing;                   /* peer_received is at work, and settles the state when it is done */
	bool requested;                 /* between FCGI_BEGIN_REQUEST and our FCGI_END_REQUEST */
	bool keep;                      /* FCGI_KEEP_CONN of the open request */
	bool complete;                  /* its parameters have ended */
	bool ended;                     /* its STDIN has ended */
	bool last;                      /* what is in out is the last that is sent */
	bool unread;                    /* the peer may still be writing: linger after the last */
	unsigned id;                    /* of the open request */
	size_t skip;                    /* bytes still to come that nobody needs */
	enum parameters_status refused; /* why its parameters are not kept */
	void *exchange; /* what handler.begin returned for it, until the reply or the cancel */
	struct buffer in, parameters, out;
	size_t sent;
};

/* Changes the state and moves the connection to the list of the new one; the only place that does. */
void peer_set_state(struct peer *peer, enum peer_state state);

/* Closes the connection, cancels what is open on it, and says why in the log. Harmless on a closed one. */
void peer_close(struct peer *peer, const char *reason);

/* Tells the program above that nobody waits for the open request any more. */
void peer_cancel(struct peer *peer);

/* Acts on bytes that have arrived; keeps what is no whole record yet. */
void peer_received(struct peer *peer, const unsigned char *bytes, size_t length);

/* Sends what out holds, as far as the peer takes it; when all is sent, reads on or closes. */
void peer_flush(struct peer *peer);

/* Where the next record in out starts, to be handed to peer_send_from once it has been appended. */
size_t peer_start_out(struct peer *peer);

/* Sends what was appended to out since peer_start_out, or leaves it for later where something waits already.
 */
void peer_send_from(struct peer *peer, size_t start);

/* Watches the descriptor for UV_READABLE or UV_WRITABLE. */
void peer_watch(struct peer *peer, int events);

#endif
