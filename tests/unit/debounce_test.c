/* SPDX-License-Identifier: MIT */
/* Of many equal events the first is said at once, the others as a number. */
#include "base/debounce.h"

#include <criterion/criterion.h>

Test(debounce, says_the_first_and_counts_the_others)
{
	struct debounce debounce = {0};

	cr_assert(debounce_take(&debounce, 1000));
	for (int i = 0; i < 7; i++)
		cr_assert_not(debounce_take(&debounce, 1000));
	cr_assert_eq(debounce_turn(&debounce, 1000 + DEBOUNCE_MS - 1), 0);
	cr_assert_eq(debounce_turn(&debounce, 1000 + DEBOUNCE_MS), 7);
	cr_assert_eq(debounce_turn(&debounce, 1000 + DEBOUNCE_MS), 0);
}

Test(debounce, says_some_where_some_may_be_said_until_there_is_a_pause)
{
	struct debounce debounce = {0};

	for (int i = 0; i < 3; i++)
		cr_assert(debounce_take_some(&debounce, 0, 3));
	cr_assert_not(debounce_take_some(&debounce, 0, 3));
	cr_assert_eq(debounce_turn(&debounce, DEBOUNCE_MS), 1);
	cr_assert_not(debounce_take_some(&debounce, DEBOUNCE_MS + 1, 3));
	cr_assert_eq(debounce_turn(&debounce, 2 * DEBOUNCE_MS), 1);
	cr_assert_eq(debounce_turn(&debounce, 3 * DEBOUNCE_MS), 0);
	cr_assert(debounce_take_some(&debounce, 3 * DEBOUNCE_MS + 1, 3));
}

Test(debounce, goes_on_counting_while_events_come)
{
	struct debounce debounce = {0};

	debounce_take(&debounce, 0);
	debounce_take(&debounce, 1);
	cr_assert_eq(debounce_turn(&debounce, DEBOUNCE_MS), 1);
	cr_assert_not(debounce_take(&debounce, DEBOUNCE_MS + 1));
	cr_assert_eq(debounce_turn(&debounce, 2 * DEBOUNCE_MS), 1);
}

Test(debounce, says_the_next_at_once_after_a_pause)
{
	struct debounce debounce = {0};

	debounce_take(&debounce, 0);
	cr_assert_eq(debounce_turn(&debounce, DEBOUNCE_MS), 0);
	cr_assert(debounce_take(&debounce, DEBOUNCE_MS + 1));
}

Test(debounce, forgets_none_at_the_end)
{
	struct debounce debounce = {0};

	debounce_take(&debounce, 0);
	debounce_take(&debounce, 0);
	cr_assert_eq(debounce_end(&debounce), 1);
	cr_assert_eq(debounce_end(&debounce), 0);
}
