/* SPDX-License-Identifier: MIT */
/* One worker: builds a loop with both sides, runs it, drains it. */
#include "pool/worker.h"

#include "api/exchange.h"
#include "authentik/catalogue.h"
#include "event.h"
#include "fastcgi/server.h"
#include "pool/loop.h"
#include "pool/pages.h"
#include "pool/sandbox.h"
#include "pool/spawner.h"
#include "postgres/connect.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIGNALS = 6, COUNT_MS = 1000 };

static const int signals[SIGNALS] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

struct worker {
	const struct settings *settings;
	struct scoreboard_slot *slot;   /* NULL: it has no supervisor */
	const struct scoreboard *board; /* NULL: the same */
	struct vitals vitals;
	uv_loop_t loop;
	struct spawner spawner;
	uv_signal_t signals[SIGNALS];
	uv_timer_t limit; /* of the drain */
	uv_check_t turn;
	uint64_t counted; /* when descriptors were last: milliseconds of the loop's clock */
	bool draining, stopped;
	struct lane common, slow;
	struct exchanges exchanges;
	struct server server;
	struct pages pages;
};

/* Closes every handle, and ends the loop even while a thread is connecting. */
static void stop(struct worker *worker)
{
	if (worker->stopped)
		return;
	worker->stopped = true;
	server_stop(&worker->server);
	pages_stop(&worker->pages);
	exchange_stop(&worker->exchanges);
	lane_stop(&worker->common);
	lane_stop(&worker->slow);
	for (int i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&worker->signals[i], NULL);
	uv_close((uv_handle_t *)&worker->limit, NULL);
	uv_close((uv_handle_t *)&worker->turn, NULL);
	uv_stop(&worker->loop);
}

static void on_limit(uv_timer_t *timer)
{
	struct worker *worker = timer->data;

	log_event(&event_drain_late, "draining: %zu connections are still open after drain_timeout",
	    server_open(&worker->server));
	stop(worker);
}

/* The server's sweep makes the loop turn four times a second at least. */
static void on_turn(uv_check_t *turn)
{
	struct worker *worker = turn->data;

	if (worker->slot)
		scoreboard_beat(worker->slot, (int64_t)uv_now(&worker->loop));
	if (uv_now(&worker->loop) >= worker->counted + COUNT_MS) {
		worker->counted = uv_now(&worker->loop);
		metric_set(METRIC_DESCRIPTORS, server_count_descriptors(&worker->server));
	}
	if (worker->draining && server_open(&worker->server) == 0)
		stop(worker);
}

static void drain(struct worker *worker)
{
	log_event(&event_worker_draining, "draining %zu connections", server_open(&worker->server));
	worker->draining = true;
	if (worker->slot)
		atomic_store(&worker->slot->draining, true);
	server_drain(&worker->server);
	pages_drain(&worker->pages);
	uv_timer_start(&worker->limit, on_limit, worker->settings->drain_timeout, 0);
}

/* What is the supervisor's to do is no end of a worker that hears of it, as the whole group may. */
static void on_signal(uv_signal_t *handle, int number)
{
	struct worker *worker = handle->data;

	if (number == SIGHUP || number == SIGUSR1 || number == SIGUSR2) {
		if (!worker->slot)
			log_event(&event_signal_ignored,
			    "%s: nothing is done: a worker without a supervisor is started "
			    "anew instead",
			    strsignal(number));
	} else if (number == SIGINT || (worker->draining && !worker->slot))
		stop(worker);
	else if (!worker->draining)
		drain(worker);
}

/* Only now may they arrive: the supervisor, or whoever started us, may have blocked them. */
static void watch_signals(struct worker *worker)
{
	sigset_t watched;

	sigemptyset(&watched);
	for (int i = 0; i < SIGNALS; i++) {
		uv_signal_init(&worker->loop, &worker->signals[i]);
		worker->signals[i].data = worker;
		uv_signal_start(&worker->signals[i], on_signal, signals[i]);
		sigaddset(&watched, signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &watched, NULL);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	metric_set(METRIC_DESCRIPTORS_LIMIT, limit.rlim_cur);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_event(
		    &event_descriptors_limited, "raising the limit of open descriptors: refused");
}

/* A worker without a supervisor is all of its pool. */
static bool is_ready(const void *context)
{
	const struct worker *worker = context;

	if (worker->draining)
		return false;
	return worker->board ? scoreboard_has_session(worker->board)
			     : metric_read_hosts(metric_here, METRIC_READY_COMMON) > 0;
}

static void write_metrics(const void *context, struct buffer *text)
{
	const struct worker *worker = context;

	scoreboard_write_metrics(worker->board, text);
}

static bool start(struct worker *worker, const struct listeners *listeners)
{
	const struct settings *settings = worker->settings;
	struct handler handler;

	lane_start(&worker->common, &worker->loop, settings, &catalogue_common,
	    settings->max_requests, NULL, 0);
	lane_start(&worker->slow, &worker->loop, settings, &catalogue_slow,
	    settings->max_token_lookups, &worker->common, settings->token_session_idle);
	if (!exchange_start(
		&worker->exchanges, &worker->loop, settings, &worker->common, &worker->slow))
		return false;
	worker->vitals = (struct vitals){worker, is_ready, worker->board ? write_metrics : NULL};
	worker->exchanges.vitals = &worker->vitals;
	uv_timer_init(&worker->loop, &worker->limit);
	uv_check_init(&worker->loop, &worker->turn);
	worker->limit.data = worker->turn.data = worker;
	uv_check_start(&worker->turn, on_turn);
	watch_signals(worker);
	handler = exchange_handler(&worker->exchanges, peer_reply);
	return server_start(&worker->server, &worker->loop, settings, listeners, &handler) == 0 &&
	       pages_start(&worker->pages, &worker->loop, listeners, &worker->vitals) == 0;
}

static void free_worker(struct worker *worker)
{
	spawner_stop(&worker->spawner);
	uv_loop_close(&worker->loop);
	server_free(&worker->server);
	exchange_free(&worker->exchanges);
	lane_free(&worker->common);
	lane_free(&worker->slow);
	free(worker);
}

int worker_run(const struct settings *settings, const struct listeners *listeners,
    struct scoreboard_slot *slot, const struct scoreboard *board)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	bool connecting;

	raise_descriptor_limit();
	if (!board)
		connect_name_hosts(settings);
	if (!worker || !loop_init(&worker->loop)) {
		log_event(&event_memory_short, "starting a worker: no memory");
		free(worker);
		return 1;
	}
	worker->settings = settings;
	worker->slot = slot;
	worker->board = board;
	worker->loop.data = &worker->spawner.threads;
	if (!spawner_start(&worker->spawner, settings))
		_exit(1);
	if (!start(worker, listeners)) {
		log_event(&event_start_failed,
		    "starting a worker: no memory, or what it is to listen on is no socket");
		_exit(1);
	}
	if (!sandbox_enter(settings, SANDBOX_LOOP))
		_exit(1);
	if (slot)
		atomic_store(&slot->ready, true);
	log_event(&event_worker_serving, "a worker is serving");
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	connecting = uv_run(&worker->loop, UV_RUN_NOWAIT);
	log_event(&event_worker_drained, "a worker has ended");
	if (connecting)
		_exit(0); /* the thread cannot be stopped, and ends with the process */
	free_worker(worker);
	return 0;
}
