/* SPDX-License-Identifier: MIT */
/* Makes libuv's loop, and lets the process end with a word where libuv would abort. */
#ifndef POOL_LOOP_H
#define POOL_LOOP_H

#include <stdbool.h>
#include <uv.h>

/*
 * Makes a loop. False where there is no memory or no descriptor. Where libuv
 * finds no memory later and would abort, the process ends with code 1 and a line in the log.
 */
bool loop_init(uv_loop_t *loop);

#endif
