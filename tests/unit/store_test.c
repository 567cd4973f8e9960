/* SPDX-License-Identifier: MIT */
/* Values under one stamp: kept, found, made room for; none outlives its stamp or its expiry. */
#include "base/store.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NOON "2026-11-29 12:00:00+00"
#define LATER "2026-11-29 12:00:01+00"

enum { SIZE = 8192 };

static struct store store;

static void start(void)
{
	cr_assert(store_start(&store, SIZE));
	cr_assert_not(
	    store_hold(&store, SLICE("one"), NOON)); /* there is nothing that could hold */
}

static void end(void)
{
	store_free(&store);
}

TestSuite(store, .init = start, .fini = end);

static struct store_key key_of(uint64_t number)
{
	return (struct store_key){{number, 2, 3}};
}

static void keep_until(uint64_t number, const char *value, const char *expires)
{
	struct store_key key = key_of(number);

	store_keep(&store, &key, slice_of(value), expires);
}

static void keep(uint64_t number, const char *value)
{
	keep_until(number, value, NULL);
}

static struct slice found(uint64_t number)
{
	struct store_key key = key_of(number);

	return store_find(&store, &key);
}

static bool is_found(uint64_t number, const char *value)
{
	return slice_is(found(number), slice_of(value));
}

static bool is_gone(uint64_t number)
{
	return !found(number).text;
}

static bool holds(const char *stamp, const char *now)
{
	return store_hold(&store, slice_of(stamp), now);
}

Test(store, what_is_kept_is_found_under_its_key_and_no_other)
{
	static const struct store_key others[] = {{{2, 2, 3}}, {{1, 3, 3}}, {{1, 2, 4}}, {{0}}};

	keep(1, "value");
	cr_assert(is_found(1, "value"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_null(store_find(&store, &others[i]).text);
}

Test(store, an_empty_value_is_one_too)
{
	keep(1, "");
	cr_assert(found(1).text && found(1).length == 0);
	cr_assert(is_gone(2));
}

Test(store, the_last_value_of_a_key_counts)
{
	keep(1, "before");
	keep(2, "other");
	keep(1, "after");
	cr_assert(is_found(1, "after") && is_found(2, "other"));
}

Test(store, a_value_that_is_kept_once_more_takes_no_room)
{
	uint64_t next;

	keep(1, "value");
	next = store.next;
	keep(1, "value");
	cr_assert_eq(store.next, next);
}

Test(store, all_holds_under_the_same_stamp)
{
	keep(1, "value");
	cr_assert(holds("one", NOON) && holds("one", LATER));
	cr_assert(is_found(1, "value"));
}

Test(store, nothing_outlives_its_stamp)
{
	static const char *const others[] = {"two", "on", "one1", "onf"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		holds("one", NOON);
		keep(1, "value");
		cr_assert_not(holds(others[i], NOON));
		cr_assert(is_gone(1));
		cr_assert_not(holds("one", NOON), "and it does not come back");
		cr_assert(is_gone(1));
	}
}

Test(store, an_empty_stamp_is_none)
{
	cr_assert_not(holds("", NOON));
	keep(1, "value");
	cr_assert(is_gone(1));
	cr_assert_not(holds("", NOON));
}

Test(store, emptied_it_keeps_nothing_until_it_has_a_stamp)
{
	keep(1, "value");
	store_empty(&store);
	cr_assert(is_gone(1));
	keep(1, "value");
	cr_assert(is_gone(1));
	cr_assert_not(holds("one", NOON));
	cr_assert(is_gone(1));
	keep(1, "value");
	cr_assert(is_found(1, "value") && holds("one", NOON));
}

Test(store, a_stamp_for_which_there_is_no_memory_is_none)
{
	const struct slice endless = {"one", SIZE_MAX / 2};

	keep(1, "value");
	cr_assert_not(store_hold(&store, endless, NOON));
	keep(1, "value");
	cr_assert(is_gone(1));
}

/* Does a value that expires then hold at the time now? Until now it was looked at at noon. */
static bool outlives(const char *expires, const char *now)
{
	store_empty(&store);
	holds("one", NOON);
	keep_until(1, "value", expires);
	return holds("one", now) && is_found(1, "value");
}

Test(store, a_value_holds_until_it_expires_and_at_that_very_time)
{
	cr_assert(outlives("2026-11-29 12:00:01+00", "2026-11-29 12:00:01+00"));
	cr_assert_not(outlives("2026-11-29 12:00:01+00", "2026-11-29 12:00:01.000001+00"));
	cr_assert_not(outlives("2026-11-29 12:00:00.999999+00", "2026-11-29 12:00:01+00"));
}

/* PostgreSQL leaves out zeros at a fraction's end. */
Test(store, fractions_of_any_length_are_in_order)
{
	static const char *const times[] = {"2026-11-29 12:00:01+00",
	    "2026-11-29 12:00:01.000001+00", "2026-11-29 12:00:01.09+00",
	    "2026-11-29 12:00:01.1+00", "2026-11-29 12:00:01.10001+00", "2026-11-29 12:00:01.11+00",
	    "2026-11-29 12:00:01.9+00", "2026-11-29 12:00:02+00", "2026-12-01 00:00:00+00",
	    "2027-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"};

	for (size_t i = 0; i + 1 < sizeof(times) / sizeof(times[0]); i++) {
		cr_assert(outlives(times[i + 1], times[i]), "%s at %s", times[i + 1], times[i]);
		cr_assert_not(outlives(times[i], times[i + 1]), "%s at %s", times[i], times[i + 1]);
	}
}

Test(store, infinity_is_after_all_times_and_what_is_not_in_order_holds_never)
{
	cr_assert(outlives("infinity", "9999-12-31 23:59:59.999999+00"));
	cr_assert_not(outlives("-infinity", NOON));
	cr_assert_not(outlives("10000-01-01 00:00:00+00", NOON));
	cr_assert_not(outlives("0044-03-15 00:00:00+00 BC", NOON));
}

Test(store, the_earliest_expiry_counts_whatever_is_kept_after_it)
{
	keep_until(1, "late", "2026-11-29 12:00:09+00");
	keep_until(2, "early", "2026-11-29 12:00:01+00");
	keep_until(3, "later", "2026-11-29 12:00:05+00");
	keep(4, "never");
	cr_assert(holds("one", "2026-11-29 12:00:01+00"));
	cr_assert_not(holds("one", "2026-11-29 12:00:02+00"));
	for (uint64_t number = 1; number <= 4; number++)
		cr_assert(is_gone(number));
}

Test(store, an_expiry_counts_once_its_value_has_made_room_or_was_replaced_too)
{
	keep_until(1, "value", LATER);
	keep(1, "another");
	cr_assert_not(holds("one", "2026-11-29 12:00:02+00"));
}

Test(store, an_expiry_counts_of_a_value_that_was_there_before_too)
{
	keep(1, "value");
	keep_until(1, "value", LATER);
	cr_assert_not(holds("one", "2026-11-29 12:00:02+00"));
}

Test(store, an_expiry_is_forgotten_with_the_stamp)
{
	keep_until(1, "value", LATER);
	holds("two", NOON);
	keep(1, "value");
	cr_assert(holds("two", "2026-11-29 13:00:00+00") && is_found(1, "value"));
}

Test(store, a_clock_that_is_set_back_empties_it)
{
	keep(1, "value");
	cr_assert(holds("one", LATER) && is_found(1, "value"));
	cr_assert_not(holds("one", NOON));
	cr_assert(is_gone(1));
	keep(1, "value");
	cr_assert(holds("one", NOON) && is_found(1, "value"));
}

/* Of a length that is another one for each, so that the ring's end is met at all distances. */
static const char *sample(uint64_t number, size_t longest)
{
	static char text[STORE_VALUE_MAX + 1];
	size_t length = (size_t)(number * 7919 % longest);

	memset(text, 'a' + (int)(number % 26), length);
	text[length] = '\0';
	return text;
}

/* Keeps very many, and looks after each at all of the last ones. */
static void fill(size_t longest)
{
	uint64_t oldest = 1;

	for (uint64_t number = 1; number <= 500; number++) {
		keep(number, sample(number, longest));
		cr_assert(is_found(number, sample(number, longest)));
		while (oldest < number && is_gone(oldest))
			oldest++;
		for (uint64_t other = number; other >= oldest; other--)
			cr_assert(is_gone(other) || is_found(other, sample(other, longest)));
	}
	cr_assert_gt(oldest, 1);
}

Test(store, the_oldest_makes_room_and_what_is_left_is_whole)
{
	fill(10);
	fill(100);
	fill(1000);
	fill(STORE_VALUE_MAX);
}

/* But for those whose place in the index was taken: there are four for each set. */
Test(store, the_oldest_goes_first)
{
	static const char value[1000] = "value";
	struct store_key key;

	for (uint64_t number = 1; number <= 50; number++) {
		key = key_of(number);
		store_keep(&store, &key, (struct slice){value, sizeof(value)}, NULL);
	}
	for (uint64_t number = 45; number <= 50; number++)
		cr_assert_not(is_gone(number), "%d of 7 that fit", (int)number);
	for (uint64_t number = 1; number <= 43; number++)
		cr_assert(is_gone(number));
}

Test(store, one_that_was_replaced_is_as_young_as_its_last_value)
{
	for (uint64_t number = 1; number <= 500; number++) {
		keep(number, sample(number, 1000));
		if (number % 3 == 0)
			keep(1000, sample(number, 1000));
		cr_assert(number < 3 || is_found(1000, sample(number / 3 * 3, 1000)));
	}
}

Test(store, places_of_what_was_forgotten_lead_to_nothing)
{
	for (int round = 1; round <= 100; round++) {
		char stamp[20];

		sprintf(stamp, "stamp %d", round);
		cr_assert_not(holds(stamp, NOON));
		for (uint64_t number = 1; number <= 8; number++)
			cr_assert(is_gone(number));
		for (uint64_t number = 1; number <= 8; number++)
			keep(number, sample(number + (uint64_t)round, 500));
		cr_assert(is_found(8, sample(8 + (uint64_t)round, 500)));
	}
}

Test(store, a_value_that_is_too_long_is_not_kept_and_leaves_the_others)
{
	static char text[STORE_VALUE_MAX + 2];

	memset(text, 'x', sizeof(text) - 1);
	keep(1, "value");
	keep(2, text);
	cr_assert(is_gone(2) && is_found(1, "value"));
	text[STORE_VALUE_MAX] = '\0';
	keep(2, text);
	cr_assert(is_found(2, text) && is_found(1, "value"));
}

Test(store, of_no_size_it_holds_nothing_ever)
{
	end();
	cr_assert(store_start(&store, 0));
	cr_assert_not(holds("one", NOON));
	keep_until(1, "value", LATER);
	cr_assert(is_gone(1));
	store_empty(&store);
	cr_assert_not(holds("two", NOON));
	cr_assert(is_gone(1));
}

Test(store, of_any_size_it_holds_what_fits)
{
	for (size_t size = 1; size < 300; size++) {
		end();
		cr_assert(store_start(&store, size));
		cr_assert_not(holds("one", NOON));
		for (uint64_t number = 1; number <= 30; number++) {
			keep(number, "value of some length");
			cr_assert(is_gone(number) || is_found(number, "value of some length"));
		}
		cr_assert(size < 100 || is_found(30, "value of some length"), "%zu", size);
	}
}

Test(store, it_takes_no_more_than_it_was_given)
{
	static const size_t sizes[] = {SIZE, 65536, 4194304};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		end();
		cr_assert(store_start(&store, sizes[i]));
		cr_assert_leq(
		    store.size + (store.set_count - 1) * sizeof(struct store_set), sizes[i] + 8);
	}
}
