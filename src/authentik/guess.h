/* SPDX-License-Identifier: MIT */
/* Guesses who holds a key and why they see all, from the last time, to ask less. */
#ifndef AUTHENTIK_GUESS_H
#define AUTHENTIK_GUESS_H

#include "authentik/inquiry.h"
#include "authentik/rights.h"

#include <stdbool.h>
#include <stdint.h>
#include <uuid/uuid.h>

enum { GUESS_SETS = 8192, GUESS_WAYS = 4, GUESS_USES = 4096 };

/*
 * It stays beside what is known (api/known.h), which each commit of anybody makes void: a guess makes the next question the
 * cheaper. A guess decides nothing: it goes along with the question, the database says whether it is still
 * true, and where it is not, the same question is asked in full. No answer and no key is kept,
 * only a key's hash.
 */
struct guess {
	uint64_t hash; /* of the key; 0: none */
	unsigned uses;
	int user; /* whose rights are to be asked for along; 0: a superuser by a group of their own */
	uuid_t superuser_by; /* the group to be looked at first; nil: none is known */
	bool access_token;   /* what the key is */
	bool sees_all;       /* the user */
};

/* The hash says in which set a guess stands. All zero is empty. */
struct guess_table {
	struct guess_set {
		struct guess guesses[GUESS_WAYS];
		unsigned next; /* the one that has to make room next */
	} sets[GUESS_SETS];
};

/*
 * What is guessed of the inquiry's key, or NULL; valid until the next learning. Every
 * GUESS_USES-th time nothing is guessed, so that one who has become a superuser by a group of
 * their own is found out.
 */
const struct guess *guess_find(struct guess_table *table, const struct inquiry *inquiry);

/* The holder of the inquiry's key has turned out to be a superuser by this group of their own. */
void guess_learn_superuser(
    struct guess_table *table, const struct inquiry *inquiry, const uuid_t superuser_by);

/*
 * The rights of the inquiry's user had to be asked for. Where no group was found to be why they may see all, what the inquiry
 * named stays the guess.
 */
void guess_learn_rights(struct guess_table *table, const struct inquiry *inquiry,
    const struct rights *rights, bool access_token);

#endif
