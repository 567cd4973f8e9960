/* SPDX-License-Identifier: MIT */
/* Arrays in PostgreSQL's binary format, without NULLs, as array_recv reads them. */
#ifndef POSTGRES_ARRAY_H
#define POSTGRES_ARRAY_H

#include "base/buffer.h"

#include <stddef.h>

/* The elements' types, by their object identifiers in PostgreSQL's pg_type.dat. */
enum array_type { ARRAY_BOOL = 16, ARRAY_INT4 = 23, ARRAY_TEXT = 25, ARRAY_UUID = 2950 };

/*
 * Empties the buffer and starts an array of count elements, each of which is then to be appended.
 */
void array_start(struct buffer *buffer, enum array_type type, unsigned count);

/* Appends one element, in its type's binary format. */
void array_append(struct buffer *buffer, const void *bytes, size_t length);

#endif
