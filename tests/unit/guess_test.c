/* SPDX-License-Identifier: MIT */
/* Proves that a guess is about the very key, that the last word counts, and that doubt comes back. */
#include "api/guess.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct guess_table table;

static void remember(const char *key, int user)
{
	struct guess guess = {.user = user};

	guess_remember(&table, (const unsigned char *)key, strlen(key), &guess);
}

static int find(const char *key)
{
	const struct guess *guess = guess_find(&table, (const unsigned char *)key, strlen(key));

	return guess ? guess->user : -1;
}

Test(guess, an_unknown_key_has_no_guess_and_a_remembered_one_its_last)
{
	cr_assert_eq(find("key"), -1);
	remember("key", 7);
	cr_assert_eq(find("key"), 7);
	cr_assert_eq(find("ke"), -1);
	remember("key", 8);
	cr_assert_eq(find("key"), 8);
}

Test(guess, every_so_often_a_guess_is_withheld_and_then_given_again)
{
	remember("key", 7);
	for (int use = 1; use <= 3 * GUESS_USES; use++)
		cr_assert_eq(find("key"), use % GUESS_USES ? 7 : -1, "use %d", use);
}

/* How many of so many remembered keys are found, each of them with its own user. */
static int found_of(int keys)
{
	char key[20];
	int found = 0;

	for (int user = 1; user <= keys; user++) {
		sprintf(key, "key-%d", user);
		remember(key, user);
	}
	for (int user = 1; user <= keys; user++) {
		sprintf(key, "key-%d", user);
		int guessed = find(key);

		cr_assert(guessed == user || guessed == -1);
		found += guessed == user;
	}
	return found;
}

Test(guess, nearly_all_of_as_many_keys_as_there_are_sets_are_remembered)
{
	cr_assert_gt(found_of(GUESS_SETS), GUESS_SETS * 98 / 100);
}

Test(guess, of_more_keys_than_fit_the_table_stays_full)
{
	cr_assert_gt(found_of(4 * GUESS_SETS * GUESS_WAYS), GUESS_SETS * GUESS_WAYS * 98 / 100);
}
