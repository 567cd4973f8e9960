/* SPDX-License-Identifier: MIT */
/* Retrieves event matcher policies: who asks, what they may see, the row; owns every open exchange and its
 * deadline. */
#ifndef API_POLICY_H
#define API_POLICY_H

#include "api/response.h"
#include "authentik/guess.h"
#include "base/buffer.h"
#include "base/list.h"
#include "settings.h"
#include "fastcgi/record.h"
#include "postgres/lane.h"

#include <stddef.h>
#include <sys/uio.h>
#include <uv.h>

struct exchange;

/* Gives the client that asked its response; the parts are valid in the call only. */
typedef void policy_reply(void *client, const struct iovec *parts, int count);

/* Owned by the worker; fields are the service's own. */
struct policy_service {
	const struct settings *settings;
	uv_loop_t *loop;
	struct lane *common, *slow;
	policy_reply *reply;
	struct response_writer writer;
	struct guess_table guesses;
	struct buffer_pool pool;
	struct exchange *exchanges; /* max_requests slots */
	size_t fresh;               /* slots [fresh ..) have never been used */
	struct list unused, asking; /* asking: by deadline, the earliest first */
	uv_timer_t deadline;
	struct buffer overloaded; /* the whole response for a request that finds no slot */
};

/*
 * Starts the service on two lanes that are started or will be. Settings, loop and lanes must outlive it.
 * False where there is no memory.
 */
bool policy_start(struct policy_service *service, uv_loop_t *loop, const struct settings *settings,
	struct lane *common, struct lane *slow, policy_reply *reply);

/*
 * Takes a request with these parameters, for a client that is handed to reply later. Returns its exchange, or
 * NULL where max_requests are open: service->overloaded is the response then. The parameters are not needed
 * after the call.
 */
struct exchange *policy_begin(struct policy_service *service, void *client, enum parameters_status status,
	const struct parameter *parameters, size_t count);

/* The request has come to its end: leads to exactly one reply, perhaps before this returns. */
void policy_end(struct exchange *exchange);

/* Nobody waits for the reply any more: there will be none. The exchange is not valid after the call. */
void policy_cancel(struct exchange *exchange);

/* Closes its handle; open exchanges get no reply. */
void policy_stop(struct policy_service *service);

/* Frees its storage once the loop has closed the handle and the lanes are stopped. */
void policy_free(struct policy_service *service);

#endif
