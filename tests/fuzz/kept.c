/* SPDX-License-Identifier: MIT */
/* What is kept, in any order and of any length, held against a table that forgets nothing. */
#include "base/store.h"

#include "fuzz.h"

enum { KEYS = 256, STAMPS = 4, TIMES = 8, STEP = 4 };

/* Of each key: the last value that was kept, under which turn of the stamps. */
struct model {
	unsigned turn, kept_in[KEYS];
	size_t length[KEYS];
	unsigned char filler[KEYS];
	unsigned now, stamp, expires; /* of the turn; expires: TIMES is never */
};

static unsigned char bytes[STORE_VALUE_MAX + 1];

static struct store_key key_of(unsigned char number)
{
	return (struct store_key){{number % 3, number, 7}};
}

static const char *time_of(unsigned number)
{
	static const char *const times[TIMES] = {"2026-11-29 12:00:00+00",
	    "2026-11-29 12:00:00.000001+00", "2026-11-29 12:00:00.1+00",
	    "2026-11-29 12:00:00.11+00", "2026-11-29 12:00:01+00", "2026-11-30 00:00:00+00",
	    "9999-12-31 23:59:59.999999+00", "infinity"};

	return times[number % TIMES];
}

static bool is_value(struct slice value, const struct model *model, unsigned char key)
{
	memset(bytes, model->filler[key], model->length[key]);
	return value.length == model->length[key] && memcmp(value.text, bytes, value.length) == 0;
}

static void find(const struct store *store, const struct model *model, unsigned char number)
{
	const struct store_key key = key_of(number);
	struct slice value = store_find(store, &key);

	assert(!value.text || (model->turn && model->kept_in[number] == model->turn));
	assert(!value.text || is_value(value, model, number));
}

static void keep(struct store *store, struct model *model, const uint8_t step[STEP])
{
	const struct store_key key = key_of(step[1]);
	struct slice found,
	    value = {(const char *)bytes, (size_t)step[2] * 17 % (STORE_VALUE_MAX + 2)};
	unsigned expires = step[3] % (2 * TIMES);

	memset(bytes, step[3], value.length);
	store_keep(store, &key, value, expires < TIMES ? time_of(expires) : NULL);
	found = store_find(store, &key);
	if (value.length > STORE_VALUE_MAX || !found.text || found.length != value.length)
		return; /* too long, for any or for this store: what was there before stays */
	model->kept_in[step[1]] = model->turn;
	model->length[step[1]] = value.length;
	model->filler[step[1]] = step[3];
	if (expires < model->expires)
		model->expires = expires;
}

/* What it forgets is in a turn that is over. */
static void hold(struct store *store, struct model *model, const uint8_t step[STEP])
{
	static const char *const stamps[STAMPS] = {"10:10:", "10:11:10", "10:11:", ""};
	unsigned stamp = step[1] % STAMPS, now = step[2] % TIMES;
	bool holds =
	    model->stamp == stamp && *stamps[stamp] && now >= model->now && now <= model->expires;

	assert(store_hold(store, slice_of(stamps[stamp]), time_of(now)) == (store->size && holds));
	if (!holds)
		*model = (struct model){.turn = model->turn + 1, .stamp = stamp, .expires = TIMES};
	model->now = now;
}

static void forget(struct store *store, struct model *model)
{
	store_empty(store);
	*model = (struct model){.turn = model->turn + 1, .stamp = STAMPS, .expires = TIMES};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model model = {.turn = 1, .stamp = STAMPS, .expires = TIMES};
	struct store store;

	if (!size || !store_start(&store, (size_t)data[0] * data[0]))
		return 0;
	for (size_t at = 1; at + STEP <= size; at += STEP) {
		if (data[at] < 128)
			keep(&store, &model, &data[at]);
		else if (data[at] < 240)
			find(&store, &model, data[at + 1]);
		else if (data[at] < 252)
			hold(&store, &model, &data[at]);
		else
			forget(&store, &model);
	}
	store_free(&store);
	return 0;
}
