/* SPDX-License-Identifier: MIT */
/* What whoever receives requests asks of whoever answers them. */
#ifndef BASE_HANDLER_H
#define BASE_HANDLER_H

#include "base/buffer.h"
#include "base/parameter.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/*
 * For each request begin is called once, when its parameters are complete; they are valid in that
 * call only. It either answers the request, or opens an exchange for it. Of an exchange either
 * end is called, once, when the request's body has ended, and answers at once, or leads to one
 * reply, always after end has returned; or cancel is called, at any time before the reply: nobody
 * waits for it any more. The exchange is not valid after its answer, reply or cancel, nor the
 * client after its reply.
 */
struct handler {
	void *context; /* handed to begin */
	/*
	 * Returns the exchange of the client's request, or NULL with the whole CGI response in
	 * response, an empty buffer: it is due when the body has ended.
	 */
	void *(*begin)(void *context, void *client, enum parameters_status status,
	    const struct parameter *parameters, size_t count, struct buffer *response);
	/* False with the whole CGI response in response, an empty buffer, where there is no room. */
	bool (*end)(void *exchange, struct buffer *response);
	void (*cancel)(void *exchange);
	/* What an open exchange's request is called in the log; empty: it has no id. */
	const char *(*id)(const void *exchange);
	struct iovec
	    overloaded; /* a whole CGI response (RFC 3875, section 6), for who finds no room */
};

/*
 * Gives a client its whole CGI response, the bytes of the parts in order; they are valid in the
 * call only.
 */
typedef void handler_reply(void *client, const struct iovec *parts, int count);

#endif
