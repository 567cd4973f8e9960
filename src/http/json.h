/* SPDX-License-Identifier: MIT */
/* Text into JSON, appended to buffers. */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stddef.h>
#include <yajl/yajl_gen.h>

enum { JSON_ARENA = 1024 }; /* bytes: yajl's two structs take 700 */

/*
 * A generator, used for one value after the other. yajl takes its storage from the arena: yajl
 * 2.1 writes through what it did not get (src/yajl_buf.c, yajl_buf_alloc).
 */
struct json {
	yajl_gen generator;
	struct buffer *body; /* where it prints, in a call of json_string */
	size_t used;         /* of the arena */
	_Alignas(max_align_t) unsigned char arena[JSON_ARENA];
};

/* Makes the generator, in place: json must stay where it is, and needs no freeing. */
void json_init(struct json *json);

/*
 * Appends a string, or null where text.text is NULL. Without memory body->failed is set. What
 * stands around it is the caller's to append: through yajl's own maps the names alone would cost
 * a tenth of a request's instructions (3,400 of 35,300 counted).
 */
void json_string(struct json *json, struct buffer *body, struct slice text);

#endif
