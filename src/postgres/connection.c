/* SPDX-License-Identifier: MIT */
/* One session on the loop: opened in a thread, watched, opened again when lost. */
#include "postgres/connection.h"

#include "base/metric.h"
#include "event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A fast restart and a recovery take less than EAGER_MS, and clients wait for the end of it: until
 * then a try comes each EAGER_DELAY_MS.
 */
enum { DELAY_FIRST_MS = 50, EAGER_DELAY_MS = 100, EAGER_MS = 600, STEADY_MS = 1000 };

/*
 * libpq looks up names and reads files when it connects, also in PQconnectStart: that must not
 * hold up the loop. A thread each time: libuv's own pool aborts where it cannot start one
 * (src/threadpool.c, init_threads).
 */
struct connection_opening {
	uv_async_t done;
	uv_thread_t thread;
	struct connection *connection; /* NULL once nobody waits for it */
	const struct settings *settings;
	const struct session_kind *kind;
	struct session session;
};

static void try_later(struct connection *connection);

/* What holds between two events. */
static void connection_check(const struct connection *connection)
{
	bool ready = connection->state == CONNECTION_READY;

	assert((connection->session.pg != NULL) == ready);
	assert((connection->poll != NULL) == ready);
	assert((connection->opening != NULL) == (connection->state == CONNECTION_OPENING));
	(void)ready;
}

/* The server says so of itself since PostgreSQL 14, and tells a session that it is promoted; a pooler may keep it to itself. */
static enum metric role_of(PGconn *pg)
{
	const char *standby = PQparameterStatus(pg, "in_hot_standby");

	if (!standby)
		return METRIC_UP_UNKNOWN;
	return strcmp(standby, "on") == 0 ? METRIC_UP_STANDBY : METRIC_UP_PRIMARY;
}

static void count_ready(const struct connection *connection, uint64_t change)
{
	unsigned host = connection->session.host;

	metric_add(connection->kind->ready + host, change);
	metric_add(connection->role + host, change);
	metric_add(connection->layout, change);
}

static void count(const struct connection *connection, uint64_t change)
{
	if (connection->state == CONNECTION_READY)
		count_ready(connection, change);
	else if (connection->state == CONNECTION_OPENING)
		metric_add(connection->kind->opening, change);
	else if (connection->state == CONNECTION_DOWN)
		metric_add(connection->kind->down, change);
}

/* The only place that changes the state. */
static void set_state(struct connection *connection, enum connection_state state)
{
	assert(connection->state != CONNECTION_STOPPED);
	count(connection, (uint64_t)-1);
	connection->state = state;
	count(connection, 1);
}

/*
 * What has come before the end of a connection is read, too: answers, and why the server ends it.
 */
static void consume(struct connection *connection)
{
	bool good = PQconsumeInput(connection->session.pg);

	if (!good)
		PQisBusy(connection->session.pg); /* parses: a notice goes to the log */
	connection->events->readable(connection->owner);
	if (!good)
		connection_break(connection);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct connection *connection = poll->data;

	if (status < 0 || events & UV_READABLE)
		consume(connection);
	if (status < 0)
		connection_lose(connection, CONNECTION_BROKEN, uv_strerror(status));
	else if (events & UV_WRITABLE && connection->state == CONNECTION_READY)
		connection_flush(connection);
	connection_check(connection);
}

/* Each uv_poll_start costs two system calls: only a change is worth them. */
static void watch(struct connection *connection, int events)
{
	if (connection->watched == events)
		return;
	connection->watched = events;
	uv_poll_start(connection->poll, events, on_event);
}

/* Puts an open session on the loop; false where there is no memory. */
static bool start_polling(struct connection *connection, PGconn *pg)
{
	uv_poll_t *poll = malloc(sizeof(*poll));

	if (!poll || uv_poll_init(connection->loop, poll, PQsocket(pg)) != 0) {
		free(poll);
		return false;
	}
	poll->data = connection;
	connection->poll = poll;
	connection->watched = 0;
	watch(connection, UV_READABLE);
	return true;
}

static void become_ready(struct connection *connection, struct session *session)
{
	if (!start_polling(connection, session->pg)) {
		session_close(session);
		log_event(
		    &event_memory_short, "watching the %s: no memory", connection->kind->name);
		try_later(connection);
		return;
	}
	connection->session = *session;
	connection->role = role_of(session->pg);
	connection->layout = connection->kind->layout(session->facts);
	set_state(connection, CONNECTION_READY);
	connection->served = false;
	connection->changed = uv_now(connection->loop);
	news_ready(&connection->news, &connection->session,
	    connection->kind->describe(connection->session.facts));
	connection->events->ready(connection->owner);
}

static void open_session(void *context)
{
	struct connection_opening *opening = context;

	session_open(&opening->session, opening->settings, opening->kind);
	uv_async_send(&opening->done);
}

static void on_done_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* For so short a time after a loss it is worth to try again at once. */
static bool is_eager(const struct connection *connection)
{
	return uv_now(connection->loop) - connection->changed < EAGER_MS;
}

static void take_session(struct connection *connection, struct session *session)
{
	connection->opening = NULL;
	connection->waking = false;
	if (session->pg)
		become_ready(connection, session);
	else {
		connection->session.resumable &= session->cut;
		if (session->cut && is_eager(connection))
			connection->delay = 0;
		connection->session.hosts = session->hosts;
		connection->session.shared = session->shared;
		news_fault(&connection->news, session->fault);
		try_later(connection);
	}
	connection_check(connection);
}

static void on_done(uv_async_t *done)
{
	struct connection_opening *opening = done->data;

	uv_thread_join(&opening->thread);
	if (opening->connection)
		take_session(opening->connection, &opening->session);
	else
		session_close(&opening->session);
	uv_close((uv_handle_t *)done, on_done_closed);
}

static int start_thread(uv_loop_t *loop, uv_thread_t *thread, void *opening)
{
	struct connection_threads *threads = loop->data;

	return threads ? threads->start(threads, thread, open_session, opening)
		       : uv_thread_create(thread, open_session, opening);
}

/* Starts the thread; false where there is none to be had, or no memory. */
static bool start_opening(struct connection *connection)
{
	struct connection_opening *opening = calloc(1, sizeof(*opening));

	if (!opening || uv_async_init(connection->loop, &opening->done, on_done) != 0) {
		free(opening);
		return false;
	}
	opening->done.data = opening;
	opening->connection = connection;
	opening->settings = connection->settings;
	opening->kind = connection->kind;
	opening->session.resumable = connection->session.resumable;
	opening->session.hosts = connection->session.hosts;
	opening->session.shared = connection->session.shared;
	memcpy(opening->session.facts, connection->session.facts, sizeof(opening->session.facts));
	if (start_thread(connection->loop, &opening->thread, opening) != 0) {
		uv_close((uv_handle_t *)&opening->done, on_done_closed);
		return false;
	}
	connection->opening = opening;
	return true;
}

static void try_now(struct connection *connection)
{
	if (start_opening(connection))
		set_state(connection, CONNECTION_OPENING);
	else {
		news_fault(&connection->news,
		    "connecting to PostgreSQL: no memory, or no thread to be had");
		try_later(connection);
	}
}

static void on_retry(uv_timer_t *timer)
{
	try_now(timer->data);
}

static void try_later(struct connection *connection)
{
	uint64_t most = is_eager(connection) ? EAGER_DELAY_MS : connection->kind->most_delay;

	set_state(connection, CONNECTION_DOWN);
	uv_timer_start(&connection->retry, on_retry, connection->delay, 0);
	connection->delay = connection->delay ? connection->delay * 2 : DELAY_FIRST_MS;
	if (connection->delay > most)
		connection->delay = most;
}

void connection_start(struct connection *connection, uv_loop_t *loop,
    const struct settings *settings, const struct session_kind *kind,
    const struct connection_events *events, void *owner)
{
	*connection = (struct connection){
	    .loop = loop, .settings = settings, .kind = kind, .events = events, .owner = owner};
	news_start(&connection->news, loop, kind->name);
	uv_timer_init(loop, &connection->retry);
	connection->retry.data = connection;
	connection->state = CONNECTION_RESTING;
}

void connection_flush(struct connection *connection)
{
	int left;

	assert(connection->state == CONNECTION_READY);
	left = PQflush(connection->session.pg);
	if (left < 0)
		connection_break(connection);
	else
		watch(connection, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

bool connection_send(struct connection *connection, struct batch *batch)
{
	assert(connection->state == CONNECTION_READY);
	if (batch_send(batch, connection->session.pg, connection->session.facts,
		connection->session.unnamed))
		return true;
	connection_break(connection);
	return false;
}

bool connection_next(struct connection *connection, PGresult **result)
{
	if (connection->state != CONNECTION_READY || PQisBusy(connection->session.pg))
		return false;
	*result = PQgetResult(connection->session.pg);
	connection->served |= PQresultStatus(*result) == PGRES_PIPELINE_SYNC;
	return true;
}

bool connection_is_broken(const struct connection *connection)
{
	return connection->state == CONNECTION_READY &&
	       PQstatus(connection->session.pg) == CONNECTION_BAD;
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

/*
 * uv_close comes before the descriptor's close: the other way round its next owner would go deaf.
 */
static void finish(struct connection *connection)
{
	uv_close((uv_handle_t *)connection->poll, on_poll_closed);
	connection->poll = NULL;
	session_close(&connection->session);
}

void connection_lose(struct connection *connection, enum connection_loss loss, const char *reason)
{
	uint64_t now = uv_now(connection->loop);

	if (connection->state != CONNECTION_READY)
		return;
	news_lost(&connection->news, reason);
	metric_add(METRIC_LOST_BROKEN + loss, 1);
	finish(connection);
	connection->session.resumable &= loss != CONNECTION_STALE;
	connection->session.shared |= loss == CONNECTION_SHARED;
	if (connection->served || now - connection->changed >= STEADY_MS)
		connection->delay = 0;
	connection->changed = now;
	try_later(connection);
	connection->events->lost(connection->owner, loss);
}

void connection_break(struct connection *connection)
{
	if (connection->state == CONNECTION_READY)
		connection_lose(
		    connection, CONNECTION_BROKEN, PQerrorMessage(connection->session.pg));
}

void connection_wake(struct connection *connection)
{
	if (connection->state != CONNECTION_RESTING)
		return;
	connection->changed = uv_now(connection->loop);
	connection->waking = true;
	try_now(connection);
	connection_check(connection);
}

void connection_rest(struct connection *connection)
{
	if (connection->state != CONNECTION_READY && connection->state != CONNECTION_DOWN)
		return;
	if (connection->state == CONNECTION_READY)
		finish(connection);
	uv_timer_stop(&connection->retry);
	set_state(connection, CONNECTION_RESTING);
	log_event(&event_session_rests, "the %s rests: nobody needs it", connection->kind->name);
	connection_check(connection);
}

void connection_read(struct connection *connection)
{
	if (connection->state == CONNECTION_READY)
		consume(connection);
}

void connection_recount(struct connection *connection)
{
	enum metric role = role_of(connection->session.pg);
	enum metric layout = connection->kind->layout(connection->session.facts);

	assert(connection->state == CONNECTION_READY);
	if (role == connection->role && layout == connection->layout)
		return;
	count_ready(connection, (uint64_t)-1);
	connection->role = role;
	connection->layout = layout;
	count_ready(connection, 1);
}

void connection_hurry(struct connection *connection)
{
	if (connection->state != CONNECTION_DOWN)
		return;
	uv_timer_stop(&connection->retry);
	try_now(connection);
	connection_check(connection);
}

void connection_stop(struct connection *connection)
{
	if (connection->state == CONNECTION_READY)
		finish(connection);
	if (connection->opening)
		connection->opening->connection = NULL;
	connection->opening = NULL;
	set_state(connection, CONNECTION_STOPPED);
	news_stop(&connection->news);
	uv_close((uv_handle_t *)&connection->retry, NULL);
}
