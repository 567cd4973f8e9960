/* SPDX-License-Identifier: MIT */
/* A misspelt word is near to the one that was meant, and to no other. */
#include "base/nearest.h"

#include <criterion/criterion.h>
#include <string.h>

Test(nearest, letters_put_in_taken_out_and_changed_are_counted)
{
	cr_assert_eq(nearest_distance("workers", "workers"), 0);
	cr_assert_eq(nearest_distance("worker", "workers"), 1);
	cr_assert_eq(nearest_distance("wworkers", "workers"), 1);
	cr_assert_eq(nearest_distance("warkers", "workers"), 1);
	cr_assert_eq(nearest_distance("wrokers", "workers"), 2);
	cr_assert_eq(nearest_distance("kitten", "sitting"), 3);
	cr_assert_eq(nearest_distance("", "abc"), 3);
	cr_assert_eq(nearest_distance("abc", ""), 3);
}

Test(nearest, case_and_the_two_dashes_are_no_difference)
{
	cr_assert_eq(nearest_distance("LISTEN-Mode", "listen_mode"), 0);
}

Test(nearest, a_word_that_is_too_long_is_near_to_none)
{
	char text[NEAREST_LENGTH_MAX + 2] = "";

	memset(text, 'a', NEAREST_LENGTH_MAX);
	cr_assert_eq(nearest_distance(text, text), 0);
	text[NEAREST_LENGTH_MAX] = 'a';
	cr_assert_eq(nearest_distance(text, "a"), NEAREST_LENGTH_MAX);
	cr_assert_eq(nearest_distance("a", text), NEAREST_LENGTH_MAX);
}

Test(nearest, a_short_word_is_meant_only_with_one_mistake)
{
	cr_assert(nearest_is_meant("workers", 2) && !nearest_is_meant("workers", 3));
	cr_assert(nearest_is_meant("port", 1) && !nearest_is_meant("port", 2));
}
