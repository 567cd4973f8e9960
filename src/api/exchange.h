/* SPDX-License-Identifier: MIT */
/* Every open exchange: a request, the questions it takes, its deadline, its one reply. */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "api/failures.h"
#include "api/keyless.h"
#include "api/known.h"
#include "api/operation.h"
#include "api/rendered.h"
#include "api/responder.h"
#include "api/vitals.h"
#include "authentik/guess.h"
#include "base/buffer.h"
#include "base/handler.h"
#include "base/list.h"
#include "settings.h"
#include "http/request.h"
#include "postgres/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct exchange;

/* All exchanges of a process. Owned by the worker; fields are the exchanges' own. */
struct exchanges {
	const struct settings *settings;
	uv_loop_t *loop;
	struct lane *common, *slow;
	handler_reply *reply;
	struct router router;
	struct responder responder;
	const struct vitals *vitals; /* NULL: what this process knows */
	struct guess_table guesses;
	struct known known;
	struct buffer_pool pool;
	/* One for each connection, whose body may never end, and for each that waits for the database. */
	struct exchange *slots;
	size_t count, fresh; /* slots [fresh .. count) have never been used */
	size_t waiting;      /* for the database: max_requests at most */
	struct list unused;
	struct list asking; /* by deadline, the earliest first */
	uv_timer_t deadline;
	struct failures failures;
	struct keyless keyless;
	struct rendered rendered;
};

/*
 * Starts on two lanes that are started or will be. Settings, loop and lanes must outlive the
 * exchanges, which must stay where they are. False where there is no memory.
 */
bool exchange_start(struct exchanges *exchanges, uv_loop_t *loop, const struct settings *settings,
    struct lane *common, struct lane *slow);

/* What receives requests for them, and hands each reply to reply; valid until exchange_free. */
struct handler exchange_handler(struct exchanges *exchanges, handler_reply *reply);

/* Closes their handle; open exchanges get no reply. */
void exchange_stop(struct exchanges *exchanges);

/* Frees their storage once the loop has closed the handle and the lanes are stopped. */
void exchange_free(struct exchanges *exchanges);

#endif
