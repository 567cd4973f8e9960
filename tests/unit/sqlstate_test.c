/* SPDX-License-Identifier: MIT */
/* Each class of errors is told apart, and the most general row comes last. */
#include "postgres/sqlstate.h"

#include <criterion/criterion.h>

static void assert_row(
    const char *code, enum sqlstate_again again, enum answer_outcome otherwise, bool reopen)
{
	const struct sqlstate *row = sqlstate_find(code);

	cr_assert_eq(row->again, again, "%s", code);
	cr_assert_eq(row->otherwise, otherwise, "%s", code);
	cr_assert_eq(row->reopen != NULL, reopen, "%s", code);
}

Test(sqlstate, one_members_data_is_asked_about_alone)
{
	assert_row("22P02", SQLSTATE_ALONE, ANSWER_REFUSED, false);
}

Test(sqlstate, what_another_transaction_caused_is_asked_again_together)
{
	assert_row("40001", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, false);
	assert_row("40P01", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, false);
	assert_row("55P03", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, false);
	assert_row("72000", SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, false);
}

Test(sqlstate, stale_plans_and_a_lost_server_take_a_new_connection)
{
	assert_row("0A000", SQLSTATE_ANEW, ANSWER_REFUSED, true);
	assert_row("26000", SQLSTATE_ANEW, ANSWER_REFUSED, true);
	assert_row("57P01", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, true);
	assert_row("08P01", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, true);
	assert_row("25006", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, true);
	assert_row("", SQLSTATE_ELSEWHERE, ANSWER_UNAVAILABLE, true);
}

Test(sqlstate, what_would_fail_again_is_answered)
{
	assert_row("57014", SQLSTATE_ANSWER, ANSWER_LATE, false);
	assert_row("53300", SQLSTATE_ANSWER, ANSWER_UNAVAILABLE, false);
	assert_row("58030", SQLSTATE_ANSWER, ANSWER_UNAVAILABLE, false);
	assert_row("HV00N", SQLSTATE_ANSWER, ANSWER_UNAVAILABLE, false);
	assert_row("XX000", SQLSTATE_ANSWER, ANSWER_REFUSED, false);
}

Test(sqlstate, what_an_upgrade_takes_away_is_looked_for_anew_and_asked_again)
{
	static const char *const codes[] = {"42P01", "42703", "42501", "42883", "42804", "3F000"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_row(codes[i], SQLSTATE_TOGETHER, ANSWER_UNAVAILABLE, true);
	assert_row("42601", SQLSTATE_ANSWER, ANSWER_REFUSED, true);
	assert_row("55000", SQLSTATE_ANSWER, ANSWER_UNAVAILABLE, false);
}

Test(sqlstate, a_question_is_asked_again_as_often_as_it_is_worth)
{
	cr_assert_eq(sqlstate_most(SQLSTATE_ANSWER), 0);
	cr_assert_eq(sqlstate_most(SQLSTATE_ALONE), 1);
	cr_assert_eq(sqlstate_most(SQLSTATE_TOGETHER), 1);
	cr_assert_eq(sqlstate_most(SQLSTATE_ELSEWHERE), 7);
}
