/* SPDX-License-Identifier: MIT */
/* One connection of the web server: its states, what it receives, how a reply leaves it. */
#include "fastcgi/peer.h"

#include "base/log.h"
#include "fastcgi/protocol.h"

#include <assert.h>
#include <errno.h>
#include <fastcgi.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct list *list_of(struct server *server, enum peer_state state)
{
	switch (state) {
	case PEER_IDLE:
		return &server->idle;
	case PEER_RECEIVING:
		return &server->receiving;
	case PEER_WAITING:
		return &server->waiting;
	case PEER_SENDING:
		return &server->sending;
	case PEER_LINGERING:
		return &server->lingering;
	default:
		return NULL;
	}
}

void peer_set_state(struct peer *peer, enum peer_state state)
{
	struct list *list = list_of(peer->server, state);

	assert(peer->state != PEER_CLOSED);
	list_remove(&peer->node);
	if (list)
		list_append(list, &peer->node);
	peer->state = state;
	peer->since = uv_now(peer->server->loop);
}

/* The state that follows from what is open and what has come; set once all that came has been acted on. */
static void settle(struct peer *peer)
{
	enum peer_state state = PEER_IDLE;

	if (peer->parsing || peer->state == PEER_CLOSED || peer->state == PEER_SENDING ||
		peer->state == PEER_LINGERING)
		return;
	if (peer->requested)
		state = peer->ended ? PEER_WAITING : PEER_RECEIVING;
	else if (peer->in.length || peer->skip)
		state = PEER_RECEIVING;
	else if (peer->server->draining) {
		peer_close(peer, "draining");
		return;
	}
	if (state != peer->state)
		peer_set_state(peer, state);
}

static void end_request(struct peer *peer)
{
	peer->requested = peer->complete = peer->ended = false;
	peer->refused = PARAMETERS_GOOD;
	peer->exchange = NULL;
	buffer_return(&peer->parameters, &peer->server->pool);
}

void peer_cancel(struct peer *peer)
{
	void *exchange = peer->exchange;

	end_request(peer);
	if (exchange)
		peer->server->handler.cancel(exchange);
}

static void all_sent(struct peer *peer)
{
	buffer_return(&peer->out, &peer->server->pool);
	peer->sent = 0;
	if (!peer->last)
		return;
	if (!peer->unread) {
		peer_close(peer, "its last reply is sent");
		return;
	}
	shutdown(peer->descriptor, SHUT_WR);
	peer_set_state(peer, PEER_LINGERING);
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
		peer->server->unsent -= (size_t)took;
	}
	return true;
}

void peer_flush(struct peer *peer)
{
	bool blocked = peer->state == PEER_SENDING;
	size_t before = peer->sent;

	if (peer->out.failed) {
		peer_close(peer, "no memory for its reply");
		return;
	}
	if (!send_out(peer)) {
		if (peer->state != PEER_CLOSED && (!blocked || peer->sent > before)) {
			peer_set_state(peer, PEER_SENDING);
			peer_watch(peer, UV_WRITABLE);
		}
		return;
	}
	all_sent(peer);
	if (!blocked || peer->state == PEER_CLOSED)
		return;
	peer_watch(peer, UV_READABLE);
	if (peer->state == PEER_LINGERING)
		return;
	peer_set_state(peer, PEER_IDLE);
	peer_received(peer, NULL, 0);
}

size_t peer_start_out(struct peer *peer)
{
	if (!peer->out.length)
		buffer_borrow(&peer->out, &peer->server->pool);
	return peer->out.length;
}

void peer_send_from(struct peer *peer, size_t start)
{
	peer->server->unsent += peer->out.length - start;
	if (peer->state != PEER_SENDING)
		peer_flush(peer);
}

static size_t size_of(const struct iovec *parts, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += parts[i].iov_len;
	return size;
}

void server_reply(struct peer *peer, const struct iovec *parts, int count)
{
	struct server *server = peer->server;
	size_t start = peer_start_out(peer);

	assert(peer->requested && peer->ended);
	if (server->unsent + size_of(parts, count) > server->settings->max_unsent) {
		log_warning("replying: %zu bytes, beside %zu that wait for slow readers, are more than "
			    "max_unsent allows",
			size_of(parts, count), server->unsent);
		parts = &server->handler.overloaded;
		count = 1;
	}
	record_append_stream(&peer->out, FCGI_STDOUT, peer->id, parts, count);
	record_append_end(&peer->out, peer->id, FCGI_REQUEST_COMPLETE);
	peer->last = !peer->keep || peer->surplus;
	peer->unread = peer->surplus;
	end_request(peer);
	peer_send_from(peer, start);
	settle(peer);
}

/* Keeps the bytes that were not taken for later. */
static void keep_rest(struct peer *peer, bool kept, const unsigned char *rest, size_t taken, size_t left)
{
	if (kept)
		buffer_drop(&peer->in, taken);
	else if (left) {
		buffer_borrow(&peer->in, &peer->server->pool);
		buffer_append(&peer->in, rest, left);
	}
	if (peer->in.failed)
		peer_close(peer, "no memory for what it sent");
	else if (!peer->in.length)
		buffer_return(&peer->in, &peer->server->pool);
}

void peer_received(struct peer *peer, const unsigned char *bytes, size_t length)
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
	peer->parsing = true;
	taken = protocol_take_records(peer, bytes, length);
	peer->parsing = false;
	if (peer->state == PEER_CLOSED)
		return;
	keep_rest(peer, kept, bytes + taken, taken, length - taken);
	settle(peer);
}
