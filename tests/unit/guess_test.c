/* SPDX-License-Identifier: MIT */
/* A guess is about the very key, the last word counts, and doubt comes back. */
#include "authentik/guess.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct guess_table table;
static const uuid_t group = {1, 2, 3};
static const struct rights nothing, all = {.sees_all = true, .superuser_by = {1, 2, 3}};

static struct inquiry question_of(const char *key)
{
	return (struct inquiry){.key = (const unsigned char *)key, .key_length = strlen(key)};
}

static void learn_rights(const char *key, int user)
{
	struct inquiry question = question_of(key);

	question.user = user;
	guess_learn_rights(&table, &question, &nothing, false);
}

/* The user who is guessed to hold the key, or 0. */
static int guessed_user(const char *key)
{
	struct inquiry question = question_of(key);
	const struct guess *guess = guess_find(&table, &question);

	return guess ? guess->user : 0;
}

Test(guess, about_an_unknown_key_nothing_is_guessed_and_about_a_known_one_its_last_user)
{
	cr_assert_eq(guessed_user("key"), 0);
	learn_rights("key", 7);
	cr_assert_eq(guessed_user("key"), 7);
	cr_assert_eq(guessed_user("ke"), 0);
	learn_rights("key", 8);
	cr_assert_eq(guessed_user("key"), 8);
}

Test(guess, of_a_superuser_the_group_is_known_and_no_user)
{
	struct inquiry question = question_of("key");
	const struct guess *guess;

	guess_learn_superuser(&table, &question, group);
	guess = guess_find(&table, &question);
	cr_assert_eq(guess->user, 0);
	cr_assert_eq(uuid_compare(guess->superuser_by, group), 0);
}

Test(guess, of_an_access_token_it_is_known_that_it_is_one)
{
	struct inquiry question = question_of("key");
	const struct guess *guess;

	question.user = 7;
	guess_learn_rights(&table, &question, &all, true);
	guess = guess_find(&table, &question);
	cr_assert(guess->access_token && guess->sees_all);
	cr_assert_eq(guess->user, 7);
	cr_assert_eq(uuid_compare(guess->superuser_by, group), 0);
}

Test(guess, every_so_often_nothing_is_guessed_and_then_again)
{
	learn_rights("key", 7);
	for (int use = 1; use <= 3 * GUESS_USES; use++)
		cr_assert_eq(guessed_user("key"), use % GUESS_USES ? 7 : 0, "use %d", use);
}

/* How many of so many known keys are still known, each of them with its own user. */
static int known_of(int keys)
{
	char key[20];
	int known = 0;

	for (int user = 1; user <= keys; user++) {
		sprintf(key, "key-%d", user);
		learn_rights(key, user);
	}
	for (int user = 1; user <= keys; user++) {
		sprintf(key, "key-%d", user);
		int guessed = guessed_user(key);

		cr_assert(guessed == user || guessed == 0);
		known += guessed == user;
	}
	return known;
}

Test(guess, nearly_all_of_as_many_keys_as_there_are_sets_stay_known)
{
	cr_assert_gt(known_of(GUESS_SETS), GUESS_SETS * 98 / 100);
}

Test(guess, of_more_keys_than_fit_the_table_stays_full)
{
	cr_assert_gt(known_of(4 * GUESS_SETS * GUESS_WAYS), GUESS_SETS * GUESS_WAYS * 98 / 100);
}
