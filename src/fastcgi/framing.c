/* SPDX-License-Identifier: MIT */
/* What FastCGI 1.0 has a web server's records mean, for one request at a time; pure. */
#include "fastcgi/framing.h"

#include <assert.h>
#include <fastcgi.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_MAX_SIZE = 1024 };

static enum framing_event broken(struct framing *framing, const char *fault)
{
	framing->fault = fault;
	return FRAMING_BROKEN;
}

static void borrow(struct framing *framing, struct buffer *out)
{
	if (!out->length)
		buffer_borrow(out, framing->pool);
}

static enum framing_event refuse(
    struct framing *framing, struct buffer *out, unsigned id, unsigned status, bool last)
{
	borrow(framing, out);
	record_append_end(out, id, status);
	return last ? FRAMING_LAST : FRAMING_ANSWERED;
}

static enum framing_event begin(struct framing *framing, const struct record *record,
    const unsigned char *content, struct buffer *out)
{
	struct record_begin begin = record_decode_begin(content);

	if (framing->phase != FRAMING_NONE && record->id == framing->id)
		return broken(framing, "a second FCGI_BEGIN_REQUEST of the open request");
	if (framing->phase != FRAMING_NONE)
		return refuse(framing, out, record->id, FCGI_CANT_MPX_CONN, false);
	if (begin.role != FCGI_RESPONDER)
		return refuse(framing, out, record->id, FCGI_UNKNOWN_ROLE, !begin.keep_connection);
	framing->phase = FRAMING_PARAMETERS;
	framing->keep = begin.keep_connection;
	framing->id = record->id;
	return FRAMING_BEGUN;
}

static enum framing_event take_parameters(
    struct framing *framing, const struct record *record, const unsigned char *content)
{
	if (!record->content_length) {
		framing->phase = FRAMING_BODY;
		return FRAMING_COMPLETE;
	}
	if (!framing->parameters.length)
		buffer_borrow(&framing->parameters, framing->pool);
	buffer_append(&framing->parameters, content, record->content_length);
	return framing->parameters.failed ? broken(framing, "no memory for its parameters")
					  : FRAMING_NOTHING;
}

/* The variables that a web server may ask for (FastCGI 1.0, section 4.1), and no others. */
static enum framing_event answer_values(
    struct framing *framing, const unsigned char *content, size_t length, struct buffer *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} known[] = {{FCGI_MAX_CONNS, framing->limits->connections},
	    {FCGI_MAX_REQS, framing->limits->requests}, {FCGI_MPXS_CONNS, 0}};
	struct parameter asked[PARAMETERS_MAX];
	struct buffer values = {0};
	char number[24];
	size_t count;

	if (record_parse_parameters(content, length, asked, PARAMETERS_MAX, &count) !=
	    PARAMETERS_GOOD)
		return broken(framing, "a malformed FCGI_GET_VALUES");
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (asked[i].name_length == strlen(known[k].name) &&
			    memcmp(asked[i].name, known[k].name, asked[i].name_length) == 0) {
				snprintf(number, sizeof(number), "%" PRIu64, known[k].value);
				record_append_parameter(&values, known[k].name, number);
			}
	borrow(framing, out);
	record_append(
	    out, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, values.data, values.length);
	buffer_free(&values);
	return FRAMING_ANSWERED;
}

enum use {
	WHOLE,  /* act on it once its content is here */
	HEADER, /* act on its header, throw its content away */
	IGNORE, /* throw it away */
	REFUSE  /* the peer breaks the protocol */
};

static enum use use_parameters(struct framing *framing, const struct record *record)
{
	if (framing->phase != FRAMING_PARAMETERS)
		return REFUSE;
	if (framing->parameters.length + record->content_length > PARAMETERS_MAX_SIZE) {
		framing->parameters_status = PARAMETERS_TOO_LARGE;
		framing_forget(framing);
	}
	return framing->parameters_status && record->content_length ? IGNORE : WHOLE;
}

static enum use use_of(struct framing *framing, const struct record *record)
{
	if (record->id == FCGI_NULL_REQUEST_ID) {
		if (record->type == FCGI_GET_VALUES)
			return record->content_length <= VALUES_MAX_SIZE ? WHOLE : REFUSE;
		return record->type >= FCGI_BEGIN_REQUEST && record->type <= FCGI_DATA ? REFUSE
										       : HEADER;
	}
	if (record->type == FCGI_BEGIN_REQUEST)
		return record->content_length == RECORD_BEGIN_SIZE ? WHOLE : REFUSE;
	if (framing->phase == FRAMING_NONE || record->id != framing->id)
		return IGNORE;
	if (record->type == FCGI_PARAMS)
		return use_parameters(framing, record);
	if (record->type == FCGI_ABORT_REQUEST)
		return HEADER;
	if (record->type != FCGI_STDIN || framing->phase != FRAMING_BODY)
		return REFUSE;
	return record->content_length ? IGNORE : WHOLE;
}

static enum framing_event act(struct framing *framing, const struct record *record,
    const unsigned char *content, struct buffer *out)
{
	if (record->id == FCGI_NULL_REQUEST_ID) {
		if (record->type == FCGI_GET_VALUES)
			return answer_values(framing, content, record->content_length, out);
		borrow(framing, out);
		record_append_unknown_type(out, record->type);
		return FRAMING_ANSWERED;
	}
	if (record->type == FCGI_BEGIN_REQUEST)
		return begin(framing, record, content, out);
	if (record->type == FCGI_PARAMS)
		return take_parameters(framing, record, content);
	if (record->type == FCGI_ABORT_REQUEST)
		return FRAMING_ABORTED;
	framing->phase = FRAMING_DUE;
	return FRAMING_ENDED;
}

enum framing_event framing_take(struct framing *framing, const unsigned char *bytes, size_t length,
    size_t *taken, struct buffer *out)
{
	struct record record;
	enum use use;

	*taken = framing->skip < length ? framing->skip : length;
	framing->skip -= *taken;
	if (*taken)
		return framing->phase == FRAMING_BODY ? FRAMING_PROGRESS : FRAMING_NOTHING;
	if (length < RECORD_HEADER_SIZE)
		return FRAMING_MORE;
	use = record_decode(&record, bytes) ? use_of(framing, &record) : REFUSE;
	if (use == REFUSE)
		return broken(framing, "it breaks the FastCGI protocol");
	if (use == WHOLE && length < RECORD_HEADER_SIZE + record.content_length)
		return FRAMING_MORE;
	*taken = RECORD_HEADER_SIZE + (use == WHOLE ? record.content_length : 0);
	framing->skip = RECORD_HEADER_SIZE + record.content_length + record.padding_length - *taken;
	return use == IGNORE ? FRAMING_NOTHING
			     : act(framing, &record, bytes + RECORD_HEADER_SIZE, out);
}

enum parameters_status framing_parse(
    const struct framing *framing, struct parameter *pairs, size_t *count)
{
	assert(framing->phase == FRAMING_BODY);
	*count = 0;
	return framing->parameters_status
		   ? framing->parameters_status
		   : record_parse_parameters(framing->parameters.data, framing->parameters.length,
			 pairs, PARAMETERS_MAX, count);
}

void framing_forget(struct framing *framing)
{
	buffer_return(&framing->parameters, framing->pool);
}

void framing_close(struct framing *framing)
{
	framing->phase = FRAMING_NONE;
	framing->parameters_status = PARAMETERS_GOOD;
	framing_forget(framing);
}
