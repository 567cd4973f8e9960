/* SPDX-License-Identifier: MIT */
/* Small values by key, all of them true under one stamp; bounded, the oldest makes room. */
#ifndef BASE_STORE_H
#define BASE_STORE_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_VALUE_MAX = 4096, STORE_WAYS = 4 };

/* Compared in full; who composes it sees to it that two things never have the same. */
struct store_key {
	uint64_t words[3];
};

/* Places of values, by their key's hash; 0: none. Those of values that are gone stay, and are known by their number. */
struct store_set {
	uint64_t places[STORE_WAYS];
};

/*
 * A ring of values. A place is a number that only grows, its remainder by size is where it stands in bytes, and from
 * oldest on all are there. Times are texts in the order of strcmp. All zero is a store that holds nothing, for good.
 */
struct store {
	struct store_set *sets;
	unsigned char *bytes;
	size_t set_count, size;
	uint64_t oldest, next;
	struct buffer stamp;   /* what all values were learnt under; empty: none yet */
	struct buffer since;   /* the latest time at which one was looked at */
	struct buffer expires; /* the earliest time from which on one may be wrong; empty: never */
};

/* Starts with room for so many bytes, index and values together. False where there is no memory. */
bool store_start(struct store *store, size_t size);

/*
 * The stamp of now and the time now. True where all that the store holds is still true: the stamp is that of its values,
 * now is none before, and none of their expiries is before now. Otherwise it is empty afterwards, and what is kept from
 * then on is of this stamp.
 */
bool store_hold(struct store *store, struct slice stamp, const char *now);

/* Forgets all; holds nothing until the next store_hold. */
void store_empty(struct store *store);

/*
 * Keeps a copy of a value which is true since the last store_hold, until the time expires (NULL: for ever); the one of
 * before is replaced. Longer ones than STORE_VALUE_MAX are not kept, nor is any in an empty store that holds no stamp.
 */
void store_keep(
    struct store *store, const struct store_key *key, struct slice value, const char *expires);

/* The value, valid until the next call of another function; its text is NULL where there is none. */
struct slice store_find(const struct store *store, const struct store_key *key);

/* Frees all. */
void store_free(struct store *store);

#endif
