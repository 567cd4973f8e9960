/* SPDX-License-Identifier: MIT */
/* Says the first of many equal events at once, and of the others only how many they were. */
#ifndef BASE_DEBOUNCE_H
#define BASE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

enum { DEBOUNCE_MS = 5000 };

/* One kind of event; all zero before the first. Times are milliseconds of any clock that does not jump. */
struct debounce {
	bool open;      /* one was said, and others since DEBOUNCE_MS ago at most */
	unsigned said;  /* lines since it is open */
	unsigned held;  /* events since the last line */
	uint64_t until; /* when those are to be said */
};

/* It has happened: true where that is to be said; else it is counted. */
bool debounce_take(struct debounce *debounce, uint64_t now);

/* The same where most of them may be said one after the other, as equal events may mean each something. */
bool debounce_take_some(struct debounce *debounce, uint64_t now, unsigned most);

/*
 * To be called now and then: how many events are to be said now, as DEBOUNCE_MS have passed since the last line; else 0.
 * Where none has come for so long, the next one is said at once again.
 */
unsigned debounce_turn(struct debounce *debounce, uint64_t now);

/* How many events have not been said, as there will be no other turn. */
unsigned debounce_end(struct debounce *debounce);

#endif
