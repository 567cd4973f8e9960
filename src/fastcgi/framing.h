/* SPDX-License-Identifier: MIT */
/* Bytes into what happens to a connection's one request (FastCGI 1.0); pure. */
#ifndef FASTCGI_FRAMING_H
#define FASTCGI_FRAMING_H

#include "base/buffer.h"
#include "fastcgi/record.h"

/* How far the connection's request has come. */
enum framing_phase {
	FRAMING_NONE,       /* none is open */
	FRAMING_PARAMETERS, /* its parameters are not complete */
	FRAMING_BODY,       /* they are; its STDIN has not ended */
	FRAMING_DUE         /* it has: a reply is due */
};

/* What the next bytes mean. */
enum framing_event {
	FRAMING_MORE,     /* they are no whole record yet */
	FRAMING_NOTHING,  /* nothing: a part of what nobody needs */
	FRAMING_PROGRESS, /* a part of the request's body */
	FRAMING_BEGUN,    /* a request has begun */
	FRAMING_COMPLETE, /* its parameters are complete: framing_parse reads them */
	FRAMING_ENDED,    /* its STDIN has ended */
	FRAMING_ABORTED,  /* the peer has aborted it; framing_close is due */
	FRAMING_ANSWERED, /* the answer to a record stands in out, and the connection goes on */
	FRAMING_LAST,     /* the same, but nothing is to follow it */
	FRAMING_BROKEN    /* the peer breaks the protocol, or there is no memory: fault says how */
};

/* What FCGI_GET_VALUES is answered. */
struct framing_limits {
	uint64_t connections, requests;
};

/*
 * Owned by the connection, which sets limits and pool; all else zero is a connection without a
 * request. skip bytes are still to come that nobody needs. parameters is empty but in
 * FRAMING_PARAMETERS.
 */
struct framing {
	const struct framing_limits *limits;
	struct buffer_pool *pool;
	enum framing_phase phase;
	unsigned id; /* of the open request */
	bool keep;   /* its FCGI_KEEP_CONN */
	size_t skip;
	enum parameters_status parameters_status; /* why its parameters are not kept */
	struct buffer parameters;
	const char *fault;
};

/*
 * Acts on the first record in bytes, or on the rest of one that is skipped. Returns what that
 * means, and in *taken how many bytes are done with: 0 where more must come, or nothing may. What
 * the protocol itself answers is appended to out.
 */
enum framing_event framing_take(struct framing *framing, const unsigned char *bytes, size_t length,
    size_t *taken, struct buffer *out);

/*
 * Reads the parameters that are complete into at most PARAMETERS_MAX pairs, which point into
 * framing until framing_forget.
 */
enum parameters_status framing_parse(
    const struct framing *framing, struct parameter *pairs, size_t *count);

/* Hands the parameters' storage back. */
void framing_forget(struct framing *framing);

/* The open request is over, answered or aborted. */
void framing_close(struct framing *framing);

#endif
