/* SPDX-License-Identifier: MIT */
/* A user's rights are read from their row, for the object that was asked about. */
#include "authentik/rights.h"

#include "sample_rows.h"

static struct batch batch;
static struct inquiry inquiry;
static const struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};

/* The row stands for the statement at index until the test ends. */
static void put_row(unsigned index, int count, const char *const texts[])
{
	inquiry.question.wants = 1u << index;
	batch.parts[index].rows = sample_row(count, texts);
}

static void end(void)
{
	batch_clear(&batch);
}

TestSuite(rights, .fini = end);

static struct rights read_rights(
    const char *all, const char *granted, const char *any, const char *by)
{
	const char *const texts[] = {"1", all, granted, any, by};

	put_row(STATEMENT_RIGHTS, 5, texts);
	return rights_read(&answer, &inquiry, INQUIRY_RIGHTS);
}

Test(rights, of_who_sees_all_no_grant_is_read)
{
	struct rights rights = read_rights("t", NULL, "t", NULL);

	cr_assert(rights.sees_all && rights.sees_any && !rights.granted);
	cr_assert(uuid_is_null(rights.superuser_by));
}

Test(rights, the_grant_is_that_of_the_objects_place)
{
	inquiry.user_object = 1;
	cr_assert(read_rights("f", "{f,t,f}", "t", NULL).granted);
	batch_clear(&batch);
	inquiry.user_object = 2;
	cr_assert_not(read_rights("f", "{f,t,f}", "t", NULL).granted);
	batch_clear(&batch);
	inquiry.user_object = 3;
	cr_assert_not(read_rights("f", "{f,t,f}", "t", NULL).granted);
}

Test(rights, a_superusers_group_decides_whatever_else_is_said)
{
	struct rights rights = read_rights("f", "{f}", "f", "01000000-0000-0000-0000-000000000000");

	cr_assert(rights.sees_all);
	cr_assert_eq(rights.superuser_by[0], 1);
}

/* The name of the statement for two questions about one user, of whom this is believed by each. */
static const char *chosen(bool one, bool other)
{
	static struct inquiry inquiries[2];
	struct batch_part part = {
	    .index = STATEMENT_RIGHTS, .statement = &rights_statement, .batch = &batch, .count = 1};

	batch.count = 2;
	for (int i = 0; i < 2; i++) {
		inquiries[i].question.wants = INQUIRY_RIGHTS;
		inquiries[i].sees_all = i ? other : one;
		batch.members[i] = &inquiries[i].question;
	}
	part.of[0] = batch.members[0];
	return rights_statement.choose(&part)->name;
}

Test(rights, only_of_who_is_always_believed_to_see_all_is_no_more_asked_than_whether_they_do)
{
	cr_assert_str_eq(chosen(true, true), "rights_known");
	cr_assert_str_eq(chosen(true, false), "rights");
	cr_assert_str_eq(chosen(false, true), "rights");
}

Test(rights, a_question_that_wants_no_rights_does_not_count)
{
	chosen(true, true);
	inquiry.question.wants = INQUIRY_POLICY;
	batch.members[batch.count++] = &inquiry.question;
	cr_assert_str_eq(
	    rights_statement
		.choose(&(struct batch_part){
		    .index = STATEMENT_RIGHTS, .statement = &rights_statement, .batch = &batch})
		->name,
	    "rights_known");
}

Test(rights, who_does_not_see_all_is_undecided_where_nothing_else_was_asked)
{
	cr_assert(read_rights("f", NULL, "f", NULL).undecided);
	batch_clear(&batch);
	cr_assert_not(read_rights("t", NULL, "t", NULL).undecided);
	batch_clear(&batch);
	cr_assert_not(read_rights("f", "{f}", "f", NULL).undecided);
}
