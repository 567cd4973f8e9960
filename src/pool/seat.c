/* SPDX-License-Identifier: MIT */
/* One place in a crew: who fills it. */
#include "pool/seat.h"

#include "base/clock.h"

#include <assert.h>

enum { START_FACTOR = 5 };

void seat_fill(struct seat *seat, pid_t pid, struct scoreboard_slot *slot)
{
	assert(!seat->pid && pid > 0);
	seat->pid = pid;
	seat->slot = slot;
	seat->started = clock_ms();
	seat->silent = false;
}

void seat_empty(struct seat *seat)
{
	assert(seat->pid);
	scoreboard_leave(seat->slot);
	seat->slot = NULL;
	seat->pid = 0;
}

bool seat_is_silent(const struct seat *seat, int64_t timeout, int64_t since)
{
	int64_t heard;

	if (!seat->pid)
		return false;
	heard = atomic_load(&seat->slot->heartbeat);
	if (!atomic_load(&seat->slot->ready))
		timeout *= START_FACTOR;
	return clock_ms() - (heard > since ? heard : since) >= timeout;
}
