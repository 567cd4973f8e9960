/* SPDX-License-Identifier: MIT */
/* Small values by key, all of them true under one stamp; bounded, the oldest makes room. */
#include "base/store.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
	INDEX_SHARE = 8
}; /* one byte of so many is the index: a caller's value takes about 40, an object's 500 */

struct entry {
	struct store_key key;
	uint64_t length; /* of the value behind it */
};

/* Values begin where an entry may stand. */
static size_t padded(size_t length)
{
	return (length + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

bool store_start(struct store *store, size_t size)
{
	*store = (struct store){0};
	if (!size)
		return true;
	store->set_count = size / INDEX_SHARE / sizeof(struct store_set) + 1;
	store->size = padded(size - size / INDEX_SHARE);
	store->sets = calloc(store->set_count, sizeof(struct store_set));
	store->bytes = calloc(1, store->size);
	store->oldest = store->next = store->size; /* no place is 0 */
	if (store->sets && store->bytes)
		return true;
	store_free(store);
	return false;
}

void store_free(struct store *store)
{
	free(store->sets);
	free(store->bytes);
	buffer_free(&store->stamp);
	buffer_free(&store->since);
	buffer_free(&store->expires);
	*store = (struct store){0};
}

/* The next values stand at the beginning again: that memory is in use, and in the processor's cache. */
void store_empty(struct store *store)
{
	buffer_clear(&store->stamp);
	buffer_clear(&store->since);
	buffer_clear(&store->expires);
	if (!store->size || store->next == store->oldest)
		return;
	store->next = (store->next / store->size + 1) * store->size;
	store->oldest = store->next;
}

/* With its NUL. */
static void set_time(struct buffer *time, const char *text)
{
	buffer_clear(time);
	buffer_append(time, text, strlen(text) + 1);
}

/* Is the time that was noted, if any was, after the other one? */
static bool is_after(const struct buffer *time, const char *other)
{
	return time->length && strcmp((const char *)time->data, other) > 0;
}

static bool is_before(const struct buffer *time, const char *other)
{
	return time->length && strcmp((const char *)time->data, other) < 0;
}

/* A clock that was set back may make valid again what was not when it was looked at. */
bool store_hold(struct store *store, struct slice stamp, const char *now)
{
	bool holds = store->stamp.length && slice_is(buffer_slice(&store->stamp), stamp) &&
		     !is_after(&store->since, now) && !is_before(&store->expires, now);

	if (!store->size)
		return false;
	if (!holds) {
		store_empty(store);
		buffer_append(&store->stamp, stamp.text, stamp.length);
	}
	set_time(&store->since, now);
	if (store->stamp.failed || store->since.failed)
		store_empty(store);
	return holds && store->stamp.length;
}

static struct store_set *set_of(const struct store *store, const struct store_key *key)
{
	uint64_t hash = 0;

	for (int i = 0; i < 3; i++)
		hash = (hash ^ key->words[i]) *
		       HASH_PRIME; /* by words: a fifth of the steps by bytes */
	return &store->sets[(hash ^ hash >> 32) % store->set_count];
}

static struct entry *entry_at(const struct store *store, uint64_t place)
{
	return (struct entry *)(void *)&store->bytes[place % store->size];
}

/* Where the key's place is noted, or is to be: at its own, else at the oldest. */
static uint64_t *place_of(const struct store *store, const struct store_key *key, bool *found)
{
	struct store_set *set = set_of(store, key);
	uint64_t *oldest = &set->places[0];

	*found = true;
	for (int i = 0; i < STORE_WAYS; i++) {
		uint64_t *place = &set->places[i];

		if (*place >= store->oldest &&
		    memcmp(&entry_at(store, *place)->key, key, sizeof(*key)) == 0)
			return place;
		if (*place < *oldest)
			oldest = place;
	}
	*found = false;
	return oldest;
}

static struct slice value_at(const struct store *store, uint64_t place)
{
	const struct entry *entry = entry_at(store, place);

	return (struct slice){(const char *)(entry + 1), entry->length};
}

struct slice store_find(const struct store *store, const struct store_key *key)
{
	bool found = false;
	const uint64_t *place = store->stamp.length ? place_of(store, key, &found) : NULL;

	return found ? value_at(store, *place) : (struct slice){NULL, 0};
}

/* Room behind the last value, or at the beginning where the ring's end is too near; what stood there is gone. */
static uint64_t make_room(struct store *store, size_t length)
{
	size_t left = store->size - store->next % store->size;
	uint64_t place = store->next + (left < length ? left : 0);

	store->next = place + length;
	if (store->next > store->oldest + store->size)
		store->oldest = store->next - store->size;
	return place;
}

static void note_expiry(struct store *store, const char *expires)
{
	if (!store->expires.length || is_after(&store->expires, expires))
		set_time(&store->expires, expires);
	if (store->expires.failed)
		store_empty(store);
}

static void put(
    struct store *store, uint64_t *place, const struct store_key *key, struct slice value)
{
	*place = make_room(store, sizeof(struct entry) + padded(value.length));
	*entry_at(store, *place) = (struct entry){*key, value.length};
	if (value.length)
		memcpy(entry_at(store, *place) + 1, value.text, value.length);
}

void store_keep(
    struct store *store, const struct store_key *key, struct slice value, const char *expires)
{
	uint64_t *place;
	bool found;

	if (!store->stamp.length || value.length > STORE_VALUE_MAX ||
	    sizeof(struct entry) + padded(value.length) > store->size)
		return;
	place = place_of(store, key, &found);
	if (!found || !slice_is(value_at(store, *place), value))
		put(store, place, key, value);
	if (expires)
		note_expiry(store, expires);
}
