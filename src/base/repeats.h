/* SPDX-License-Identifier: MIT */
/* Says kinds of events that may come often: the first few as lines, the others as a number. */
#ifndef BASE_REPEATS_H
#define BASE_REPEATS_H

#include "base/debounce.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

enum { REPEATS_MAX = 5 };

struct repeats_kind {
	const struct log_event *event; /* of the line that has the number */
	unsigned most;    /* lines one after the other, without a pause of DEBOUNCE_MS */
	const char *what; /* many of it, for that line */
};

/* Owned by who says them; kinds stay. Times are as debounce has them. */
struct repeats {
	const struct repeats_kind *kinds;
	unsigned count; /* of kinds, at most REPEATS_MAX */
	struct debounce all[REPEATS_MAX];
};

/* One of a kind has happened: true where its own line is to be written. */
bool repeats_take(struct repeats *repeats, unsigned kind, uint64_t now);

/* To be called about once a second, as long as it says true: writes the numbers that are due. */
bool repeats_turn(struct repeats *repeats, uint64_t now);

/* Writes all numbers, as there will be no other turn. */
void repeats_end(struct repeats *repeats);

#endif
