/* SPDX-License-Identifier: MIT */
/* A PREPARE is taken apart, and every other text is left as it is. */
#include "postgres/prepared.h"

#include "authentik/statements.h"

#include <criterion/criterion.h>

Test(prepared, a_statement_has_its_name_its_types_and_its_body)
{
	const struct prepared found = prepared_read("prepare some (text[], int) as\nselect $1");

	cr_assert_str_eq(found.name, "some");
	cr_assert_eq(found.count, 2);
	cr_assert_eq(found.types[0], 1009);
	cr_assert_eq(found.types[1], 23);
	cr_assert_str_eq(found.body, "select $1");
}

Test(prepared, a_statement_may_have_no_parameters)
{
	const struct prepared found = prepared_read("prepare some as\nselect 1");

	cr_assert_str_eq(found.name, "some");
	cr_assert_eq(found.count, 0);
	cr_assert_str_eq(found.body, "select 1");
}

Test(prepared, another_text_is_its_own_body)
{
	static const char text[] = "select 1";
	const struct prepared found = prepared_read(text);

	cr_assert_str_empty(found.name);
	cr_assert_eq(found.body, text);
}

Test(prepared, every_statement_of_ours_can_be_taken_apart)
{
	cr_assert_eq(prepared_read(statement_facts).count, 0);
	cr_assert_eq(prepared_read(statement_caller).count, 3);
	cr_assert_eq(prepared_read(statement_caller_known).count, 2);
	cr_assert_eq(prepared_read(statement_caller_one).count, 2);
	cr_assert_eq(prepared_read(statement_access_token).count, 1);
	cr_assert_eq(prepared_read(statement_policy).count, 1);
	cr_assert_eq(prepared_read(statement_policy_one).count, 1);
	cr_assert_eq(prepared_read(statement_rights_roles).count, 6);
	cr_assert_eq(prepared_read(statement_rights_tree).count, 6);
	cr_assert_eq(prepared_read(statement_rights_known_roles).count, 3);
	cr_assert_eq(prepared_read(statement_rights_known_tree).count, 3);
}
