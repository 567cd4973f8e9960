/* SPDX-License-Identifier: MIT */
/* Says the first of many equal events at once, and of the others only how many they were. */
#include "base/debounce.h"

bool debounce_take(struct debounce *debounce, uint64_t now)
{
	if (debounce->open) {
		debounce->held++;
		return false;
	}
	*debounce = (struct debounce){.open = true, .until = now + DEBOUNCE_MS};
	return true;
}

unsigned debounce_turn(struct debounce *debounce, uint64_t now)
{
	unsigned held = debounce->held;

	if (!debounce->open || now < debounce->until)
		return 0;
	*debounce = (struct debounce){.open = held > 0, .until = now + DEBOUNCE_MS};
	return held;
}

unsigned debounce_end(struct debounce *debounce)
{
	unsigned held = debounce->held;

	*debounce = (struct debounce){0};
	return held;
}
