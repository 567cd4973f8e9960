/* SPDX-License-Identifier: MIT */
/* Guesses whose a key is, from whose it was the last time: to ask for a caller's rights along with the
 * caller. */
#include "api/guess.h"

/* FNV-1a (the IETF's draft-eastlake-fnv): who makes keys collide wastes one look-up of their own. */
static uint64_t hash_of(const unsigned char *key, size_t length)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ key[i]) * 1099511628211u;
	return hash ? hash : 1;
}

static size_t slot_of(uint64_t hash)
{
	return (hash ^ hash >> 32) % GUESS_SLOTS;
}

bool guess_find(const struct guess_table *table, const unsigned char *key, size_t length, int *user)
{
	uint64_t hash = hash_of(key, length);
	const struct guess_slot *slot = &table->slots[slot_of(hash)];

	if (slot->hash != hash)
		return false;
	*user = slot->user;
	return true;
}

void guess_remember(struct guess_table *table, const unsigned char *key, size_t length, int user)
{
	uint64_t hash = hash_of(key, length);

	table->slots[slot_of(hash)] = (struct guess_slot){.hash = hash, .user = user};
}

void guess_forget(struct guess_table *table, const unsigned char *key, size_t length)
{
	uint64_t hash = hash_of(key, length);
	struct guess_slot *slot = &table->slots[slot_of(hash)];

	if (slot->hash == hash)
		*slot = (struct guess_slot){0};
}
