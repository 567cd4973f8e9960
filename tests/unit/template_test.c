/* SPDX-License-Identifier: MIT */
/* Variables are filled in as psql does, and what names none stays. */
#include "postgres/template.h"

#include <criterion/criterion.h>

static struct buffer to;

static const struct template_variable variables[] = {
    {"schema", "public"}, {"members", "the_members"}, {NULL, NULL}};

static void free_buffer(void)
{
	buffer_free(&to);
}

TestSuite(template, .fini = free_buffer);

static const char *fill(const char *text)
{
	buffer_clear(&to);
	cr_assert(template_fill(&to, text, variables, NULL));
	return (const char *)to.data;
}

Test(template, a_variable_is_filled_in_wherever_it_stands)
{
	cr_assert_str_eq(fill(":members, :schema"), "the_members, public");
	cr_assert_str_eq(fill("(:members)"), "(the_members)");
}

Test(template, what_names_no_variable_stays)
{
	cr_assert_str_eq(
	    fill("x::uuid, $5[a : b], ':', :other"), "x::uuid, $5[a : b], ':', :other");
	cr_assert_str_eq(fill(":membership :schema_name :"), ":membership :schema_name :");
}

Test(template, a_quoted_variable_that_cannot_be_quoted_fails)
{
	cr_assert_not(template_fill(&to, ":'schema'", variables, NULL));
}
