/* SPDX-License-Identifier: MIT */
/* A wait ends when there is something to read, or at its deadline. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int ends[2];

static void open_pipe(void)
{
	cr_assert_eq(pipe(ends), 0);
}

TestSuite(clock, .init = open_pipe);

Test(clock, a_wait_ends_at_once_where_there_is_something_to_read)
{
	int64_t started = clock_ms();

	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert(clock_wait(ends[0], POLLIN, started + 60000));
	cr_assert(clock_ms() < started + 30000);
}

Test(clock, a_wait_ends_at_its_deadline_and_says_so)
{
	int64_t deadline = clock_ms() + 50;

	cr_assert_not(clock_wait(ends[0], POLLIN, deadline));
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert(clock_ms() >= deadline);
}

Test(clock, a_deadline_that_has_passed_is_not_waited_for)
{
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_not(clock_wait(ends[0], POLLIN, clock_ms()));
	cr_assert_eq(errno, ETIMEDOUT);
}
