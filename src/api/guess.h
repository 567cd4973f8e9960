/* SPDX-License-Identifier: MIT */
/* Guesses who a key's holder is and why they may see all, from what was true the last time, to ask less. */
#ifndef API_GUESS_H
#define API_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uuid/uuid.h>

enum { GUESS_SETS = 8192, GUESS_WAYS = 4, GUESS_USES = 4096 };

/*
 * A guess decides nothing: it goes along with the question, the database says whether it is still true, and
 * where it is not, the same question is asked in full.
 */
struct guess {
	int user; /* whose rights are to be asked for along with the caller; 0: a superuser by a group of
		     their own */
	uuid_t superuser_by; /* the group to be looked at first; nil: none is known */
	bool token;          /* the key is an access token */
};

struct guess_slot {
	uint64_t hash; /* of the key; 0: an empty slot */
	unsigned uses;
	struct guess guess;
};

/* No answer and no key is kept, only a key's hash, which says in which set it stands. All zero is empty. */
struct guess_table {
	struct guess_set {
		struct guess_slot slots[GUESS_WAYS];
		unsigned next; /* the one that has to make room next */
	} sets[GUESS_SETS];
};

/*
 * Returns the guess for a key, valid until the table changes, or NULL. Every GUESS_USES-th time there is
 * none, so that one who has become a superuser by a group of their own is found out.
 */
const struct guess *guess_find(struct guess_table *table, const unsigned char *key, size_t length);

/* Makes this the guess for a key from now on; where its set is full, the oldest guess of the set makes room.
 */
void guess_remember(
	struct guess_table *table, const unsigned char *key, size_t length, const struct guess *guess);

#endif
