/* SPDX-License-Identifier: MIT */
/* The crews of a pool: which one serves, which is to take its place, which still drain. */
#ifndef POOL_SUCCESSION_H
#define POOL_SUCCESSION_H

#include "fastcgi/listener.h"
#include "pool/crew.h"
#include "pool/generation.h"
#include "settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Owned by the supervisor; all but site and held is the succession's own. Times are milliseconds of clock_ms. */
struct succession {
	struct crew_site site;
	const struct invocation *invocation;
	struct settings *settings;   /* of the crew that serves */
	struct listeners *listeners; /* the same */
	struct crew *serving;
	struct crew *next;               /* to take its place, or NULL */
	struct settings *next_settings;  /* what it runs with; NULL: as before */
	struct listeners next_listeners; /* where it listens; none: as before */
	int64_t next_since;              /* when the last one was begun */
	struct list draining;            /* crews whose place others have taken */
	size_t draining_count;
	int64_t looked, looked_at_file;
	int64_t since; /* what workers did before is not held against them */
	bool wants_reload, wants_renewal, ending;
	bool
	    held; /* the supervisor's: nothing new is begun, as another program may take the pool's place */
};

/*
 * Makes the first crew, which serves from now on; settings, listeners and invocation outlive it, and the settings and
 * listeners are replaced in place. False where there is no memory.
 */
bool succession_start(struct succession *pool, struct settings *settings,
    struct listeners *listeners, const struct invocation *invocation);

/*
 * The settings are to be loaded anew, and a new crew is to take the place of the one that serves once all its workers
 * accept; where anything fails, all stays as it was, and the log says why. One at a time: what is asked for meanwhile
 * is one more after it.
 */
void succession_want_reload(struct succession *pool);

/*
 * Opens the log's file anew, as somebody has moved it away, and lets workers with the same settings that
 * write to it take the place of those that serve. Where it cannot be opened, the log says so, and all
 * stays as it was.
 */
void succession_open_log(struct succession *pool);

/*
 * Does what is due: begins a reload, starts workers, makes a socket whose file has vanished anew, kills who is silent,
 * hands over. In a worker's process it does not return.
 */
void succession_go_on(struct succession *pool);

/* A process has ended with that status (of waitpid); harmless for one that is no worker. */
void succession_reap(struct succession *pool, pid_t pid, int status);

/* Is no crew about to take the place of another? */
bool succession_is_settled(const struct succession *pool);

/* Do all workers of the crew that serves accept connections? */
bool succession_is_ready(const struct succession *pool);

/*
 * All workers drain, or, at_once, end. The listeners are the caller's to end before. Once it is over, succession_free
 * is due.
 */
void succession_end(struct succession *pool, bool at_once);

/* Has every worker ended, after succession_end? */
bool succession_is_over(const struct succession *pool);

/* Frees what succession_start made. */
void succession_free(struct succession *pool);

/* When succession_go_on has something to do at the latest; milliseconds of clock_ms. */
int64_t succession_due(const struct succession *pool);

#endif
