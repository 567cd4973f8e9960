/* SPDX-License-Identifier: MIT */
/* Grows bytes and remembers its first failure. */
#include "base/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 512 };

static void check(const struct buffer *buffer)
{
	assert(buffer->length <= buffer->capacity);
	assert((buffer->data == NULL) == (buffer->capacity == 0));
}

static bool grow(struct buffer *buffer, size_t more)
{
	size_t capacity = buffer->capacity ? buffer->capacity : SMALLEST;
	unsigned char *data;

	check(buffer);
	if (buffer->failed)
		return false;
	while (capacity < SIZE_MAX / 2 && capacity - buffer->length < more)
		capacity *= 2;
	data = capacity < SIZE_MAX / 2 ? realloc(buffer->data, capacity) : NULL;
	if (!data) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

static bool reserve(struct buffer *buffer, size_t more)
{
	return (!buffer->failed && more <= buffer->capacity - buffer->length) || grow(buffer, more);
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	if (!length || !reserve(buffer, length))
		return;
	memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
}

unsigned char *buffer_extend(struct buffer *buffer, size_t length)
{
	unsigned char *start;

	if (!reserve(buffer, length))
		return NULL;
	start = buffer->data + buffer->length;
	memset(start, 0, length);
	buffer->length += length;
	return start;
}

void buffer_drop(struct buffer *buffer, size_t length)
{
	assert(length <= buffer->length);
	buffer->length -= length;
	if (buffer->length)
		memmove(buffer->data, buffer->data + length, buffer->length);
}

void buffer_clear(struct buffer *buffer)
{
	check(buffer);
	buffer->length = 0;
	buffer->failed = false;
}

void buffer_free(struct buffer *buffer)
{
	check(buffer);
	free(buffer->data);
	*buffer = (struct buffer){0};
}

void buffer_borrow(struct buffer *buffer, struct buffer_pool *pool)
{
	assert(buffer->length == 0 && !buffer->failed);
	if (!buffer->data && pool->count)
		*buffer = pool->spares[--pool->count];
}

void buffer_return(struct buffer *buffer, struct buffer_pool *pool)
{
	assert(pool->count <= BUFFER_POOL_SPARES);
	buffer_clear(buffer);
	if (!buffer->data)
		return;
	if (buffer->capacity > BUFFER_POOL_LARGEST || pool->count == BUFFER_POOL_SPARES) {
		buffer_free(buffer);
		return;
	}
	pool->spares[pool->count++] = *buffer;
	*buffer = (struct buffer){0};
}

void buffer_pool_free(struct buffer_pool *pool)
{
	while (pool->count)
		buffer_free(&pool->spares[--pool->count]);
}
