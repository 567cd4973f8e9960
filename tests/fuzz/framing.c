/* SPDX-License-Identifier: MIT */
/* A web server's bytes, in pieces of any size, into what they mean. */
#include "fastcgi/framing.h"

#include "fuzz.h"

#include <assert.h>

/* What the parameters point at is read, so that a wrong length is seen. */
static void read_all(const struct parameter *pairs, size_t count)
{
	unsigned sum = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < pairs[i].name_length; k++)
			sum += (unsigned char)pairs[i].name[k];
		for (size_t k = 0; k < pairs[i].value_length; k++)
			sum += (unsigned char)pairs[i].value[k];
	}
	fuzz_use(sum);
}

/* As the peer does; false where the connection would be closed. */
static bool act(struct framing *framing, enum framing_event event)
{
	struct parameter pairs[PARAMETERS_MAX];
	size_t count;

	if (event == FRAMING_COMPLETE && framing_parse(framing, pairs, &count) == PARAMETERS_GOOD)
		read_all(pairs, count);
	if (event == FRAMING_COMPLETE)
		framing_forget(framing);
	if (event == FRAMING_ENDED || event == FRAMING_ABORTED)
		framing_close(framing);
	assert(framing->parameters.length <= PARAMETERS_MAX_SIZE);
	assert(framing->parameters.length == 0 || framing->phase == FRAMING_PARAMETERS);
	return event != FRAMING_BROKEN && event != FRAMING_LAST;
}

/* What the protocol answers goes out in whole records, each a multiple of eight bytes with its padding zero. */
static void check_answers(const struct buffer *out)
{
	struct record record;

	for (size_t at = 0; at < out->length;
	     at += RECORD_HEADER_SIZE + record.content_length + record.padding_length) {
		assert(out->length - at >= RECORD_HEADER_SIZE &&
		       record_decode(&record, out->data + at));
		assert((record.content_length + record.padding_length) % 8 == 0);
		assert(RECORD_HEADER_SIZE + record.content_length + record.padding_length <=
		       out->length - at);
		for (size_t k = 0; k < record.padding_length; k++)
			assert(out->data[at + RECORD_HEADER_SIZE + record.content_length + k] == 0);
	}
}

/* Takes what it can of the bytes that have come; the rest stays in come, as in the peer's buffer. */
static bool take_all(struct framing *framing, struct buffer *come, struct buffer *out)
{
	unsigned char *exact = fuzz_copy(come->data, come->length);
	enum framing_event event = FRAMING_NOTHING;
	size_t at = 0, taken;
	bool open = true;

	while (open && event != FRAMING_MORE) {
		event = framing_take(framing, exact + at, come->length - at, &taken, out);
		assert(taken <= come->length - at);
		at += taken;
		open = act(framing, event);
	}
	buffer_drop(come, at);
	free(exact);
	return open;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct framing_limits limits = {16, 1024};
	struct buffer_pool pool = {0};
	struct framing framing = {.limits = &limits, .pool = &pool};
	struct buffer come = {0}, out = {0};
	size_t piece = size ? 1 + data[0] * 16u : 1;

	for (size_t at = 1; at < size; at += piece) {
		buffer_append(&come, data + at, size - at < piece ? size - at : piece);
		if (!take_all(&framing, &come, &out))
			break;
	}
	check_answers(&out);
	framing_close(&framing);
	buffer_free(&come);
	buffer_free(&out);
	buffer_pool_free(&pool);
	return 0;
}
