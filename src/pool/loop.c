/* SPDX-License-Identifier: MIT */
/* Makes libuv's loop, and lets the process end with a word where libuv would abort. */
#include "pool/loop.h"

#include "event.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Only the table of watched descriptors grows by it, and libuv aborts without one
 * (src/unix/core.c, maybe_resize).
 */
static void *reallocate(void *block, size_t size)
{
	void *grown = realloc(block, size);

	if (grown || !size)
		return grown;
	log_event(&event_memory_short, "watching one more descriptor: no memory");
	_exit(1);
}

bool loop_init(uv_loop_t *loop)
{
	return uv_replace_allocator(malloc, reallocate, calloc, free) == 0 &&
	       uv_loop_init(loop) == 0;
}
