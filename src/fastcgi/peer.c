/* SPDX-License-Identifier: MIT */
/* One connection of the web server: its states, what it receives, how a reply leaves it. */
#include "fastcgi/peer.h"

#include "base/metric.h"
#include "base/uninitialized.h"
#include "event.h"

#include <assert.h>
#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_event(uv_poll_t *poll, int status, int events);

/* What holds between two events. */
static void peer_check(const struct peer *peer)
{
	const struct framing *framing = &peer->framing;

	assert(peer->sent <= peer->out.length);
	assert((peer->state == PEER_SENDING) == (peer->out.length > 0));
	assert(peer->state != PEER_IDLE ||
	       (framing->phase == FRAMING_NONE && !peer->in.length && !framing->skip));
	assert(peer->state != PEER_WAITING || (framing->phase == FRAMING_DUE && peer->exchange));
	assert(!peer->exchange || framing->phase == FRAMING_BODY || framing->phase == FRAMING_DUE);
	assert(peer->state != PEER_LINGERING || peer->closing);
	assert(
	    peer->state != PEER_CLOSED || (!peer->exchange && !peer->in.data && !peer->out.data));
	assert(list_empty(&peer->node) == (peer->state == PEER_CLOSED));
	(void)framing;
}

/* The only place that changes the state. */
static void set_state(struct peer *peer, enum peer_state state)
{
	assert(peer->state != PEER_CLOSED);
	list_remove(&peer->node);
	if (state != PEER_CLOSED)
		list_append(&peer->peers->in[state], &peer->node);
	peer->state = state;
	peer->since = uv_now(peer->peers->loop);
}

static void watch(struct peer *peer, int events)
{
	if (peer->events == events)
		return;
	peer->events = events;
	uv_poll_start(&peer->poll, events, on_event);
}

/* The open request is over. */
static void close_request(struct peer *peer)
{
	framing_close(&peer->framing);
	peer->exchange = NULL;
	buffer_return(&peer->response, &peer->peers->pool);
}

static void cancel(struct peer *peer)
{
	void *exchange = peer->exchange;

	close_request(peer);
	if (exchange)
		peer->peers->handler.cancel(exchange);
}

static void on_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data;

	peer->peers->connections--;
	free(peer);
}

void peer_close(struct peer *peer, const char *reason)
{
	struct peers *peers = peer->peers;

	if (peer->state == PEER_CLOSED)
		return;
	log_event(&event_connection_closed, "closing a web server's connection: %s", reason);
	cancel(peer);
	peers->unsent -= peer->out.length - peer->sent;
	buffer_return(&peer->in, &peers->pool);
	buffer_return(&peer->out, &peers->pool);
	peer->sent = 0;
	set_state(peer, PEER_CLOSED);
	peers->open--;
	metric_add(METRIC_CONNECTIONS, (uint64_t)-1);
	uv_close((uv_handle_t *)&peer->poll, on_closed);
	close(peer->descriptor);
	peers->closed(peers);
}

/*
 * The state that follows from what is open and what has come; set once all that came has been
 * acted on.
 */
static void settle(struct peer *peer)
{
	enum peer_state state = PEER_IDLE;

	if (peer->state > PEER_WAITING)
		return;
	if (peer->framing.phase != FRAMING_NONE)
		state = peer->framing.phase == FRAMING_DUE ? PEER_WAITING : PEER_RECEIVING;
	else if (peer->in.length || peer->framing.skip)
		state = PEER_RECEIVING;
	else if (peer->peers->draining) {
		peer_close(peer, "draining");
		return;
	}
	if (state != peer->state)
		set_state(peer, state);
}

static void all_sent(struct peer *peer)
{
	buffer_return(&peer->out, &peer->peers->pool);
	peer->sent = 0;
	if (!peer->closing)
		return;
	if (!peer->lingers) {
		peer_close(peer, "its last reply is sent");
		return;
	}
	shutdown(peer->descriptor, SHUT_WR);
	set_state(peer, PEER_LINGERING);
}

/*
 * Sends what the peer takes now. Returns false where it took not all, or the connection is
 * closed.
 */
static bool send_out(struct peer *peer)
{
	while (peer->sent < peer->out.length) {
		ssize_t took = send(peer->descriptor, peer->out.data + peer->sent,
		    peer->out.length - peer->sent, MSG_NOSIGNAL);

		if (took < 0 && errno == EINTR)
			continue;
		if (took < 0 && errno != EAGAIN)
			peer_close(peer, strerror(errno));
		if (took < 0)
			return false;
		peer->sent += (size_t)took;
		peer->peers->unsent -= (size_t)took;
	}
	return true;
}

/* Sends what out holds, as far as the peer takes it. */
static void flush(struct peer *peer)
{
	size_t before = peer->sent;

	if (peer->out.failed)
		peer_close(peer, "no memory for its reply");
	else if (send_out(peer))
		all_sent(peer);
	else if (peer->state != PEER_CLOSED &&
		 (peer->state != PEER_SENDING || peer->sent > before)) {
		set_state(peer, PEER_SENDING);
		watch(peer, UV_WRITABLE);
	}
}

/*
 * Sends what was appended to out since it had that length, or leaves it where something waits
 * already.
 */
static void send_since(struct peer *peer, size_t length)
{
	peer->peers->unsent += peer->out.length - length;
	if (peer->state != PEER_SENDING)
		flush(peer);
}

static size_t size_of(const struct iovec *parts, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	return size;
}

static void say_unread(const struct peer *peer, size_t size)
{
	const struct peers *peers = peer->peers;
	const char *id = peer->exchange ? peers->handler.id(peer->exchange) : "";

	log_request(&event_reply_shed, id,
	    "replying (request %s): %zu bytes, beside %zu that wait for slow readers, are more "
	    "than max_unsent allows",
	    *id ? id : "without id", size, peers->unsent);
}

/* The parts, or, where too much waits for slow readers already, what is said then. */
static void append_reply(struct peer *peer, const struct iovec *parts, int count)
{
	struct peers *peers = peer->peers;

	if (peers->unsent + size_of(parts, count) > peers->settings->max_unsent) {
		if (debounce_take(&peers->unread, uv_now(peers->loop)))
			say_unread(peer, size_of(parts, count));
		metric_add(METRIC_SHED_UNSENT, 1);
		parts = &peers->handler.overloaded;
		count = 1;
	}
	if (!peer->out.length)
		buffer_borrow(&peer->out, &peers->pool);
	record_append_stream(&peer->out, FCGI_STDOUT, peer->framing.id, parts, count);
	record_append_end(&peer->out, peer->framing.id, FCGI_REQUEST_COMPLETE);
}

static void reply(struct peer *peer, const struct iovec *parts, int count)
{
	size_t before = peer->out.length;

	assert(peer->framing.phase == FRAMING_DUE);
	append_reply(peer, parts, count);
	peer->closing = !peer->framing.keep || peer->over_limit;
	peer->lingers = peer->over_limit;
	close_request(peer);
	send_since(peer, before);
}

void peer_reply(void *client, const struct iovec *parts, int count)
{
	struct peer *peer = client;

	reply(peer, parts, count);
	settle(peer);
	peer_check(peer);
}

static void complete(struct peer *peer)
{
	const struct handler *handler = &peer->peers->handler;
	UNINITIALIZED struct parameter pairs[PARAMETERS_MAX];
	size_t count;
	enum parameters_status status = framing_parse(&peer->framing, pairs, &count);

	peer->body_since = uv_now(peer->peers->loop);
	if (peer->over_limit) {
		metric_add(METRIC_SHED_CONNECTIONS, 1);
		metric_add(METRIC_REQUESTS_503, 1);
	} else {
		buffer_borrow(&peer->response, &peer->peers->pool);
		peer->exchange =
		    handler->begin(handler->context, peer, status, pairs, count, &peer->response);
	}
	if (peer->exchange)
		buffer_return(&peer->response, &peer->peers->pool);
	framing_forget(&peer->framing);
}

/* Without an exchange the response is known: what was answered, or that there is no room. */
static void end(struct peer *peer)
{
	const struct handler *handler = &peer->peers->handler;
	struct iovec response;

	if (peer->exchange && handler->end(peer->exchange, &peer->response))
		return;
	peer->exchange = NULL;
	response = (struct iovec){peer->response.data, peer->response.length};
	reply(
	    peer, response.iov_len && !peer->response.failed ? &response : &handler->overloaded, 1);
}

static void fail(struct peer *peer, enum metric metric, const char *reason)
{
	metric_add(metric, 1);
	peer_close(peer, reason);
}

/* A peer that sends a byte now and then makes progress for ever: the body as a whole has a limit. */
static void go_on(struct peer *peer)
{
	const struct peers *peers = peer->peers;

	if (peer->framing.phase == FRAMING_BODY &&
	    uv_now(peers->loop) - peer->body_since >= peers->settings->body_timeout)
		fail(peer, METRIC_FASTCGI_BODY, "no whole body within body_timeout");
	else
		set_state(peer, PEER_RECEIVING);
}

/* What the protocol itself answers is a refusal, but for values that were asked for. */
static void count_answer(const unsigned char *bytes)
{
	const FCGI_EndRequestRecord *end = (const void *)bytes;

	if (end->header.type == FCGI_UNKNOWN_TYPE)
		metric_add(METRIC_FASTCGI_TYPE, 1);
	else if (end->header.type == FCGI_END_REQUEST)
		metric_add(end->body.protocolStatus == FCGI_CANT_MPX_CONN
			       ? METRIC_FASTCGI_MULTIPLEXED
			       : METRIC_FASTCGI_ROLE,
		    1);
}

static void send_answer(struct peer *peer, size_t before, bool closing)
{
	peer->closing = peer->lingers = closing;
	send_since(peer, before);
}

/* before: how much out held when that happened. */
static void act(struct peer *peer, enum framing_event event, size_t before)
{
	switch (event) {
	case FRAMING_MORE:
	case FRAMING_NOTHING:
		break;
	case FRAMING_PROGRESS:
		go_on(peer);
		break;
	case FRAMING_BEGUN:
		peer->asked = true;
		set_state(
		    peer, PEER_RECEIVING); /* its time runs from here, whatever was before it */
		break;
	case FRAMING_COMPLETE:
		complete(peer);
		break;
	case FRAMING_ENDED:
		end(peer);
		break;
	case FRAMING_ABORTED:
		metric_add(METRIC_FASTCGI_ABORTED, 1);
		cancel(peer);
		if (!before)
			buffer_borrow(&peer->out, &peer->peers->pool);
		record_append_end(&peer->out, peer->framing.id, FCGI_REQUEST_COMPLETE);
		send_answer(peer, before, !peer->framing.keep);
		break;
	case FRAMING_ANSWERED:
	case FRAMING_LAST:
		count_answer(peer->out.data + before);
		send_answer(peer, before, event == FRAMING_LAST);
		break;
	case FRAMING_BROKEN:
		fail(peer, METRIC_FASTCGI_PROTOCOL, peer->framing.fault);
		break;
	}
}

/*
 * Acts on bytes until no whole record is left, a reply blocks, or nothing more is wanted. Returns
 * how many are done with.
 */
static size_t act_on(struct peer *peer, const unsigned char *bytes, size_t length)
{
	enum framing_event event = FRAMING_NOTHING;
	size_t at = 0, taken, before;

	while (event != FRAMING_MORE && peer->state < PEER_SENDING) {
		before = peer->out.length;
		event = framing_take(&peer->framing, bytes + at, length - at, &taken, &peer->out);
		at += taken;
		act(peer, event, before);
	}
	return peer->state == PEER_LINGERING ? length : at;
}

/* Keeps the bytes that were not taken for later. */
static void keep_rest(
    struct peer *peer, bool kept, const unsigned char *rest, size_t taken, size_t left)
{
	if (kept)
		buffer_drop(&peer->in, taken);
	else if (left) {
		buffer_borrow(&peer->in, &peer->peers->pool);
		buffer_append(&peer->in, rest, left);
	}
	if (peer->in.failed)
		peer_close(peer, "no memory for what it sent");
	else if (!peer->in.length)
		buffer_return(&peer->in, &peer->peers->pool);
}

static void received(struct peer *peer, const unsigned char *bytes, size_t length)
{
	bool kept = peer->in.length > 0;
	size_t taken;

	if (peer->state == PEER_LINGERING)
		return;
	if (kept) {
		buffer_append(&peer->in, bytes, length);
		bytes = peer->in.data;
		length = peer->in.length;
	}
	taken = act_on(peer, bytes, length);
	if (peer->state == PEER_CLOSED)
		return;
	keep_rest(peer, kept, bytes + taken, taken, length - taken);
	settle(peer);
}

static void leave(struct peer *peer)
{
	if (peer->state != PEER_IDLE && peer->state != PEER_LINGERING)
		metric_add(METRIC_FASTCGI_GONE, 1);
	peer_close(peer, "the peer has closed it");
}

void peer_receive(struct peer *peer)
{
	struct peers *peers = peer->peers;
	ssize_t got = recv(peer->descriptor, peers->received, sizeof(peers->received), 0);

	if (got > 0)
		received(peer, peers->received, (size_t)got);
	else if (got == 0)
		leave(peer);
	else if (errno != EAGAIN && errno != EINTR)
		peer_close(peer, strerror(errno));
}

/* The reader is back: once it has all, what came meanwhile is acted on. */
static void resume(struct peer *peer)
{
	flush(peer);
	if (peer->state == PEER_CLOSED || peer->out.length)
		return;
	watch(peer, UV_READABLE);
	if (peer->state == PEER_LINGERING)
		return;
	set_state(peer, PEER_IDLE);
	received(peer, peer->peers->received, 0);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct peer *peer = poll->data;

	if (status < 0)
		peer_close(peer, uv_strerror(status));
	else if (events & UV_WRITABLE)
		resume(peer);
	else if (events & UV_READABLE)
		peer_receive(peer);
	peer_check(peer);
}

bool peer_open(struct peers *peers, int descriptor)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer || uv_poll_init(peers->loop, &peer->poll, descriptor) != 0) {
		free(peer);
		close(descriptor);
		return false;
	}
	peer->peers = peers;
	peer->descriptor = descriptor;
	peer->poll.data = peer;
	peer->framing.limits = &peers->limits;
	peer->framing.pool = &peers->pool;
	peer->over_limit = peers->open >= peers->settings->max_connections;
	if (peer->over_limit && debounce_take(&peers->crowded, uv_now(peers->loop)))
		log_event(&event_connection_shed,
		    "accepting a connection: %zu are open, max_connections; it is answered 503",
		    peers->open);
	list_init(&peer->node);
	peers->connections++;
	peers->open++;
	metric_add(METRIC_CONNECTIONS, 1);
	set_state(peer, PEER_IDLE);
	watch(peer, UV_READABLE);
	return true;
}
