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
	if (!slot)
		return;
	metric_close(&slot->counts);
	atomic_store(&slot->taken, false);
}

bool scoreboard_has_session(const struct scoreboard *board)
{
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++)
		if (metric_read_hosts(&board->slots[i].counts, METRIC_READY_COMMON) > 0)
			return true;
	return false;
}

/* What nobody counts, as it follows from the board. */
static void derive(const struct scoreboard *board, struct metric_counts *derived)
{
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++) {
		const struct scoreboard_slot *slot = &board->slots[i];

		if (!atomic_load(&slot->taken))
			continue;
		if (atomic_load(&slot->draining))
			derived->values[METRIC_WORKERS_DRAINING]++;
		else if (atomic_load(&slot->ready))
			derived->values[METRIC_WORKERS_SERVING]++;
		else
			derived->values[METRIC_WORKERS_STARTING]++;
	}
	derived->values[METRIC_GENERATION] = atomic_load(&board->generation);
	derived->values[METRIC_RELOAD_GOOD] = !atomic_load(&board->reload_failed);
	derived->values[METRIC_RELOAD_TIME] = (uint64_t)atomic_load(&board->loaded);
	derived->values[METRIC_BUILD_INFO] = 1;
}

void scoreboard_write_metrics(const struct scoreboard *board, struct buffer *text)
{
	const struct metric_counts *all[SCOREBOARD_SLOTS + 2];
	struct metric_counts derived = {0};

	derive(board, &derived);
	for (size_t i = 0; i < SCOREBOARD_SLOTS; i++)
		all[i] = &board->slots[i].counts;
	all[SCOREBOARD_SLOTS] = &board->counts;
	all[SCOREBOARD_SLOTS + 1] = &derived;
	metric_write(text, all, SCOREBOARD_SLOTS + 2);
}
