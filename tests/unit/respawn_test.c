/* SPDX-License-Identifier: MIT */
/* Workers that end are replaced at once, those that die young ever later, and one at a time. */
#include "pool/respawn.h"

#include <criterion/criterion.h>

enum { SEATS_MOST = 16 };

/* How many starts a crew makes in that many milliseconds whose workers all die at their first millisecond. */
static int starts_of(int seats, int64_t milliseconds)
{
	struct respawn respawn = {0};
	int64_t started[SEATS_MOST] = {0};
	int starts = 0;

	for (int64_t now = 1000; now < 1000 + milliseconds; now++) {
		for (int i = 0; i < seats; i++)
			if (started[i] && started[i] < now) {
				respawn_ended(&respawn, started[i], now);
				started[i] = 0;
			}
		for (int i = 0; i < seats; i++) {
			bool on_probation = false;

			for (int k = 0; k < seats; k++)
				on_probation |= started[k] && respawn_is_on_probation(
								  &respawn, started[k], false, now);
			if (!started[i] && now >= respawn.due && !on_probation) {
				started[i] = now;
				starts++;
			}
		}
	}
	return starts;
}

Test(respawn, starts_few_of_workers_that_crash_at_each_start)
{
	for (int seats = 1; seats <= 8; seats++)
		cr_assert_leq(starts_of(seats, 30000), 20, "%d seats", seats);
	cr_assert_eq(starts_of(SEATS_MOST, 30000), starts_of(1, 30000) + SEATS_MOST - 1);
	cr_assert_geq(starts_of(1, 30000), 9);
}

Test(respawn, is_due_at_once_for_one_that_was_steady)
{
	struct respawn respawn = {0};

	for (int64_t now = 10000; now < 50000; now += RESPAWN_STEADY_MS) {
		respawn_ended(&respawn, now - RESPAWN_STEADY_MS, now);
		cr_assert_leq(respawn.due, now);
	}
}

Test(respawn, doubles_from_a_tenth_of_a_second_to_ten)
{
	static const int64_t expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	struct respawn respawn = {0};
	int64_t now = 5000;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		respawn_ended(&respawn, now, now);
		cr_assert_eq(respawn.due - now, expected[i]);
		now = respawn.due;
	}
}

Test(respawn, grows_once_for_all_workers_of_one_start)
{
	struct respawn respawn = {0};

	for (int i = 0; i < 8; i++)
		respawn_ended(&respawn, 4000, 5000);
	cr_assert_eq(respawn.due, 5000);
	cr_assert_eq(respawn.delay, RESPAWN_FIRST_MS);
}

Test(respawn, forgets_an_old_delay)
{
	struct respawn respawn = {0};

	for (int64_t now = 5000; respawn.delay < RESPAWN_MOST_MS; now = respawn.due)
		respawn_ended(&respawn, now, now);
	respawn_ended(&respawn, 999000, 1000000);
	cr_assert_eq(respawn.due, 1000000);
}

Test(respawn, lets_the_others_follow_one_that_is_ready_and_as_old_as_the_delay)
{
	struct respawn respawn = {0};

	cr_assert_not(respawn_is_on_probation(&respawn, 5000, false, 5000));
	respawn_ended(&respawn, 5000, 5001);
	cr_assert(respawn_is_on_probation(&respawn, 5001, false, 5001 + RESPAWN_STEADY_MS - 1));
	cr_assert_not(respawn_is_on_probation(&respawn, 5001, false, 5001 + RESPAWN_STEADY_MS));
	cr_assert(respawn_is_on_probation(&respawn, 5001, true, 5001 + RESPAWN_FIRST_MS - 1));
	cr_assert_not(respawn_is_on_probation(&respawn, 5001, true, 5001 + RESPAWN_FIRST_MS));
	cr_assert_not(respawn_is_on_probation(&respawn, 5000, false, 5001));
	respawn.delay = RESPAWN_MOST_MS;
	cr_assert_not(respawn_is_on_probation(&respawn, 5001, true, 5001 + RESPAWN_STEADY_MS));
}
