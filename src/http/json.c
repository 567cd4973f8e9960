/* SPDX-License-Identifier: MIT */
/* Text into JSON, by yajl. */
#include "http/json.h"

#include <assert.h>

static void *allocate(void *context, size_t size)
{
	struct json *json = context;
	void *block = json->arena + json->used;

	json->used += (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	assert(json->used <= JSON_ARENA);
	return block;
}

/* yajl asks for it only where it prints to a buffer of its own. */
static void *reallocate(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
	return NULL;
}

static void release(void *context, void *block)
{
	(void)context, (void)block;
}

static void print(void *context, const char *text, size_t length)
{
	struct json *json = context;

	buffer_append(json->body, text, length);
}

void json_init(struct json *json)
{
	yajl_alloc_funcs storage = {
	    .malloc = allocate, .realloc = reallocate, .free = release, .ctx = json};

	*json = (struct json){0};
	json->generator = yajl_gen_alloc(&storage);
	yajl_gen_config(json->generator, yajl_gen_print_callback, print, json);
}

void json_string(struct json *json, struct buffer *body, struct slice text)
{
	yajl_gen_status status;

	json->body = body;
	yajl_gen_reset(json->generator, NULL);
	if (text.text)
		status =
		    yajl_gen_string(json->generator, (const unsigned char *)text.text, text.length);
	else
		status = yajl_gen_null(json->generator);
	assert(status == yajl_gen_status_ok);
	(void)status;
	json->body = NULL;
}
