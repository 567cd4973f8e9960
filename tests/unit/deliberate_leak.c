/* SPDX-License-Identifier: MIT */
/* Leaks on purpose, outside make check: scripts/test proves with it that a leak in a Criterion test is
 * noticed. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(deliberate, leak)
{
	char *volatile leaked = malloc(4321);

	cr_assert_not_null(leaked);
	leaked = NULL;
}
