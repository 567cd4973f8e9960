/* SPDX-License-Identifier: MIT */
/* One connection of the web server: its states, what it receives, how a reply leaves it. */
#include "fastcgi/peer.h"

#include "base/log.h"
#include "base/uninitialized.h"

#include <assert.h>
#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_event(uv_poll_t *poll, int status, int events);

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

static void cancel(struct peer *peer)
{
	void *exchange = peer->exchange;

	framing_close(&peer->framing);
	peer->exchange = NULL;
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
	log_debug("closing a web server's connection: %s", reason);
	cancel(peer);
	peers->unsent -= peer->out.length - peer->sent;
	buffer_return(&peer->in, &peers->pool);
	buffer_return(&peer->out, &peers->pool);
	set_state(peer, PEER_CLOSED);
	peers->open--;
	uv_close((uv_handle_t *)&peer->poll, on_closed);
	close(peer->descriptor);
	peers->closed(peers);
}

/* The state that follows from what is open and what has come; set once all that came has been acted on. */
static void settle(struct peer *peer)
{
	enum peer_state state = PEER_IDLE;

	if (peer->acting || peer->state > PEER_WAITING)
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
	if (!peer->last)
		return;
	if (!peer->unread) {
		peer_close(peer, "its last reply is sent");
		return;
	}
	shutdown(peer->descriptor, SHUT_WR);
	set_state(peer, PEER_LINGERING);
}

/* Sends what the peer takes now. Returns false where it took not all, or the connection is closed. */
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
	else if (peer->state != PEER_CLOSED && (peer->state != PEER_SENDING || peer->sent > before)) {
		set_state(peer, PEER_SENDING);
		watch(peer, UV_WRITABLE);
	}
}

/* Sends what was appended to out since it had that length, or leaves it where something waits already. */
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

void peer_reply(struct peer *peer, const struct iovec *parts, int count)
{
	struct peers *peers = peer->peers;
	size_t before = peer->out.length;

	assert(peer->framing.phase == FRAMING_DUE);
	if (peers->unsent + size_of(parts, count) > peers->settings->max_unsent) {
		log_warning("replying: %zu bytes, beside %zu that wait for slow readers, are more than "
			    "max_unsent allows",
			size_of(parts, count), peers->unsent);
		parts = &peers->handler.overloaded;
		count = 1;
	}
	if (!before)
		buffer_borrow(&peer->out, &peers->pool);
	record_append_stream(&peer->out, FCGI_STDOUT, peer->framing.id, parts, count);
	record_append_end(&peer->out, peer->framing.id, FCGI_REQUEST_COMPLETE);
	peer->last = !peer->framing.keep || peer->surplus;
	peer->unread = peer->surplus;
	framing_close(&peer->framing);
	peer->exchange = NULL;
	send_since(peer, before);
	settle(peer);
}

static void complete(struct peer *peer)
{
	const struct peer_handler *handler = &peer->peers->handler;
	UNINITIALIZED struct parameter pairs[PARAMETERS_MAX];
	size_t count;
	enum parameters_status status = framing_parse(&peer->framing, pairs, &count);

	if (!peer->surplus)
		peer->exchange = handler->begin(handler->context, peer, status, pairs, count);
	framing_forget(&peer->framing);
}

static void end(struct peer *peer)
{
	const struct peer_handler *handler = &peer->peers->handler;

	if (peer->exchange)
		handler->end(peer->exchange);
	else
		peer_reply(peer, &handler->overloaded, 1);
}

static void send_answer(struct peer *peer, size_t before, bool last)
{
	peer->last = peer->unread = last;
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
	case FRAMING_BEGUN:
		set_state(peer, PEER_RECEIVING); /* its time runs from here, whatever was before it */
		break;
	case FRAMING_COMPLETE:
		complete(peer);
		break;
	case FRAMING_ENDED:
		end(peer);
		break;
	case FRAMING_ABORTED:
		cancel(peer);
		if (!before)
			buffer_borrow(&peer->out, &peer->peers->pool);
		record_append_end(&peer->out, peer->framing.id, FCGI_REQUEST_COMPLETE);
		send_answer(peer, before, !peer->framing.keep);
		break;
	case FRAMING_ANSWERED:
	case FRAMING_LAST:
		send_answer(peer, before, event == FRAMING_LAST);
		break;
	case FRAMING_BROKEN:
		peer_close(peer, peer->framing.fault);
		break;
	}
}

/* Acts on bytes until no whole record is left, a reply blocks, or nothing more is wanted. Returns how many
 * are done with. */
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
static void keep_rest(struct peer *peer, bool kept, const unsigned char *rest, size_t taken, size_t left)
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
	peer->acting = true;
	taken = act_on(peer, bytes, length);
	peer->acting = false;
	if (peer->state == PEER_CLOSED)
		return;
	keep_rest(peer, kept, bytes + taken, taken, length - taken);
	settle(peer);
}

void peer_receive(struct peer *peer)
{
	struct peers *peers = peer->peers;
	ssize_t got = recv(peer->descriptor, peers->received, sizeof(peers->received), 0);

	if (got > 0)
		received(peer, peers->received, (size_t)got);
	else if (got == 0)
		peer_close(peer, "the peer has closed it");
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
	received(peer, NULL, 0);
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
	peer->surplus = peers->open >= peers->settings->max_connections;
	list_init(&peer->node);
	peers->connections++;
	peers->open++;
	set_state(peer, PEER_IDLE);
	watch(peer, UV_READABLE);
	return true;
}
