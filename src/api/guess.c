/* SPDX-License-Identifier: MIT */
/* Guesses who a key's holder is and why they may see all, from what was true the last time, to ask less. */
#include "api/guess.h"

/* FNV-1a (the IETF's draft-eastlake-fnv): who makes keys collide spoils guesses, and no more than guesses. */
static uint64_t hash_of(const unsigned char *key, size_t length)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ key[i]) * 1099511628211u;
	return hash ? hash : 1;
}

static struct guess_set *set_of(struct guess_table *table, uint64_t hash)
{
	return &table->sets[(hash ^ hash >> 32) % GUESS_SETS];
}

static struct guess_slot *slot_with(struct guess_set *set, uint64_t hash)
{
	for (int i = 0; i < GUESS_WAYS; i++)
		if (set->slots[i].hash == hash)
			return &set->slots[i];
	return NULL;
}

const struct guess *guess_find(struct guess_table *table, const unsigned char *key, size_t length)
{
	uint64_t hash = hash_of(key, length);
	struct guess_slot *slot = slot_with(set_of(table, hash), hash);

	if (!slot || ++slot->uses % GUESS_USES == 0)
		return NULL;
	return &slot->guess;
}

void guess_remember(
	struct guess_table *table, const unsigned char *key, size_t length, const struct guess *guess)
{
	uint64_t hash = hash_of(key, length);
	struct guess_set *set = set_of(table, hash);
	struct guess_slot *slot = slot_with(set, hash);

	if (!slot)
		slot = &set->slots[set->next++ % GUESS_WAYS];
	*slot = (struct guess_slot){.hash = hash, .guess = *guess};
}
