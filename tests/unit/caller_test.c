/* SPDX-License-Identifier: MIT */
/* Which statement asks who holds the keys, and how its rows are read. */
#include "authentik/caller.h"

#include "sample_rows.h"

static struct batch batch;
static struct batch_part part;
static struct inquiry inquiries[2];
static const struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};

static void end(void)
{
	batch_clear(&batch);
}

TestSuite(caller, .fini = end);

/* The name of the statement for two keys whose holders are superusers by groups with these first bytes. */
static const char *chosen(unsigned char one, unsigned char other)
{
	part.statement = &caller_statement;
	part.count = 2;
	for (int i = 0; i < 2; i++)
		part.of[i] = &inquiries[i].question;
	inquiries[0].superuser_by[0] = one;
	inquiries[1].superuser_by[0] = other;
	return caller_statement.choose(&part)->name;
}

Test(caller, keys_of_superusers_by_one_group_are_asked_about_without_a_search)
{
	cr_assert_str_eq(chosen(1, 1), "caller_known");
}

Test(caller, a_key_alone_is_asked_about_without_a_list)
{
	cr_assert_str_eq(chosen(1, 1), "caller_known");
	part.count = 1;
	cr_assert_str_eq(caller_statement.choose(&part)->name, "caller_one");
}

Test(caller, keys_of_superusers_by_several_groups_are_asked_about_in_full)
{
	cr_assert_str_eq(chosen(1, 2), "caller");
}

Test(caller, a_key_that_is_not_known_is_asked_about_in_full)
{
	inquiries[1].search = true;
	cr_assert_str_eq(chosen(1, 1), "caller");
	part.count = 1;
	part.of[0] = &inquiries[1].question;
	cr_assert_str_eq(caller_statement.choose(&part)->name, "caller");
}

Test(caller, of_who_is_no_superuser_by_a_group_of_their_own_the_group_does_not_count)
{
	inquiries[1].user = 7;
	cr_assert_str_eq(chosen(1, 2), "caller_known");
	inquiries[0].user = 7;
	cr_assert_str_eq(chosen(1, 2), "caller_known");
}

/* By a row with this type of the user, and this in place of a group. */
static struct caller read_caller(const char *type, const char *group)
{
	const char *const texts[] = {"1", "7", "t", type, group, NULL};
	struct caller caller = {0};

	inquiries[0].question.wants = INQUIRY_CALLER;
	batch.parts[STATEMENT_CALLER].rows = sample_row(6, texts);
	cr_assert(caller_read(&caller, &answer, &inquiries[0], INQUIRY_CALLER));
	return caller;
}

Test(caller, a_caller_has_a_user_and_the_group_that_makes_a_superuser)
{
	struct caller caller = read_caller("internal", "f1000000-0000-0000-0000-000000000000");

	cr_assert(caller.user == 7 && caller.active && !caller.service && caller.superuser);
	cr_assert_eq(caller.superuser_by[0], 0xf1);
	cr_assert_null(caller.expires);
}

Test(caller, where_no_other_group_was_looked_at_it_is_the_one_asked_about)
{
	struct caller caller;

	inquiries[0].superuser_by[0] = 9;
	caller = read_caller("internal", "t");
	cr_assert(caller.superuser && caller.superuser_by[0] == 9);
	batch_clear(&batch);
	cr_assert_not(read_caller("internal", "f").superuser);
}

Test(caller, without_such_a_group_they_are_no_superuser)
{
	cr_assert_not(read_caller("internal", NULL).superuser);
}

Test(caller, an_internal_service_account_is_one_by_its_type)
{
	cr_assert(read_caller("internal_service_account", NULL).service);
	batch_clear(&batch);
	cr_assert_not(read_caller("service_account", NULL).service);
	batch_clear(&batch);
	cr_assert_not(read_caller(NULL, NULL).service);
}

Test(caller, nobody_holds_a_key_without_a_row)
{
	struct caller caller;

	inquiries[0].question.wants = INQUIRY_CALLER;
	batch.parts[STATEMENT_CALLER].row_of[0] = -1;
	cr_assert_not(caller_read(&caller, &answer, &inquiries[0], INQUIRY_CALLER));
}
