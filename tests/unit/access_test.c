/* SPDX-License-Identifier: MIT */
/* Each answer leads to its verdict or next step; what was learnt shortens the way. */
#include "api/access.h"

#include "sample_rows.h"

#include <criterion/criterion.h>
#include <string.h>

static struct guess_table guesses;
static struct access access_;
static struct store found;
static struct batch batch;

static void start(void)
{
	access_ = (struct access){.object = INQUIRY_POLICY, .rights = INQUIRY_RIGHTS};
	access_.inquiry.key = (const unsigned char *)"key";
	access_.inquiry.key_length = 3;
	access_start(&access_, &guesses);
}

static void end(void)
{
	store_free(&found);
	batch_clear(&batch);
}

TestSuite(access, .init = start, .fini = end);

static const struct caller holder = {.user = 7, .active = true};
static const struct caller service = {.user = 7, .active = true, .service = true};
static const struct caller inactive = {.user = 7};
static const struct caller superuser = {
    .user = 7, .active = true, .superuser = true, .superuser_by = {1}};
static const struct rights all = {.sees_all = true, .sees_any = true, .superuser_by = {2}};
static const struct rights granted = {.sees_any = true, .granted = true};
static const struct rights other = {.sees_any = true};
static const struct rights nothing;

static void assert_asks(enum access_verdict verdict, enum access_step step, unsigned wants)
{
	cr_assert_eq(verdict, ACCESS_ASKS);
	cr_assert_eq(access_.step, step);
	cr_assert_eq(access_wants(&access_), wants);
	cr_assert_eq(access_is_slow(&access_), step == ACCESS_TOKEN);
}

static void assert_rights_of(
    const struct caller *caller, const struct rights *rights, enum access_verdict verdict)
{
	memset(&guesses, 0, sizeof(guesses));
	start();
	assert_asks(access_decide(&access_, caller, NULL), ACCESS_RIGHTS, INQUIRY_RIGHTS);
	cr_assert_eq(access_.inquiry.user, caller->user);
	cr_assert_eq(access_decide(&access_, NULL, rights), verdict);
	cr_assert_eq(access_.step, ACCESS_DECIDED);
}

Test(access, of_an_unknown_key_its_holder_is_asked_for_along_with_the_object)
{
	assert_asks(ACCESS_ASKS, ACCESS_KEY, INQUIRY_CALLER | INQUIRY_POLICY);
	cr_assert(access_.inquiry.search);
}

Test(access, a_superuser_by_an_own_group_is_allowed_at_once_and_remembered)
{
	cr_assert_eq(access_decide(&access_, &superuser, NULL), ACCESS_ALLOWED);
	start();
	assert_asks(ACCESS_ASKS, ACCESS_KEY, INQUIRY_CALLER | INQUIRY_POLICY);
	cr_assert_eq(uuid_compare(access_.inquiry.superuser_by, superuser.superuser_by), 0);
}

Test(access, an_inactive_holder_ends_the_search)
{
	cr_assert_eq(access_decide(&access_, &inactive, NULL), ACCESS_INVALID_KEY);
}

Test(access, the_rights_of_any_other_holder_decide)
{
	assert_rights_of(&holder, &all, ACCESS_ALLOWED);
	assert_rights_of(&holder, &granted, ACCESS_ALLOWED);
	assert_rights_of(&holder, &other, ACCESS_NOT_FOUND);
	assert_rights_of(&holder, &nothing, ACCESS_FORBIDDEN);
	assert_rights_of(&service, &nothing, ACCESS_NOT_FOUND);
}

Test(access, of_a_known_holder_the_rights_are_asked_for_at_once)
{
	assert_rights_of(&holder, &all, ACCESS_ALLOWED);
	start();
	assert_asks(
	    ACCESS_ASKS, ACCESS_KEY_AND_RIGHTS, INQUIRY_CALLER | INQUIRY_RIGHTS | INQUIRY_POLICY);
	cr_assert_eq(uuid_compare(access_.inquiry.superuser_by, all.superuser_by), 0);
	cr_assert_eq(access_decide(&access_, &holder, &other), ACCESS_NOT_FOUND);
}

Test(access, who_does_not_see_all_any_more_is_asked_about_in_full_and_not_guessed_to_see_all_again)
{
	static const struct rights undecided = {.undecided = true};

	assert_rights_of(&holder, &all, ACCESS_ALLOWED);
	start();
	cr_assert(access_.inquiry.sees_all);
	assert_asks(access_decide(&access_, &holder, &undecided), ACCESS_RIGHTS, INQUIRY_RIGHTS);
	cr_assert_not(access_.inquiry.sees_all);
	cr_assert_eq(access_decide(&access_, NULL, &other), ACCESS_NOT_FOUND);
	start();
	cr_assert_not(access_.inquiry.sees_all);
	cr_assert_eq(access_decide(&access_, &holder, &all), ACCESS_ALLOWED);
	start();
	cr_assert(access_.inquiry.sees_all);
}

Test(access, rights_of_somebody_else_than_the_holder_decide_nothing)
{
	static const struct caller another = {.user = 8, .active = true};

	assert_rights_of(&holder, &all, ACCESS_ALLOWED);
	start();
	assert_asks(access_decide(&access_, &another, &all), ACCESS_RIGHTS, INQUIRY_RIGHTS);
	cr_assert_eq(access_.inquiry.user, 8);
	cr_assert(uuid_is_null(access_.inquiry.superuser_by));
}

Test(access, what_is_no_api_key_may_be_an_access_token)
{
	assert_asks(access_decide(&access_, NULL, NULL), ACCESS_TOKEN, INQUIRY_ACCESS_TOKEN);
	assert_asks(access_decide(&access_, &holder, NULL), ACCESS_RIGHTS_AND_OBJECT,
	    INQUIRY_RIGHTS | INQUIRY_POLICY);
	cr_assert_eq(access_decide(&access_, NULL, &granted), ACCESS_ALLOWED);
	start();
	assert_asks(ACCESS_ASKS, ACCESS_NO_KEY, INQUIRY_CALLER);
}

Test(access, a_key_that_is_neither_is_invalid)
{
	access_decide(&access_, NULL, NULL);
	cr_assert_eq(access_decide(&access_, NULL, NULL), ACCESS_INVALID_KEY);
}

Test(access, an_api_key_equal_to_a_known_access_token_goes_before_it)
{
	access_decide(&access_, NULL, NULL);
	access_decide(&access_, &holder, NULL);
	access_decide(&access_, NULL, &granted);
	start();
	assert_asks(
	    access_decide(&access_, &superuser, NULL), ACCESS_KEY, INQUIRY_CALLER | INQUIRY_POLICY);
	cr_assert(access_.inquiry.search);
	cr_assert_eq(access_decide(&access_, &superuser, NULL), ACCESS_ALLOWED);
}

static void know(void)
{
	cr_assert(store_start(&found, 65536));
	store_hold(&found, SLICE("stamp"), "2026-11-29 12:00:00+00");
}

static void forget(void)
{
	store_empty(&found);
	store_hold(&found, SLICE("stamp"), "2026-11-29 12:00:00+00");
}

/* The verdict by what is known of who holds the key, and of their rights: NULL is what is not known. */
static enum access_verdict recall_of(const struct caller *caller, const struct rights *rights)
{
	forget();
	if (caller)
		findings_keep_caller(&found, access_.digest, caller);
	if (rights)
		findings_keep_rights(&found, INQUIRY_RIGHTS, 7, access_.inquiry.object, rights);
	return access_recall(&access_, &found);
}

Test(access, what_is_known_leads_to_the_verdict_that_its_answers_led_to)
{
	know();
	cr_assert_eq(recall_of(&superuser, NULL), ACCESS_ALLOWED);
	cr_assert_eq(recall_of(&inactive, &all), ACCESS_INVALID_KEY);
	cr_assert_eq(recall_of(&holder, &all), ACCESS_ALLOWED);
	cr_assert_eq(recall_of(&holder, &granted), ACCESS_ALLOWED);
	cr_assert_eq(recall_of(&holder, &other), ACCESS_NOT_FOUND);
	cr_assert_eq(recall_of(&holder, &nothing), ACCESS_FORBIDDEN);
	cr_assert_eq(recall_of(&service, &nothing), ACCESS_NOT_FOUND);
}

Test(access, where_something_is_not_known_it_is_to_be_asked)
{
	know();
	cr_assert_eq(recall_of(NULL, NULL), ACCESS_ASKS);
	cr_assert_eq(recall_of(NULL, &all), ACCESS_ASKS);
	cr_assert_eq(recall_of(&holder, NULL), ACCESS_ASKS);
	findings_keep_rights(&found, INQUIRY_RIGHTS, 8, access_.inquiry.object, &all);
	cr_assert_eq(access_recall(&access_, &found), ACCESS_ASKS, "another user's rights");
}

/* The step's question is answered: the key's holder, NULL for nobody. */
static enum access_verdict take_holder(const char *user, struct store *in)
{
	const char *const row[] = {"1", user, "t", "f", NULL, "2026-11-29 13:00:00+00"};
	const struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};
	unsigned part = access_is_slow(&access_) ? STATEMENT_ACCESS_TOKEN : STATEMENT_CALLER;

	access_.inquiry.question.wants = access_wants(&access_);
	batch_clear(&batch);
	batch.parts[part].rows = user ? sample_row(6, row) : NULL;
	batch.parts[part].row_of[0] = user ? 0 : BATCH_NONE;
	return access_take(&access_, &answer, in);
}

static bool holder_is_known(void)
{
	struct caller caller;

	return findings_caller(&found, access_.digest, &caller) && caller.user == 7 &&
	       caller.active;
}

Test(access, who_holds_an_api_key_is_kept_until_it_expires)
{
	know();
	cr_assert_eq(take_holder("7", &found), ACCESS_ASKS);
	cr_assert(holder_is_known());
	cr_assert_not(store_hold(&found, SLICE("stamp"), "2026-11-29 13:00:01+00"));
	cr_assert_not(holder_is_known());
}

Test(access, nothing_is_kept_where_it_may_not_be_nor_of_nobody_nor_of_an_access_token)
{
	know();
	cr_assert_eq(take_holder("7", NULL), ACCESS_ASKS);
	start();
	cr_assert_eq(take_holder(NULL, &found), ACCESS_ASKS);
	cr_assert(access_is_slow(&access_));
	cr_assert_eq(take_holder("7", &found), ACCESS_ASKS);
	cr_assert_eq(access_.step, ACCESS_RIGHTS_AND_OBJECT);
	cr_assert_not(holder_is_known());
}
