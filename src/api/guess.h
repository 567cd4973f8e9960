/* SPDX-License-Identifier: MIT */
/* Guesses whose a key is, from whose it was the last time: to ask for a caller's rights along with the
 * caller. */
#ifndef API_GUESS_H
#define API_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUESS_SLOTS = 1024 };

/*
 * Of callers who are no superusers by a group of their own. No answer and no key is kept, only a key's hash
 * and a user's id; a guess decides nothing: the database says in the same batch whose the key is, and where
 * the guess was wrong the rights are asked for again. All zero is empty.
 */
struct guess_table {
	struct guess_slot {
		uint64_t hash; /* of the key; 0: none */
		int user;
	} slots[GUESS_SLOTS];
};

/* True where there is a guess, which then is in user. */
bool guess_find(const struct guess_table *table, const unsigned char *key, size_t length, int *user);

/* Next time, guess that this key is this user's; takes the place of whatever had the same slot. */
void guess_remember(struct guess_table *table, const unsigned char *key, size_t length, int user);

/* Next time, do not guess for this key. */
void guess_forget(struct guess_table *table, const unsigned char *key, size_t length);

#endif
