/* SPDX-License-Identifier: MIT */
/* One PGconn in pipeline mode on the loop: opens it in another thread, watches it, opens it again when it is
 * lost. */
#include "postgres/connection.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DELAY_FIRST_MS = 50, STEADY_MS = 1000 };

/* libpq looks up names and reads files when it connects, also in PQconnectStart: that must not hold up the
 * loop. */
struct connection_opening {
	uv_work_t work;
	struct connection *connection; /* NULL once nobody waits for it */
	const struct settings *settings;
	const struct session_kind *kind;
	struct session session;
};

static void try_later(struct connection *connection);

/* What has come before the end of a connection is read, too: answers, and why the server ends it. */
static void consume(struct connection *connection)
{
	bool good = PQconsumeInput(connection->session.connection);

	if (!good)
		PQisBusy(connection->session.connection); /* parses: a notice goes to the log */
	connection->events->readable(connection->owner);
	if (!good && connection->state == CONNECTION_READY)
		connection_lose(connection, PQerrorMessage(connection->session.connection));
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct connection *connection = poll->data;

	if (status < 0 || events & UV_READABLE)
		consume(connection);
	if (status < 0)
		connection_lose(connection, uv_strerror(status));
	else if (events & UV_WRITABLE && connection->state == CONNECTION_READY)
		connection_flush(connection);
}

/* Each uv_poll_start costs two system calls: only a change is worth them. */
static void watch(struct connection *connection, int events)
{
	if (connection->watched == events)
		return;
	connection->watched = events;
	uv_poll_start(connection->poll, events, on_event);
}

static void become_ready(struct connection *connection, const struct session *session)
{
	connection->session = *session;
	connection->poll = malloc(sizeof(*connection->poll));
	if (!connection->poll ||
	    uv_poll_init(connection->loop, connection->poll, PQsocket(session->connection)) != 0) {
		free(connection->poll);
		PQfinish(session->connection);
		log_error("watching the %s: no memory", connection->kind->name);
		try_later(connection);
		return;
	}
	connection->poll->data = connection;
	connection->state = CONNECTION_READY;
	connection->changed = uv_now(connection->loop);
	connection->watched = 0;
	*connection->fault = '\0';
	watch(connection, UV_READABLE);
	log_info("the %s is ready", connection->kind->name);
	connection->events->ready(connection->owner);
}

static void open_session(uv_work_t *work)
{
	struct connection_opening *opening = work->data;

	session_open(&opening->session, opening->settings, opening->kind);
}

static void on_opened(uv_work_t *work, int status)
{
	struct connection_opening *opening = work->data;
	struct connection *connection = opening->connection;

	if (!connection || status != 0)
		PQfinish(opening->session.connection);
	else if (opening->session.connection) {
		connection->opening = NULL;
		become_ready(connection, &opening->session);
	} else {
		connection->opening = NULL;
		if (strcmp(connection->fault, opening->session.fault) != 0)
			log_error("%s", opening->session.fault);
		memcpy(connection->fault, opening->session.fault, sizeof(connection->fault));
		try_later(connection);
	}
	free(opening);
}

static void try_now(struct connection *connection)
{
	struct connection_opening *opening = calloc(1, sizeof(*opening));

	connection->state = CONNECTION_OPENING;
	if (!opening) {
		try_later(connection);
		return;
	}
	opening->work.data = opening;
	opening->connection = connection;
	opening->settings = connection->settings;
	opening->kind = connection->kind;
	connection->opening = opening;
	if (uv_queue_work(connection->loop, &opening->work, open_session, on_opened) != 0) {
		free(opening);
		connection->opening = NULL;
		try_later(connection);
	}
}

static void on_retry(uv_timer_t *timer)
{
	try_now(timer->data);
}

static void try_later(struct connection *connection)
{
	connection->state = CONNECTION_DOWN;
	uv_timer_start(&connection->retry, on_retry, connection->delay, 0);
	connection->delay = connection->delay ? connection->delay * 2 : DELAY_FIRST_MS;
	if (connection->delay > connection->kind->most_delay)
		connection->delay = connection->kind->most_delay;
}

void connection_start(struct connection *connection, uv_loop_t *loop,
    const struct settings *settings, const struct session_kind *kind,
    const struct connection_events *events, void *owner)
{
	*connection = (struct connection){
	    .loop = loop, .settings = settings, .kind = kind, .events = events, .owner = owner};
	uv_timer_init(loop, &connection->retry);
	connection->retry.data = connection;
	connection->changed = uv_now(loop);
	try_now(connection);
}

void connection_flush(struct connection *connection)
{
	int left;

	assert(connection->state == CONNECTION_READY);
	left = PQflush(connection->session.connection);
	if (left < 0)
		connection_lose(connection, PQerrorMessage(connection->session.connection));
	else
		watch(connection, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

/* uv_close comes before the descriptor's close: the other way round its next owner would go deaf. */
static void finish(struct connection *connection)
{
	uv_close((uv_handle_t *)connection->poll, on_poll_closed);
	connection->poll = NULL;
	PQfinish(connection->session.connection);
	connection->session.connection = NULL;
}

void connection_lose(struct connection *connection, const char *reason)
{
	uint64_t now = uv_now(connection->loop);

	if (connection->state != CONNECTION_READY)
		return;
	log_warning("the %s is lost: %s", connection->kind->name, reason);
	finish(connection);
	if (now - connection->changed >= STEADY_MS)
		connection->delay = 0;
	connection->changed = now;
	try_later(connection);
	connection->events->lost(connection->owner);
}

void connection_hurry(struct connection *connection)
{
	if (connection->state != CONNECTION_DOWN)
		return;
	uv_timer_stop(&connection->retry);
	try_now(connection);
}

void connection_stop(struct connection *connection)
{
	if (connection->state == CONNECTION_READY)
		finish(connection);
	if (connection->opening)
		connection->opening->connection = NULL;
	connection->opening = NULL;
	connection->state = CONNECTION_STOPPED;
	uv_close((uv_handle_t *)&connection->retry, NULL);
}
