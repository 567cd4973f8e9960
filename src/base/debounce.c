/* SPDX-License-Identifier: MIT */
/* Says the first of many equal events at once, and of the others only how many they were. */
#include "base/debounce.h"

bool debounce_take_some(struct debounce *debounce, uint64_t now, unsigned most)
{
	if (!debounce->open)
		*debounce = (struct debounce){.open = true, .until = now + DEBOUNCE_MS};
	if (debounce->said == most) {
		debounce->held++;
		return false;
	}
	debounce->said++;
	return true;
}

bool debounce_take(struct debounce *debounce, uint64_t now)
{
	return debounce_take_some(debounce, now, 1);
}

unsigned debounce_turn(struct debounce *debounce, uint64_t now)
{
	unsigned held = debounce->held;

	if (!debounce->open || now < debounce->until)
		return 0;
	*debounce = (struct debounce){
	    .open = held > 0, .said = held > 0 ? debounce->said : 0, .until = now + DEBOUNCE_MS};
	return held;
}

unsigned debounce_end(struct debounce *debounce)
{
	unsigned held = debounce->held;

	*debounce = (struct debounce){0};
	return held;
}
