/* SPDX-License-Identifier: MIT */
/* What the processes of a pool tell each other, in memory that they share. */
#include "pool/scoreboard.h"

#include "base/clock.h"

#include <sys/mman.h>

struct scoreboard *scoreboard_open(void)
{
	void *memory = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void scoreboard_close(struct scoreboard *board)
{
	munmap(board, sizeof(*board));
}

struct scoreboard_slot *scoreboard_take(struct scoreboard *board)
{
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++) {
		struct scoreboard_slot *slot = &board->slots[i];

		if (atomic_exchange(&slot->taken, true))
			continue;
		atomic_store(&slot->ready, false);
		atomic_store(&slot->draining, false);
		scoreboard_beat(slot, clock_ms());
		return slot;
	}
	return NULL;
}

void scoreboard_leave(struct scoreboard_slot *slot)
{
	if (slot)
		atomic_store(&slot->taken, false);
}
