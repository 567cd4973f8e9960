/* SPDX-License-Identifier: MIT */
/* The heads of plain HTTP requests, as metrics_listen reads them. */
#include "fuzz.h"

#include "http/head.h"

static bool is_within(struct slice slice, const unsigned char *bytes, size_t length)
{
	const unsigned char *text = (const unsigned char *)slice.text;

	return text >= bytes && text + slice.length <= bytes + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *exact = fuzz_copy(data, size);
	enum head_kind kind, before;
	struct head head, again;

	kind = head_read((const char *)exact, size, &head);
	if (kind == HEAD_GOOD)
		assert(head.method.length && head.path.length && *head.path.text == '/' &&
		       is_within(head.method, exact, size) && is_within(head.path, exact, size) &&
		       !memchr(head.path.text, '?', head.path.length));
	/* What has come to its end with fewer bytes means the same with more. */
	before = head_read((const char *)exact, size / 2, &again);
	assert(before == HEAD_MORE || before == kind);
	fuzz_use(kind);
	free(exact);
	return 0;
}
