/* SPDX-License-Identifier: MIT */
/* What FastCGI 1.0 has a peer's records mean: requests begun, parameters, the end of STDIN, management. */
#include "fastcgi/protocol.h"

#include "base/uninitialized.h"
#include "fastcgi/record.h"

#include <fastcgi.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_MAX_SIZE = 1024 };

/* Ends the open or refused request without a reply. */
static void send_end(struct peer *peer, unsigned id, unsigned status, bool last)
{
	size_t start = peer_start_out(peer);

	record_append_end(&peer->out, id, status);
	peer->last = peer->unread = last;
	peer_send_from(peer, start);
}

static void begin(struct peer *peer, const struct record *record, const unsigned char *content)
{
	struct record_begin begin = record_decode_begin(content);

	if (peer->requested && record->id == peer->id) {
		peer_close(peer, "a second FCGI_BEGIN_REQUEST of the open request");
		return;
	}
	if (peer->requested) {
		send_end(peer, record->id, FCGI_CANT_MPX_CONN, false);
		return;
	}
	if (begin.role != FCGI_RESPONDER) {
		send_end(peer, record->id, FCGI_UNKNOWN_ROLE, !begin.keep_connection);
		return;
	}
	peer->requested = true;
	peer_set_state(peer, PEER_RECEIVING); /* its time runs from here, whatever was before it */
	peer->keep = begin.keep_connection;
	peer->id = record->id;
}

static void complete_parameters(struct peer *peer)
{
	struct server_handler *handler = &peer->server->handler;
	UNINITIALIZED struct parameter pairs[PARAMETERS_MAX];
	size_t count = 0;

	peer->complete = true;
	if (peer->refused == PARAMETERS_GOOD)
		peer->refused = record_parse_parameters(
			peer->parameters.data, peer->parameters.length, pairs, PARAMETERS_MAX, &count);
	if (!peer->surplus)
		peer->exchange = handler->begin(handler->context, peer, peer->refused, pairs, count);
	buffer_return(&peer->parameters, &peer->server->pool);
}

static void take_parameters(struct peer *peer, const struct record *record, const unsigned char *content)
{
	if (!record->content_length) {
		complete_parameters(peer);
		return;
	}
	if (!peer->parameters.length)
		buffer_borrow(&peer->parameters, &peer->server->pool);
	buffer_append(&peer->parameters, content, record->content_length);
	if (peer->parameters.failed)
		peer_close(peer, "no memory for its parameters");
}

static void end_stdin(struct peer *peer)
{
	struct server_handler *handler = &peer->server->handler;

	peer->ended = true;
	if (peer->exchange)
		handler->end(peer->exchange);
	else
		server_reply(peer, &handler->overloaded, 1);
}

static void abort_request(struct peer *peer)
{
	bool last = !peer->keep;

	peer_cancel(peer);
	send_end(peer, peer->id, FCGI_REQUEST_COMPLETE, last);
}

/* The variables that a web server may ask for (FastCGI 1.0, section 4.1), and no others. */
static void send_values(struct peer *peer, const unsigned char *content, size_t length)
{
	const struct settings *settings = peer->server->settings;
	struct parameter asked[PARAMETERS_MAX];
	struct buffer values = {0};
	char number[24];
	size_t count, start;

	if (record_parse_parameters(content, length, asked, PARAMETERS_MAX, &count) != PARAMETERS_GOOD) {
		peer_close(peer, "a malformed FCGI_GET_VALUES");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *known[] = {FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS};
		unsigned long long limits[] = {settings->max_connections, settings->max_requests, 0};

		for (size_t k = 0; k < 3; k++) {
			if (asked[i].name_length != strlen(known[k]) ||
				memcmp(asked[i].name, known[k], asked[i].name_length) != 0)
				continue;
			snprintf(number, sizeof(number), "%llu", limits[k]);
			record_append_parameter(&values, known[k], number);
		}
	}
	start = peer_start_out(peer);
	record_append(&peer->out, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, values.data, values.length);
	buffer_free(&values);
	peer_send_from(peer, start);
}

static void manage(struct peer *peer, const struct record *record, const unsigned char *content)
{
	size_t start;

	if (record->type == FCGI_GET_VALUES) {
		send_values(peer, content, record->content_length);
		return;
	}
	start = peer_start_out(peer);
	record_append_unknown_type(&peer->out, record->type);
	peer_send_from(peer, start);
}

enum use {
	WHOLE,  /* act on it once its content is here */
	HEADER, /* act on its header, throw its content away */
	IGNORE, /* throw it away */
	REFUSE  /* the peer breaks the protocol: close */
};

static enum use use_parameters(struct peer *peer, const struct record *record)
{
	if (peer->complete)
		return REFUSE;
	if (peer->parameters.length + record->content_length > PARAMETERS_MAX_SIZE) {
		peer->refused = PARAMETERS_TOO_LARGE;
		buffer_return(&peer->parameters, &peer->server->pool);
	}
	return peer->refused && record->content_length ? IGNORE : WHOLE;
}

static enum use use_of(struct peer *peer, const struct record *record)
{
	bool open = peer->requested && record->id == peer->id;

	if (record->id == FCGI_NULL_REQUEST_ID) {
		if (record->type == FCGI_GET_VALUES)
			return record->content_length <= VALUES_MAX_SIZE ? WHOLE : REFUSE;
		return record->type >= FCGI_BEGIN_REQUEST && record->type <= FCGI_DATA ? REFUSE : HEADER;
	}
	if (record->type == FCGI_BEGIN_REQUEST)
		return record->content_length == RECORD_BEGIN_SIZE ? WHOLE : REFUSE;
	if (!open)
		return IGNORE;
	if (record->type == FCGI_PARAMS)
		return use_parameters(peer, record);
	if (record->type == FCGI_ABORT_REQUEST)
		return HEADER;
	if (record->type != FCGI_STDIN || !peer->complete || peer->ended)
		return REFUSE;
	return record->content_length ? IGNORE : WHOLE;
}

static void act(struct peer *peer, const struct record *record, const unsigned char *content)
{
	if (record->id == FCGI_NULL_REQUEST_ID)
		manage(peer, record, content);
	else if (record->type == FCGI_BEGIN_REQUEST)
		begin(peer, record, content);
	else if (record->type == FCGI_PARAMS)
		take_parameters(peer, record, content);
	else if (record->type == FCGI_ABORT_REQUEST)
		abort_request(peer);
	else
		end_stdin(peer);
}

/* Acts on the next record. Returns how many bytes that took; 0 where the record is not here yet or is
 * refused. */
static size_t take_record(struct peer *peer, const unsigned char *bytes, size_t length)
{
	struct record record;
	enum use use;
	size_t taken = RECORD_HEADER_SIZE;

	if (length < RECORD_HEADER_SIZE)
		return 0;
	use = record_decode(&record, bytes) ? use_of(peer, &record) : REFUSE;
	if (use == REFUSE) {
		peer_close(peer, "it breaks the FastCGI protocol");
		return 0;
	}
	if (use == WHOLE) {
		taken += record.content_length;
		if (length < taken)
			return 0;
	}
	peer->skip = RECORD_HEADER_SIZE + record.content_length + record.padding_length - taken;
	if (use != IGNORE)
		act(peer, &record, bytes + RECORD_HEADER_SIZE);
	return taken;
}

static size_t skip(struct peer *peer, size_t length)
{
	size_t skipped = peer->skip < length ? peer->skip : length;

	if (skipped && peer->complete && !peer->ended)
		peer_set_state(peer, PEER_RECEIVING); /* the body makes progress */
	peer->skip -= skipped;
	return skipped;
}

size_t protocol_take_records(struct peer *peer, const unsigned char *bytes, size_t length)
{
	size_t at = 0;

	while (peer->state != PEER_CLOSED && peer->state != PEER_SENDING) {
		size_t taken =
			peer->skip ? skip(peer, length - at) : take_record(peer, bytes + at, length - at);

		at += taken;
		if (peer->state == PEER_LINGERING)
			return length;
		if (!taken)
			break;
	}
	return at;
}
