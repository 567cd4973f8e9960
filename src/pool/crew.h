/* SPDX-License-Identifier: MIT */
/* The workers of one generation: started, replaced, watched, drained together. */
#ifndef POOL_CREW_H
#define POOL_CREW_H

#include "base/list.h"
#include "fastcgi/listener.h"
#include "pool/respawn.h"
#include "pool/seat.h"
#include "settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* docs/design.md has the transitions. */
enum crew_state {
	CREW_STARTING, /* its first workers are not all ready; another crew may serve */
	CREW_SERVING,  /* each worker that ends is replaced */
	CREW_DRAINING  /* none is replaced; the rest is killed at its deadline */
};

/* What all crews of a pool share; owned by the supervisor. */
struct crew_site {
	struct scoreboard *board;
	struct listeners
	    *listeners;        /* the pool's; a worker of a crew that has others closes them */
	int closed_in_workers; /* a descriptor of the supervisor's that no worker keeps; -1: none */
};

/* Fields are the crew's own, but for node. */
struct crew {
	struct list node; /* in a list of the supervisor's */
	const struct crew_site *site;
	const struct settings *settings;   /* needed until it drains */
	const struct listeners *listeners; /* the same */
	enum crew_state state;
	bool failed; /* a worker ended, or could not be started, before all were ready */
	int64_t drain_timeout, watchdog_timeout;
	int64_t kill_at; /* while draining: when the rest is killed */
	struct respawn respawn;
	size_t count, alive;
	struct seat seats[];
};

/* A crew of empty seats, CREW_STARTING; NULL where there is no memory. Freed by crew_free once nobody is alive. */
struct crew *crew_new(const struct crew_site *site, const struct settings *settings,
    const struct listeners *listeners);

/* Frees it; harmless for NULL. */
void crew_free(struct crew *crew);

/* Starts a worker in each empty seat that is due. In a worker's process it does not return. */
void crew_fill(struct crew *crew);

/* Does every seat hold a worker that accepts connections? */
bool crew_is_ready(const struct crew *crew);

/* It is the one that serves from now on. */
void crew_serve(struct crew *crew);

/* True where the process that ended with that status (of waitpid) was one of this crew; says how it ended. */
bool crew_reap(struct crew *crew, pid_t pid, int status);

/* Its workers drain, or, at_once, end; those that do not are killed later. Harmless where it drains already. */
void crew_drain(struct crew *crew, bool at_once);

/*
 * Kills what is overdue: workers silent since their watchdog_timeout, not counting what was before since (milliseconds
 * of clock_ms), and all while draining once the deadline has passed.
 */
void crew_watch(struct crew *crew, int64_t since);

/* When crew_fill or crew_watch has something to do at the latest; milliseconds of clock_ms. */
int64_t crew_due(const struct crew *crew);

#endif
