/* SPDX-License-Identifier: MIT */
/* When workers that ended are replaced: at once, but for those that die young. */
#include "pool/respawn.h"

static int64_t least(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

void respawn_ended(struct respawn *respawn, int64_t started, int64_t now)
{
	bool steady = now - started >= RESPAWN_STEADY_MS;

	if (steady || now - respawn->stepped >= respawn->delay + RESPAWN_STEADY_MS)
		respawn->delay = 0;
	if (respawn->delay && started < respawn->stepped)
		return;
	respawn->due = now + respawn->delay;
	if (steady)
		return;
	respawn->delay =
	    respawn->delay ? least(respawn->delay * 2, RESPAWN_MOST_MS) : RESPAWN_FIRST_MS;
	respawn->stepped = now;
}

bool respawn_is_on_probation(
    const struct respawn *respawn, int64_t started, bool ready, int64_t now)
{
	int64_t limit = ready ? least(respawn->delay, RESPAWN_STEADY_MS) : RESPAWN_STEADY_MS;

	return respawn->delay && started >= respawn->stepped && now - started < limit;
}
