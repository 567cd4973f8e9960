/* SPDX-License-Identifier: MIT */
/* Says kinds of events that may come often: the first few as lines, the others as a number. */
#include "base/repeats.h"

#include <assert.h>

static void sum_up(const struct repeats_kind *kind, unsigned count)
{
	if (count)
		log_event(kind->event, "%s in the last %d s beside the one named: %u", kind->what,
		    DEBOUNCE_MS / 1000, count);
}

bool repeats_take(struct repeats *repeats, unsigned kind, uint64_t now)
{
	assert(kind < repeats->count && repeats->count <= REPEATS_MAX);
	return debounce_take_some(&repeats->all[kind], now, repeats->kinds[kind].most);
}

bool repeats_turn(struct repeats *repeats, uint64_t now)
{
	bool open = false;

	for (unsigned i = 0; i < repeats->count; i++) {
		sum_up(&repeats->kinds[i], debounce_turn(&repeats->all[i], now));
		open |= repeats->all[i].open;
	}
	return open;
}

void repeats_end(struct repeats *repeats)
{
	for (unsigned i = 0; i < repeats->count; i++)
		sum_up(&repeats->kinds[i], debounce_end(&repeats->all[i]));
}
