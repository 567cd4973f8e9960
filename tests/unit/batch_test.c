/* SPDX-License-Identifier: MIT */
/* Equal values are asked once; each row finds its askers; misfits are refused. */
#include "postgres/batch.h"

#include "sample_rows.h"

struct asked {
	struct question question;
	int value;
};

static bool same(const struct question *a, const struct question *b)
{
	return ((const struct asked *)a)->value == ((const struct asked *)b)->value;
}

static int encode(struct buffer *parameters, struct batch_part *part, const void *facts)
{
	(void)parameters, (void)part, (void)facts;
	return 0;
}

static const struct statement some = {.name = "some", .columns = 2, .same = same, .encode = encode};
static const struct statement all = {
    .name = "all", .columns = 2, .complete = true, .same = same, .encode = encode};
static const struct statement *const set[] = {&some, &all, NULL};

static struct batch batch;
static struct asked asked[3];

/* Three questions to the statement at index, of the values 5, 5 and 6; all of it is sent. */
static void start(unsigned index)
{
	static const int values[3] = {5, 5, 6};

	batch_init(&batch, set);
	for (int i = 0; i < 3; i++) {
		asked[i] = (struct asked){.question.wants = 1u << index, .value = values[i]};
		batch_add(&batch, &asked[i].question);
	}
	batch.sent[batch.sent_count++] = index;
}

static void end(void)
{
	batch_free(&batch);
}

TestSuite(batch, .fini = end);

static enum batch_progress take(const char *n, const char *text)
{
	const char *const texts[] = {n, text};

	return batch_take(&batch, sample_row(2, texts));
}

static int row_of(int place, unsigned index)
{
	const struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};
	const PGresult *rows;

	return batch_row(&answer, &asked[place].question, index, &rows);
}

Test(batch, equal_values_are_asked_about_once_and_share_their_row)
{
	start(0);
	cr_assert_eq(batch.parts[0].count, 2);
	cr_assert_eq(take("1", "x"), BATCH_GOES_ON);
	cr_assert_eq(row_of(0, 0), 0);
	cr_assert_eq(row_of(1, 0), 0);
	cr_assert_eq(row_of(2, 0), -1);
}

Test(batch, a_place_that_was_not_asked_about_breaks_it)
{
	start(0);
	cr_assert_eq(take("3", "x"), BATCH_BROKEN);
	cr_assert_eq(take("0", "x"), BATCH_BROKEN);
	cr_assert_eq(take("x", "x"), BATCH_BROKEN);
}

Test(batch, a_value_that_has_two_rows_is_ambiguous_and_no_other_is)
{
	static char second[] = "2";
	const char *const texts[] = {"1", "x"};
	PGresult *rows = sample_row(2, texts);

	start(0);
	for (int row = 1; row < 3; row++)
		cr_assert(PQsetvalue(rows, row, 0, second, 1));
	cr_assert_eq(batch_take(&batch, rows), BATCH_GOES_ON);
	cr_assert_not(batch_is_ambiguous(&batch, &asked[0].question));
	cr_assert(batch_is_ambiguous(&batch, &asked[2].question));
	cr_assert_lt(row_of(2, 0), 0);
	cr_assert_eq(row_of(1, 0), 0);
}

Test(batch, a_statement_that_is_to_answer_all_must_have_a_row_for_each)
{
	start(1);
	cr_assert_eq(take("1", "x"), BATCH_BROKEN);
}

Test(batch, a_result_with_other_columns_breaks_it)
{
	const char *const texts[] = {"1"};

	start(0);
	cr_assert_eq(batch_take(&batch, sample_row(1, texts)), BATCH_BROKEN);
}

Test(batch, it_is_complete_at_the_sync_and_not_before)
{
	start(0);
	cr_assert_eq(take("1", "x"), BATCH_GOES_ON);
	cr_assert_eq(batch_take(&batch, NULL), BATCH_GOES_ON);
	cr_assert_eq(
	    batch_take(&batch, PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_SYNC)), BATCH_COMPLETE);
}

Test(batch, a_sync_before_the_last_answer_breaks_it)
{
	start(0);
	cr_assert_eq(
	    batch_take(&batch, PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_SYNC)), BATCH_BROKEN);
}

Test(batch, the_first_error_is_kept)
{
	start(0);
	cr_assert_eq(
	    batch_take(&batch, PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR)), BATCH_GOES_ON);
	cr_assert_str_eq(batch.error, "the connection is lost");
	cr_assert_str_eq(batch.sqlstate, "");
}
