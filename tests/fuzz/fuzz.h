/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: exact copies of their bytes, so that a sanitizer sees one read too far. */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/parameter.h"
#include "base/slice.h"
#include "http/request.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's entry: one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps the compiler from leaving out what made the value. */
static inline void fuzz_use(unsigned value)
{
	static volatile unsigned sink;

	sink = value;
	(void)sink;
}

/* A copy with nothing readable behind it; the caller's to free. */
static inline unsigned char *fuzz_copy(const void *bytes, size_t length)
{
	unsigned char *copy = malloc(length ? length : 1);

	assert(copy);
	if (length)
		memcpy(copy, bytes, length);
	return copy;
}

/* The same with a NUL behind it. */
static inline char *fuzz_text(const void *bytes, size_t length)
{
	char *copy = malloc(length + 1);

	assert(copy);
	if (length)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

/* Cuts the bytes up to the first newline off the front. */
static inline struct slice fuzz_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
	struct slice line = {(const char *)*data, end ? (size_t)(end - *data) : *size};

	*size -= line.length + (end != NULL);
	*data += line.length + (end != NULL);
	return line;
}

static inline struct parameter fuzz_parameter(struct slice name, struct slice value)
{
	return (struct parameter){name.text, value.text, name.length, value.length};
}

/* The routes of the program's kind, without what it does on them. */
static inline struct request fuzz_request(
    enum parameters_status status, const struct parameter *pairs, size_t count)
{
	static const struct route routes[] = {
	    {"GET, HEAD, OPTIONS", "/policies/event_matcher/<policy_uuid>/", NULL},
	    {NULL, NULL, NULL}};
	static const struct router router = {"/api/v3", routes};
	struct request request;

	request_parse(&request, status, pairs, count, &router);
	assert(request.status < STATUS_COUNT);
	assert(strnlen(request.id, sizeof(request.id)) < sizeof(request.id));
	return request;
}

/* Writes what a refusal says, which repeats parts of the request. */
static inline void fuzz_refuse(const struct request *request)
{
	struct buffer body = {0};
	struct json json;
	char head[STATUS_HEAD_MAX];
	struct status_head fields = {.allow = request->detail.allow};

	if (request->status == STATUS_OK || request->status == STATUS_OPTIONS)
		return;
	json_init(&json);
	status_write_error(&json, &body, request->status, &request->detail);
	fields.content_length = body.length;
	assert(!body.failed && status_write_head(head, request->status, &fields) <= sizeof(head));
	for (size_t i = 0; i < body.length; i++)
		assert(body.data[i] >= 0x20); /* JSON escapes controls (RFC 8259, section 7) */
	buffer_free(&body);
}

#endif
