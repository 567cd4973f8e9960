/* SPDX-License-Identifier: MIT */
/* Tells the time that never jumps, and waits by it. */
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t clock_ms(void)
{
	return (int64_t)(clock_us() / 1000);
}

uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool clock_wait(int descriptor, short events, int64_t deadline)
{
	struct pollfd ready = {.fd = descriptor, .events = events};
	int count;

	do {
		int64_t left = deadline - clock_ms();

		errno = ETIMEDOUT;
		count = left > 0 ? poll(&ready, 1, (int)left) : 0;
	} while (count < 0 && errno == EINTR);
	return count > 0;
}
