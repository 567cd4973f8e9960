/* SPDX-License-Identifier: MIT */
/* Each answer leads to its verdict or next step; what was learnt shortens the way. */
#include "api/access.h"

#include <criterion/criterion.h>
#include <string.h>

static struct guess_table guesses;
static struct access access_;

static void start(void)
{
	access_ = (struct access){.object = INQUIRY_POLICY, .rights = INQUIRY_RIGHTS};
	access_.inquiry.key = (const unsigned char *)"key";
	access_.inquiry.key_length = 3;
	access_start(&access_, &guesses);
}

TestSuite(access, .init = start);

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
