/* SPDX-License-Identifier: MIT */
/* Guesses who holds a key and why they see all, from the last time, to ask less. */
#include "authentik/guess.h"

#include "base/hash.h"

/* Who makes keys collide spoils guesses, and no more than guesses. */
static uint64_t hash_of(const struct inquiry *inquiry)
{
	return hash_not_zero(hash_bytes(HASH_START, inquiry->key, inquiry->key_length));
}

static struct guess_set *set_of(struct guess_table *table, uint64_t hash)
{
	return &table->sets[(hash ^ hash >> 32) % GUESS_SETS];
}

static struct guess *guess_with(struct guess_set *set, uint64_t hash)
{
	for (int i = 0; i < GUESS_WAYS; i++)
		if (set->guesses[i].hash == hash)
			return &set->guesses[i];
	return NULL;
}

static void remember(struct guess_table *table, const struct guess *guess)
{
	struct guess_set *set = set_of(table, guess->hash);
	struct guess *place = guess_with(set, guess->hash);

	if (!place)
		place = &set->guesses[set->next++ % GUESS_WAYS];
	*place = *guess;
}

const struct guess *guess_find(struct guess_table *table, const struct inquiry *inquiry)
{
	uint64_t hash = hash_of(inquiry);
	struct guess *guess = guess_with(set_of(table, hash), hash);

	return guess && ++guess->uses % GUESS_USES != 0 ? guess : NULL;
}

void guess_learn_superuser(
    struct guess_table *table, const struct inquiry *inquiry, const uuid_t superuser_by)
{
	struct guess guess = {.hash = hash_of(inquiry)};

	uuid_copy(guess.superuser_by, superuser_by);
	remember(table, &guess);
}

void guess_learn_rights(struct guess_table *table, const struct inquiry *inquiry,
    const struct rights *rights, bool access_token)
{
	struct guess guess = {.hash = hash_of(inquiry),
	    .user = inquiry->user,
	    .access_token = access_token,
	    .sees_all = rights->sees_all};

	uuid_copy(guess.superuser_by,
	    uuid_is_null(rights->superuser_by) ? inquiry->superuser_by : rights->superuser_by);
	remember(table, &guess);
}
