/* SPDX-License-Identifier: MIT */
/* Proves that a leak would be seen. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(deliberate, leak)
{
	char *volatile leaked = malloc(4321);

	cr_assert_not_null(leaked);
	leaked = NULL;
}
