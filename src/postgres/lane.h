/* SPDX-License-Identifier: MIT */
/* A queue before one connection: gathers questions into batches, answers each once. */
#ifndef POSTGRES_LANE_H
#define POSTGRES_LANE_H

#include "postgres/batch.h"
#include "postgres/connection.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { LANE_IN_FLIGHT_MAX = 2 };

/* Owned by the worker; fields are the lane's own. */
struct lane {
	struct connection connection;
	const struct settings *settings;
	uv_loop_t *loop;
	uv_prepare_t turn;
	uv_timer_t tick, facts;
	struct list queue, shed;
	unsigned queued, most; /* questions in queue; from how many on no more are taken */
	struct batch batches[LANE_IN_FLIGHT_MAX];
	struct batch *in_flight[LANE_IN_FLIGHT_MAX]; /* oldest first */
	unsigned in_flight_count;
	struct question facts_question; /* asked by the lane itself, now and then */
	uint64_t epoch;                 /* sessions and readings of the facts so far */
	const char *stale;              /* why the session is to be opened anew, or NULL */
	uint64_t rests_until;           /* milliseconds of the loop's clock */
	struct lane *leader, *follower;
	uv_timer_t idle;
	uint64_t most_idle; /* milliseconds */
	uint64_t used;      /* when somebody last asked; milliseconds of the loop's clock */
};

/*
 * Starts a lane of the kind that queues at most most questions. One with a leader (or NULL) opens its
 * session when somebody asks and that of the leader serves, and closes it again after most_idle
 * milliseconds without a question; most_idle is of no matter without a leader. Settings, loop and leader must outlive it.
 */
void lane_start(struct lane *lane, uv_loop_t *loop, const struct settings *settings,
    const struct session_kind *kind, unsigned most, struct lane *leader, uint64_t most_idle);

/*
 * Asks a question, which stays the asker's and must stay in place until it is answered; its
 * answered is called exactly once, always after this has returned. It goes out at the end of this
 * turn of the loop, with all others that wait.
 */
void lane_ask(struct lane *lane, struct question *question);

/*
 * Microseconds that a question has waited in queues, since its asker has set waited_us to 0, up to now, microseconds of
 * clock_us.
 */
uint64_t lane_waited(const struct question *question, uint64_t now_us);

/*
 * Nobody needs the answer any more. True where the question was still waiting and will not be
 * answered; false where it is out, and answered will still be called.
 */
bool lane_withdraw(struct lane *lane, struct question *question);

/*
 * Takes the answers that have come but have not been read yet: for who is about to judge that one is late, as after a stop
 * of the whole process. Calls answered.
 */
void lane_read(struct lane *lane);

/*
 * What the last session of the lane knew of the database; all zero before the first one. Valid
 * until the next turn of the loop.
 */
const void *lane_facts(const struct lane *lane);

/*
 * A number that no other session of the lane has, and that changes with each reading of the facts; 0 where the session is lent
 * by a pooler, so that nothing is known of who answers next.
 */
uint64_t lane_epoch(const struct lane *lane);

/* The server's process that its session leads to, by what the connection was told; 0: there is none. */
int lane_backend(const struct lane *lane);

/* Milliseconds of the loop's clock. */
uint64_t lane_now(const struct lane *lane);

/* Stops the lane and closes its connection; questions still open are not answered. */
void lane_stop(struct lane *lane);

/* Frees its storage once the loop has closed its handles. */
void lane_free(struct lane *lane);

#endif
