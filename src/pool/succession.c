/* SPDX-License-Identifier: MIT */
/* The crews of a pool: which one serves, which is to take its place, which still drain. */
#include "pool/succession.h"

#include "base/clock.h"
#include "event.h"
#include "pool/configuration.h"
#include "postgres/connect.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/*
 * A look each LOOK_MS; one that comes LATE_MS after the one before was kept from us, by a stop, a suspended machine or
 * other processes, and then the workers may have been, too.
 */
enum {
	LOOK_MS = 250,
	LATE_MS = 1000,
	FILE_LOOK_MS = 500,
	READY_LIMIT_MS = 30000,
	DRAINING_MAX = 2,
	PAUSE_MS = 100
};

/* What holds between two events. */
static void succession_check(const struct succession *pool)
{
	assert(pool->serving && pool->serving->state != CREW_STARTING);
	assert(!pool->next || pool->next->state == CREW_STARTING);
	assert(pool->next || (!pool->next_settings && !pool->next_listeners.count));
	assert(!pool->ending || (pool->serving->state == CREW_DRAINING && !pool->next));
	assert((pool->draining_count == 0) == list_empty(&pool->draining));
}

static void retire(struct succession *pool, struct crew *crew, bool at_once)
{
	crew_drain(crew, at_once);
	list_append(&pool->draining, &crew->node);
	pool->draining_count++;
}

static void fail(struct succession *pool, const char *reason)
{
	log_event(&event_reload_failed, "reload: %s; the pool goes on as it was", reason);
	atomic_store(&pool->site.board->reload_failed, true);
}

static void drop_next(struct succession *pool)
{
	generation_free(pool->next_settings);
	listener_end_but(&pool->next_listeners, pool->listeners);
	pool->next = NULL;
	pool->next_settings = NULL;
}

/* The crew that was to serve does not: all stays as it was. */
static void give_up(struct succession *pool, const char *reason)
{
	fail(pool, reason);
	retire(pool, pool->next, true);
	drop_next(pool);
}

static void begin(struct succession *pool)
{
	const struct settings *settings =
	    pool->next_settings ? pool->next_settings : pool->settings;
	const struct listeners *listeners =
	    pool->next_listeners.count ? &pool->next_listeners : pool->listeners;

	connect_name_hosts(settings);
	pool->next_since = clock_ms();
	pool->next = crew_new(&pool->site, settings, listeners);
	if (pool->next)
		return;
	fail(pool, "no memory");
	drop_next(pool);
}

static bool is_free(const struct succession *pool)
{
	return succession_is_settled(pool) && !pool->ending && !pool->held &&
	       pool->draining_count <= DRAINING_MAX;
}

static bool may_begin(const struct succession *pool)
{
	return is_free(pool) && clock_ms() >= pool->next_since + PAUSE_MS;
}

/* Few crews drain at a time: their slots and their sessions with the database are not without number. */
static void reload(struct succession *pool)
{
	char error[SETTINGS_ERROR_SIZE];

	if (!pool->wants_reload || !may_begin(pool))
		return;
	pool->wants_reload = false;
	pool->next_since = clock_ms();
	pool->next_settings = generation_load(pool->invocation, pool->settings, error);
	if (pool->next_settings)
		begin(pool);
	else
		fail(pool, error);
}

/* New workers have the log's file open that the supervisor has opened. */
static void renew(struct succession *pool)
{
	if (!pool->wants_renewal || !may_begin(pool))
		return;
	pool->wants_renewal = false;
	begin(pool);
}

static void open_anew(struct succession *pool)
{
	char error[512];

	if (listener_renew(
		&pool->next_listeners, pool->listeners, pool->settings, error, sizeof(error))) {
		log_event(&event_socket_remade,
		    "the file of the listening socket had vanished: it is made anew");
		begin(pool);
	} else if (log_is_news(error))
		log_event(&event_socket_vanished,
		    "the file of the listening socket has vanished: %s", error);
}

/* A bound socket cannot be given its file again: the next crew listens on another. */
static void look_at_file(struct succession *pool)
{
	static const char taken[] =
	    "the file of the listening socket is another's now: nobody reaches this pool by it";
	enum socket_file_state state;

	if (!is_free(pool) || clock_ms() < pool->looked_at_file + FILE_LOOK_MS)
		return;
	pool->looked_at_file = clock_ms();
	state = listener_look(pool->listeners);
	if (state == SOCKET_FILE_GONE)
		open_anew(pool);
	else if (state == SOCKET_FILE_ANOTHERS && log_is_news(taken))
		log_event(&event_socket_taken, "%s", taken);
}

static void take_settings(struct succession *pool)
{
	if (!pool->next_settings)
		return;
	settings_free(pool->settings);
	*pool->settings = *pool->next_settings;
	*pool->next_settings = (struct settings){0};
	free(pool->next_settings);
	pool->next_settings = NULL;
	pool->next->settings = pool->settings;
	configuration_open_log(pool->settings);
}

static void take_listeners(struct succession *pool)
{
	if (!pool->next_listeners.count)
		return;
	listener_end_but(pool->listeners, &pool->next_listeners);
	*pool->listeners = pool->next_listeners;
	pool->next_listeners.count = 0;
	pool->next->listeners = pool->listeners;
}

static void take_over(struct succession *pool)
{
	struct scoreboard *board = pool->site.board;

	take_settings(pool);
	take_listeners(pool);
	crew_serve(pool->next);
	retire(pool, pool->serving, false);
	pool->serving = pool->next;
	pool->next = NULL;
	atomic_store(&board->reload_failed, false);
	atomic_store(&board->loaded, time(NULL));
	log_event(&event_generation_serves, "generation %" PRIu32 " serves with %zu workers",
	    atomic_fetch_add(&board->generation, 1) + 1, pool->serving->count);
}

static void judge_next(struct succession *pool)
{
	struct crew *next = pool->next;

	if (!next)
		return;
	if (next->failed)
		give_up(pool, "a new worker did not start");
	else if (crew_is_ready(next))
		take_over(pool);
	else if (clock_ms() - pool->next_since > READY_LIMIT_MS)
		give_up(pool, "the new workers were not ready in time");
}

static void watch(struct succession *pool)
{
	int64_t now = clock_ms();

	if (now - pool->looked > LATE_MS)
		pool->since = now;
	pool->looked = now;
	crew_watch(pool->serving, pool->since);
	if (pool->next)
		crew_watch(pool->next, pool->since);
	for (struct list *node = pool->draining.next; node != &pool->draining; node = node->next)
		crew_watch(list_entry(node, struct crew, node), pool->since);
}

bool succession_start(struct succession *pool, struct settings *settings,
    struct listeners *listeners, const struct invocation *invocation)
{
	pool->settings = settings;
	pool->listeners = listeners;
	pool->invocation = invocation;
	pool->looked = pool->looked_at_file = clock_ms();
	list_init(&pool->draining);
	pool->site.listeners = listeners;
	pool->site.board = scoreboard_open();
	if (!pool->site.board)
		return false;
	pool->serving = crew_new(&pool->site, settings, listeners);
	if (!pool->serving)
		return false;
	crew_serve(
	    pool->serving); /* there is no other whose place it takes: what fails is tried again */
	atomic_store(&pool->site.board->generation, 1);
	atomic_store(&pool->site.board->loaded, time(NULL));
	metric_here = &pool->site.board->counts;
	connect_name_hosts(settings);
	return true;
}

void succession_want_reload(struct succession *pool)
{
	pool->wants_reload = true;
}

void succession_open_log(struct succession *pool)
{
	pool->wants_renewal = configuration_open_log(pool->settings);
}

void succession_go_on(struct succession *pool)
{
	watch(pool);
	judge_next(pool);
	look_at_file(pool);
	reload(pool);
	renew(pool);
	if (pool->next)
		crew_fill(pool->next);
	crew_fill(pool->serving);
	succession_check(pool);
}

static void free_gone(struct succession *pool)
{
	struct list *node = pool->draining.next, *next;

	for (; node != &pool->draining; node = next) {
		struct crew *crew = list_entry(node, struct crew, node);

		next = node->next;
		if (crew->alive)
			continue;
		list_remove(node);
		pool->draining_count--;
		crew_free(crew);
	}
}

void succession_reap(struct succession *pool, pid_t pid, int status)
{
	bool found = crew_reap(pool->serving, pid, status) ||
		     (pool->next && crew_reap(pool->next, pid, status));

	for (struct list *node = pool->draining.next; !found && node != &pool->draining;
	     node = node->next)
		found = crew_reap(list_entry(node, struct crew, node), pid, status);
	free_gone(pool);
}

bool succession_is_settled(const struct succession *pool)
{
	return !pool->next;
}

bool succession_is_ready(const struct succession *pool)
{
	return crew_is_ready(pool->serving);
}

void succession_end(struct succession *pool, bool at_once)
{
	if (pool->next)
		give_up(pool, "the pool is to end");
	pool->ending = true;
	crew_drain(pool->serving, at_once);
	for (struct list *node = pool->draining.next; at_once && node != &pool->draining;
	     node = node->next)
		crew_drain(list_entry(node, struct crew, node), true);
}

bool succession_is_over(const struct succession *pool)
{
	return pool->ending && !pool->serving->alive && list_empty(&pool->draining);
}

void succession_free(struct succession *pool)
{
	if (pool->site.board)
		scoreboard_close(pool->site.board);
	crew_free(pool->serving);
}

static int64_t least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

int64_t succession_due(const struct succession *pool)
{
	int64_t due = least(clock_ms() + LOOK_MS, crew_due(pool->serving));

	if (pool->next)
		due = least(due, crew_due(pool->next));
	if ((pool->wants_reload || pool->wants_renewal) && is_free(pool))
		due = least(due, pool->next_since + PAUSE_MS);
	return due;
}
