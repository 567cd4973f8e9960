/* SPDX-License-Identifier: MIT */
/* The listening socket and the life of its connections: accept, expire, drain, stop. */
#include "fastcgi/server.h"

#include "base/metric.h"
#include "event.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NOT_ALLOWED = -2, HIGHEST_FIRST = 63, POLLED_MAX = 32 };

enum {
	SWEEP_MS = 250,
	OVER_LIMIT_MAX = 256,
	FIRST_WORD_MS = 500,
	KEPT_DESCRIPTORS = 8,
	FOREIGN_FEW = 5 /* lines about addresses that are sent away, one after the other */
};

static void on_connection(uv_poll_t *poll, int status, int events);

static void watch_gates(struct server *server, bool wanted)
{
	server->accepting = wanted;
	for (size_t i = 0; i < server->count; i++)
		if (wanted)
			uv_poll_start(&server->gates[i].poll, UV_READABLE, on_connection);
		else
			uv_poll_stop(&server->gates[i].poll);
}

/*
 * Without a descriptor a session that is lost would not come back before a client goes: the last ones
 * are kept back, of few a quarter.
 */
static int first_kept(void)
{
	struct rlimit limit;
	int few;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	few = (int)limit.rlim_cur / 4;
	return (int)limit.rlim_cur - (few < KEPT_DESCRIPTORS ? few : KEPT_DESCRIPTORS);
}

/* Some connections beyond the limit are told 503; beyond those they wait in the listen queue. */
static void update_gates(struct server *server)
{
	const struct peers *peers = &server->peers;
	bool wanted = !peers->draining && !server->tight &&
		      peers->open < peers->settings->max_connections + OVER_LIMIT_MAX;

	if (wanted != server->accepting)
		watch_gates(server, wanted);
}

static void on_closed(struct peers *peers)
{
	struct server *server = list_entry(peers, struct server, peers);

	server->tight = false; /* its descriptor is free: the system gives the lowest one */
	update_gates(server);
}

static void say_resting(struct server *server, const char *reason)
{
	metric_add(METRIC_WAITS_DESCRIPTOR, 1);
	if (debounce_take(&server->resting, uv_now(server->peers.loop)))
		log_event(&event_connection_unaccepted,
		    "accepting a connection: %s; trying again when one is closed", reason);
}

/*
 * Without descriptors or memory the listener would be ready for ever: it rests until the next
 * sweep.
 */
static void rest(struct server *server, const char *reason)
{
	say_resting(server, reason);
	watch_gates(server, false);
}

/* Each address once; and whoever comes from one after the other fills no log either. */
static void say_foreign(struct server *server, const struct sockaddr_storage *peer)
{
	if (allowed_is_news(peer) &&
	    debounce_take_some(&server->foreign, uv_now(server->peers.loop), FOREIGN_FEW))
		allowed_tell(peer);
}

/* The descriptor of who waits; -1 as accept4, NOT_ALLOWED for who was sent away. */
static int accept_allowed(const struct server_gate *gate)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(peer);
	int descriptor = accept4(
	    gate->descriptor, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (descriptor < 0 || allowed_has(&gate->server->allowed, &peer))
		return descriptor;
	metric_add(METRIC_FASTCGI_NOT_ALLOWED, 1);
	say_foreign(gate->server, &peer);
	close(descriptor);
	return NOT_ALLOWED;
}

/* Takes one connection; false where none waits, or none can be taken now. */
static bool accept_one(struct server_gate *gate)
{
	struct server *server = gate->server;
	int descriptor = accept_allowed(gate);

	if (descriptor == NOT_ALLOWED)
		return true;
	if (descriptor > server->highest)
		server->highest = descriptor;
	server->tight = descriptor + 1 >= server->first_kept;
	if (server->tight)
		say_resting(server, strerror(EMFILE));
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
	struct server_gate *gate = poll->data;

	(void)events;
	if (status < 0 || accept_one(gate))
		update_gates(gate->server);
}

static void expire(struct peers *peers, enum peer_state state, uint64_t limit, const char *reason)
{
	struct list *list = &peers->in[state];
	uint64_t now = uv_now(peers->loop);

	while (!list_empty(list)) {
		struct peer *oldest = list_entry(list->next, struct peer, node);

		if (now - oldest->since < limit)
			return;
		if (state == PEER_RECEIVING || state == PEER_SENDING)
			metric_add(
			    state == PEER_SENDING ? METRIC_FASTCGI_SEND : METRIC_FASTCGI_RECEIVE,
			    1);
		peer_close(oldest, reason);
	}
}

static void sum_up(
    const struct log_event *event, struct debounce *debounce, uint64_t now, const char *what)
{
	unsigned count = debounce_turn(debounce, now);

	if (count)
		log_event(
		    event, "%s: %u times more in the last %d s", what, count, DEBOUNCE_MS / 1000);
}

static void on_sweep(uv_timer_t *timer)
{
	struct server *server = timer->data;
	struct peers *peers = &server->peers;
	const struct settings *settings = peers->settings;

	if (peers->draining)
		expire(peers, PEER_IDLE, FIRST_WORD_MS, "draining, and nothing was asked");
	else
		expire(peers, PEER_IDLE, settings->idle_timeout, "idle for idle_timeout");
	expire(peers, PEER_RECEIVING, settings->receive_timeout,
	    "no whole request within receive_timeout");
	expire(peers, PEER_SENDING, settings->send_timeout, "no byte taken for send_timeout");
	expire(peers, PEER_LINGERING, settings->send_timeout,
	    "not closed by the peer within send_timeout");
	sum_up(&event_connection_shed, &peers->crowded, uv_now(peers->loop),
	    "connections beyond max_connections, answered 503");
	sum_up(&event_reply_shed, &peers->unread, uv_now(peers->loop),
	    "replies beyond max_unsent, answered 503 instead");
	sum_up(&event_connection_unaccepted, &server->resting, uv_now(peers->loop),
	    "no descriptor or no memory for a connection");
	sum_up(&event_connection_foreign, &server->foreign, uv_now(peers->loop),
	    "addresses that FCGI_WEB_SERVER_ADDRS does not name, sent away");
	update_gates(server);
}

static int open_gate(struct server *server, int descriptor)
{
	struct server_gate *gate = &server->gates[server->count];
	int result = uv_poll_init(server->peers.loop, &gate->poll, descriptor);

	if (result != 0)
		return result;
	*gate =
	    (struct server_gate){.poll = gate->poll, .server = server, .descriptor = descriptor};
	gate->poll.data = gate;
	server->count++;
	return 0;
}

static void start_peers(struct peers *peers)
{
	peers->limits = (struct framing_limits){
	    peers->settings->max_connections, peers->settings->max_requests};
	peers->closed = on_closed;
	for (int state = 0; state < PEER_CLOSED; state++)
		list_init(&peers->in[state]);
}

int server_start(struct server *server, uv_loop_t *loop, const struct settings *settings,
    const struct listeners *listeners, const struct handler *handler)
{
	struct peers *peers = &server->peers;
	char error[300];
	int result = 0;

	memset(server, 0, sizeof(*server));
	if (!allowed_load(&server->allowed, error, sizeof(error)))
		return UV_EINVAL;
	peers->loop = loop;
	peers->settings = settings;
	peers->handler = *handler;
	start_peers(peers);
	for (size_t i = 0; i < listeners->fastcgi && result == 0; i++)
		result = open_gate(server, listeners->all[i].descriptor);
	if (result != 0)
		return result;
	server->first_kept = first_kept();
	server->highest = HIGHEST_FIRST;
	server->sweep.data = server;
	uv_timer_init(loop, &server->sweep);
	uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	update_gates(server);
	return 0;
}

size_t server_count_descriptors(struct server *server)
{
	struct pollfd some[POLLED_MAX];
	int next = 0, size, open = 0;

	while (next <= server->highest) {
		size = server->highest + 1 - next < POLLED_MAX ? server->highest + 1 - next
							       : POLLED_MAX;
		for (int i = 0; i < size; i++)
			some[i] = (struct pollfd){.fd = next + i};
		if (poll(some, (nfds_t)size, 0) < 0)
			return 0;
		for (int i = 0; i < size; i++)
			open += !(some[i].revents & POLLNVAL);
		next += size;
	}
	return (size_t)open;
}

size_t server_open(const struct server *server)
{
	return server->peers.open;
}

/*
 * Descriptor 0 is kept from others: what is opened next is not to be taken for standard input. In a
 * sandbox there is no /dev/null to be opened any more; the log, which nobody reads from, does it.
 */
static void close_descriptor(int descriptor)
{
	if (descriptor != STDIN_FILENO || dup2(STDERR_FILENO, descriptor) < 0)
		close(descriptor);
}

/* Nobody comes any more: also what waits in the queue of a socket that no process has open any more is refused. */
static void close_gates(struct server *server)
{
	if (server->accepting)
		watch_gates(server, false);
	for (size_t i = 0; i < server->count; i++) {
		uv_close((uv_handle_t *)&server->gates[i].poll, NULL);
		close_descriptor(server->gates[i].descriptor);
		server->gates[i].descriptor = -1;
	}
	server->count = 0;
}

/* At most as many as there are places, also of those who are sent away: they could come for ever. */
static void accept_rest(struct server *server)
{
	const struct peers *peers = &server->peers;

	for (size_t i = 0; i < server->count; i++)
		for (size_t left = peers->settings->max_connections; left; left--)
			if (peers->open >= peers->settings->max_connections ||
			    !accept_one(&server->gates[i]))
				break;
}

/* A request may be on its way to a connection that looks idle: it is read once more before it is closed. */
static void close_idle(struct peers *peers)
{
	struct list idle;

	list_init(&idle);
	while (!list_empty(&peers->in[PEER_IDLE])) {
		struct list *node = peers->in[PEER_IDLE].next;
		list_remove(node);
		list_append(&idle, node);
	}
	while (!list_empty(&idle)) {
		struct peer *peer = list_entry(idle.next, struct peer, node);

		peer_receive(peer);
		if (peer->state == PEER_IDLE && peer->asked)
			peer_close(peer, "draining");
		else if (peer->state == PEER_IDLE) {
			list_remove(&peer->node);
			list_append(&peers->in[PEER_IDLE], &peer->node);
		}
	}
}

void server_drain(struct server *server)
{
	accept_rest(server);
	server->peers.draining = true;
	close_gates(server);
	close_idle(&server->peers);
}

void server_stop(struct server *server)
{
	struct peers *peers = &server->peers;

	peers->draining = true;
	close_gates(server);
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
