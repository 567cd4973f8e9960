/* SPDX-License-Identifier: MIT */
/* The listening socket and the life of its connections: accept, receive, send, expire, drain, close. */
#include "fastcgi/peer.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_MS = 250, SURPLUS = 256 };

static void update_listener(struct server *server);

static void on_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data;

	peer->server->connections--;
	free(peer);
}

void peer_close(struct peer *peer, const char *reason)
{
	struct server *server = peer->server;

	if (peer->state == PEER_CLOSED)
		return;
	log_debug("closing a web server's connection: %s", reason);
	peer_cancel(peer);
	server->unsent -= peer->out.length - peer->sent;
	buffer_return(&peer->in, &server->pool);
	buffer_return(&peer->parameters, &server->pool);
	buffer_return(&peer->out, &server->pool);
	peer_set_state(peer, PEER_CLOSED);
	server->open--;
	uv_close((uv_handle_t *)&peer->poll, on_closed);
	close(peer->descriptor);
	update_listener(server);
}

static void receive(struct peer *peer)
{
	struct server *server = peer->server;
	ssize_t got = recv(peer->descriptor, server->received, sizeof(server->received), 0);

	if (got > 0)
		peer_received(peer, server->received, (size_t)got);
	else if (got == 0)
		peer_close(peer, "the peer has closed it");
	else if (errno != EAGAIN && errno != EINTR)
		peer_close(peer, strerror(errno));
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct peer *peer = poll->data;

	if (status < 0)
		peer_close(peer, uv_strerror(status));
	else if (events & UV_WRITABLE)
		peer_flush(peer);
	else if (events & UV_READABLE)
		receive(peer);
}

void peer_watch(struct peer *peer, int events)
{
	if (peer->events == events)
		return;
	peer->events = events;
	uv_poll_start(&peer->poll, events, on_event);
}

static bool open_peer(struct server *server, int descriptor)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer || uv_poll_init(server->loop, &peer->poll, descriptor) != 0) {
		free(peer);
		close(descriptor);
		return false;
	}
	peer->server = server;
	peer->descriptor = descriptor;
	peer->poll.data = peer;
	peer->state = PEER_IDLE;
	peer->surplus = server->open >= server->settings->max_connections;
	list_init(&peer->node);
	server->connections++;
	server->open++;
	peer_set_state(peer, PEER_IDLE);
	peer_watch(peer, UV_READABLE);
	return true;
}

/* Without descriptors or memory the listener would be ready for ever: it rests until the next sweep. */
static void rest(struct server *server, const char *reason)
{
	log_warning("accepting a connection: %s; trying again when one is closed", reason);
	uv_poll_stop(&server->listener);
	server->accepting = false;
}

/* Takes one connection; false where none waits, or none can be taken now. */
static bool accept_one(struct server *server)
{
	int descriptor = accept4(server->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (descriptor >= 0 && open_peer(server, descriptor))
		return true;
	if (descriptor >= 0)
		rest(server, "no memory");
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		rest(server, strerror(errno));
	return false;
}

/* One connection an event: the other workers take theirs, so that kept connections spread over all. */
static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct server *server = poll->data;

	(void)events;
	if (status < 0 || accept_one(server))
		update_listener(server);
}

/* A surplus of connections beyond the limit is told 503; beyond the surplus they wait in the listen queue. */
static void update_listener(struct server *server)
{
	bool wanted = !server->draining && server->open < server->settings->max_connections + SURPLUS;

	if (uv_is_closing((uv_handle_t *)&server->listener) || wanted == server->accepting)
		return;
	server->accepting = wanted;
	if (wanted)
		uv_poll_start(&server->listener, UV_READABLE, on_connection);
	else
		uv_poll_stop(&server->listener);
}

static void expire(struct server *server, struct list *list, uint64_t limit, const char *reason)
{
	uint64_t now = uv_now(server->loop);

	while (!list_empty(list)) {
		struct peer *oldest = list_entry(list->next, struct peer, node);

		if (now - oldest->since < limit)
			return;
		peer_close(oldest, reason);
	}
}

static void on_sweep(uv_timer_t *timer)
{
	struct server *server = timer->data;
	const struct settings *settings = server->settings;

	expire(server, &server->idle, settings->idle_timeout, "idle for idle_timeout");
	expire(server, &server->receiving, settings->receive_timeout,
		"no whole request within receive_timeout");
	expire(server, &server->sending, settings->send_timeout, "no byte taken for send_timeout");
	expire(server, &server->lingering, settings->send_timeout,
		"not closed by the peer within send_timeout");
	update_listener(server);
}

int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings, int descriptor,
	const struct server_handler *handler)
{
	int result;

	memset(server, 0, sizeof(*server));
	server->loop = loop;
	server->settings = settings;
	server->handler = *handler;
	server->descriptor = descriptor;
	list_init(&server->idle);
	list_init(&server->receiving);
	list_init(&server->waiting);
	list_init(&server->sending);
	list_init(&server->lingering);
	result = uv_poll_init(loop, &server->listener, descriptor);
	if (result != 0)
		return result;
	server->listener.data = server->sweep.data = server;
	uv_timer_init(loop, &server->sweep);
	uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	update_listener(server);
	return 0;
}

/*
 * What waits to be accepted is still served, and a request may be on its way to a connection that looks idle:
 * it is read once more before it is closed.
 */
void server_drain(struct server *server)
{
	struct list idle;

	while (server->open < server->settings->max_connections && accept_one(server))
		;
	server->draining = true;
	update_listener(server);
	list_init(&idle);
	while (!list_empty(&server->idle)) {
		struct list *node = server->idle.next;
		list_remove(node);
		list_append(&idle, node);
	}
	while (!list_empty(&idle)) {
		struct peer *peer = list_entry(idle.next, struct peer, node);

		receive(peer);
		if (peer->state == PEER_IDLE)
			peer_close(peer, "draining");
	}
}

static void close_all(struct list *list)
{
	while (!list_empty(list))
		peer_close(list_entry(list->next, struct peer, node), "stopping");
}

void server_stop(struct server *server)
{
	server->draining = true;
	uv_close((uv_handle_t *)&server->listener, NULL);
	uv_close((uv_handle_t *)&server->sweep, NULL);
	close_all(&server->idle);
	close_all(&server->receiving);
	close_all(&server->waiting);
	close_all(&server->sending);
	close_all(&server->lingering);
	assert(server->open == 0 && server->unsent == 0);
}

void server_free(struct server *server)
{
	assert(server->connections == 0);
	buffer_pool_free(&server->pool);
}
