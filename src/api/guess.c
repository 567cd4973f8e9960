/* SPDX-License-Identifier: MIT */
/* Guesses who a key's holder is and why they may see all, from what was true the last time, to ask less. */
#include "api/guess.h"

/* FNV-1a (the IETF's draft-eastlake-fnv): who makes keys collide spoils guesses, and no more than guesses. */
static uint64_t hash_of(const struct question *question)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < question->key_length; i++)
		hash = (hash ^ question->key[i]) * 1099511628211u;
	return hash ? hash : 1;
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

unsigned guess_ask(struct guess_table *table, struct question *question)
{
	uint64_t hash = hash_of(question);
	struct guess *guess = guess_with(set_of(table, hash), hash);
	bool known = guess && ++guess->uses % GUESS_USES != 0;

	question->user = known ? guess->user : 0;
	question->search = !question->user;
	uuid_clear(question->superuser_by);
	if (known)
		uuid_copy(question->superuser_by, guess->superuser_by);
	if (!question->user)
		return QUESTION_CALLER | QUESTION_POLICY;
	return guess->access_token ? QUESTION_CALLER : QUESTION_CALLER | QUESTION_POLICY | QUESTION_RIGHTS;
}

void guess_learn_superuser(
	struct guess_table *table, const struct question *question, const uuid_t superuser_by)
{
	struct guess guess = {.hash = hash_of(question)};

	uuid_copy(guess.superuser_by, superuser_by);
	remember(table, &guess);
}

void guess_learn_rights(struct guess_table *table, const struct question *question, const uuid_t superuser_by,
	bool access_token)
{
	struct guess guess = {
		.hash = hash_of(question), .user = question->user, .access_token = access_token};

	uuid_copy(guess.superuser_by, uuid_is_null(superuser_by) ? question->superuser_by : superuser_by);
	remember(table, &guess);
}
