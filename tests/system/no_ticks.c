/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, keeps away for an hour what would come every 20 ms or 10 s: a lane's ticks while something is out, and the
 * question for a session's facts. They come the more often the slower the machine is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <uv.h>

enum { HOUR_MS = 3600 * 1000 };

int uv_timer_start(uv_timer_t *timer, uv_timer_cb callback, uint64_t timeout, uint64_t repeat)
{
	int (*start)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t);

	*(void **)&start = dlsym(RTLD_NEXT, "uv_timer_start");
	if (repeat == 20 || repeat == 10000)
		timeout = repeat = HOUR_MS;
	return start(timer, callback, timeout, repeat);
}
