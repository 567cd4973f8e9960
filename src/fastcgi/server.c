/* SPDX-License-Identifier: MIT */
/* The listening socket and the life of its connections: accept, expire, drain, stop. */
#include "fastcgi/server.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { SWEEP_MS = 250, OVER_LIMIT_MAX = 256 };

static void on_connection(uv_poll_t *poll, int status, int events);

/* Some connections beyond the limit are told 503; beyond those they wait in the listen queue. */
static void update_listener(struct server *server)
{
	const struct peers *peers = &server->peers;
	bool wanted =
	    !peers->draining && peers->open < peers->settings->max_connections + OVER_LIMIT_MAX;

	if (uv_is_closing((uv_handle_t *)&server->listener) || wanted == server->accepting)
		return;
	server->accepting = wanted;
	if (wanted)
		uv_poll_start(&server->listener, UV_READABLE, on_connection);
	else
		uv_poll_stop(&server->listener);
}

static void on_closed(struct peers *peers)
{
	update_listener(list_entry(peers, struct server, peers));
}

/*
 * Without descriptors or memory the listener would be ready for ever: it rests until the next
 * sweep.
 */
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

	if (descriptor >= 0 && peer_open(&server->peers, descriptor))
		return true;
	if (descriptor >= 0)
		rest(server, "no memory");
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		rest(server, strerror(errno));
	return false;
}

/*
 * One connection an event: the other workers take theirs, so that kept connections spread over
 * all.
 */
static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct server *server = poll->data;

	(void)events;
	if (status < 0 || accept_one(server))
		update_listener(server);
}

static void expire(struct peers *peers, enum peer_state state, uint64_t limit, const char *reason)
{
	struct list *list = &peers->in[state];
	uint64_t now = uv_now(peers->loop);

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
	struct peers *peers = &server->peers;
	const struct settings *settings = peers->settings;

	expire(peers, PEER_IDLE, settings->idle_timeout, "idle for idle_timeout");
	expire(peers, PEER_RECEIVING, settings->receive_timeout,
	    "no whole request within receive_timeout");
	expire(peers, PEER_SENDING, settings->send_timeout, "no byte taken for send_timeout");
	expire(peers, PEER_LINGERING, settings->send_timeout,
	    "not closed by the peer within send_timeout");
	update_listener(server);
}

int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings,
    int descriptor, const struct handler *handler)
{
	struct peers *peers = &server->peers;
	int result;

	memset(server, 0, sizeof(*server));
	server->descriptor = descriptor;
	peers->loop = loop;
	peers->settings = settings;
	peers->handler = *handler;
	peers->limits = (struct framing_limits){settings->max_connections, settings->max_requests};
	peers->closed = on_closed;
	for (int state = 0; state < PEER_CLOSED; state++)
		list_init(&peers->in[state]);
	result = uv_poll_init(loop, &server->listener, descriptor);
	if (result != 0)
		return result;
	server->listener.data = server->sweep.data = server;
	uv_timer_init(loop, &server->sweep);
	uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	update_listener(server);
	return 0;
}

size_t server_open(const struct server *server)
{
	return server->peers.open;
}

/*
 * What waits to be accepted is still served, and a request may be on its way to a connection that
 * looks idle: it is read once more before it is closed.
 */
void server_drain(struct server *server)
{
	struct peers *peers = &server->peers;
	struct list idle;

	while (peers->open < peers->settings->max_connections && accept_one(server))
		;
	peers->draining = true;
	update_listener(server);
	list_init(&idle);
	while (!list_empty(&peers->in[PEER_IDLE])) {
		struct list *node = peers->in[PEER_IDLE].next;
		list_remove(node);
		list_append(&idle, node);
	}
	while (!list_empty(&idle)) {
		struct peer *peer = list_entry(idle.next, struct peer, node);

		peer_receive(peer);
		if (peer->state == PEER_IDLE)
			peer_close(peer, "draining");
	}
}

void server_stop(struct server *server)
{
	struct peers *peers = &server->peers;

	peers->draining = true;
	uv_close((uv_handle_t *)&server->listener, NULL);
	uv_close((uv_handle_t *)&server->sweep, NULL);
	for (int state = 0; state < PEER_CLOSED; state++)
		while (!list_empty(&peers->in[state]))
			peer_close(
			    list_entry(peers->in[state].next, struct peer, node), "stopping");
	assert(peers->open == 0 && peers->unsent == 0);
}

void server_free(struct server *server)
{
	assert(server->peers.connections == 0);
	buffer_pool_free(&server->peers.pool);
}
