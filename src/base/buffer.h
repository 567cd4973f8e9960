/* SPDX-License-Identifier: MIT */
/* Grows bytes and remembers its first failure, so that a writer checks once, at the end. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * data[0 .. length) is written, data[length .. capacity) is free; data is NULL while capacity is
 * 0. All zero is an empty buffer. Once failed is set (no memory), appending does nothing until
 * buffer_clear.
 */
struct buffer {
	unsigned char *data;
	size_t length, capacity;
	bool failed;
};

enum { BUFFER_POOL_SPARES = 256, BUFFER_POOL_LARGEST = 8192 };

/* Storage that emptied buffers left behind, for the next ones: all zero is an empty pool. */
struct buffer_pool {
	struct buffer spares[BUFFER_POOL_SPARES];
	size_t count;
};

/* Appends length bytes; sets failed when there is no memory for them. */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/* Appends length bytes of value 0 and returns where they start, or NULL with failed set. */
unsigned char *buffer_extend(struct buffer *buffer, size_t length);

/* Appends the bytes of a string without its NUL. */
static inline void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

/* What it holds, valid until it is changed. */
static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return (struct slice){(const char *)buffer->data, buffer->length};
}

/* Removes the first length bytes; length is at most buffer->length. */
void buffer_drop(struct buffer *buffer, size_t length);

/* Empties the buffer and forgets its failure; keeps its storage. */
void buffer_clear(struct buffer *buffer);

/* Empties the buffer and frees its storage. */
void buffer_free(struct buffer *buffer);

/* Lends an empty buffer without storage some from the pool, if the pool has any. */
void buffer_borrow(struct buffer *buffer, struct buffer_pool *pool);

/*
 * Empties the buffer and hands its storage to the pool; storage over BUFFER_POOL_LARGEST is
 * freed.
 */
void buffer_return(struct buffer *buffer, struct buffer_pool *pool);

/* Frees what the pool holds. */
void buffer_pool_free(struct buffer_pool *pool);

#endif
