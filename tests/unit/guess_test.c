/* SPDX-License-Identifier: MIT */
/* Proves that a guess is about the very key, and that the last word about a key counts. */
#include "api/guess.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct guess_table table;

static void remember(const char *key, int user)
{
	guess_remember(&table, (const unsigned char *)key, strlen(key), user);
}

static int find(const char *key)
{
	int user = 0;

	return guess_find(&table, (const unsigned char *)key, strlen(key), &user) ? user : -1;
}

Test(guess, an_unknown_key_has_no_guess_and_a_remembered_one_its_last_user)
{
	cr_assert_eq(find("key"), -1);
	remember("key", 7);
	cr_assert_eq(find("key"), 7);
	cr_assert_eq(find("ke"), -1);
	remember("key", 8);
	cr_assert_eq(find("key"), 8);
}

Test(guess, a_forgotten_key_has_no_guess_and_takes_none_from_another)
{
	remember("key", 7);
	remember("other", 9);
	guess_forget(&table, (const unsigned char *)"key", 3);
	cr_assert_eq(find("key"), -1);
	cr_assert_eq(find("other"), 9);
}

Test(guess, of_many_keys_each_is_found_with_its_own_user_or_not_at_all)
{
	char key[20];
	int found = 0;

	for (int user = 1; user <= 4 * GUESS_SLOTS; user++) {
		sprintf(key, "key-%d", user);
		remember(key, user);
	}
	for (int user = 1; user <= 4 * GUESS_SLOTS; user++) {
		sprintf(key, "key-%d", user);
		cr_assert(find(key) == user || find(key) == -1);
		found += find(key) == user;
	}
	cr_assert_gt(found, GUESS_SLOTS / 2);
	cr_assert_leq(found, GUESS_SLOTS);
}
