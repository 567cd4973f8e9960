/* SPDX-License-Identifier: MIT */
/* One-dimensional arrays without NULLs in PostgreSQL's binary format. */
#include "postgres/array.h"

#include <endian.h>
#include <stdint.h>

static void append_int(struct buffer *buffer, uint32_t number)
{
	uint32_t bytes = htobe32(number);

	buffer_append(buffer, &bytes, sizeof(bytes));
}

void array_start(struct buffer *buffer, enum array_type type, unsigned count)
{
	buffer_clear(buffer);
	append_int(buffer, 1); /* dimension */
	append_int(buffer, 0); /* no NULLs */
	append_int(buffer, type);
	append_int(buffer, count);
	append_int(buffer, 1); /* the first index */
}

void array_append(struct buffer *buffer, const void *bytes, size_t length)
{
	append_int(buffer, (uint32_t)length);
	buffer_append(buffer, bytes, length);
}
