/* SPDX-License-Identifier: MIT */
/* What was found of somebody is found of them alone, and that there is nothing is found too. */
#include "api/findings.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOON "2026-11-29 12:00:00+00"

static struct store store;
static const unsigned char digest[FINDINGS_DIGEST] = "digest of a key";
static const unsigned char another[FINDINGS_DIGEST] = "digest of b key";
static const uuid_t object = {1, 2, 3}, other_object = {1, 2, 4};

static void start(void)
{
	cr_assert(store_start(&store, 65536));
	store_hold(&store, SLICE("stamp"), NOON);
}

static void end(void)
{
	store_free(&store);
}

TestSuite(findings, .init = start, .fini = end);

static bool is_known(const unsigned char *of)
{
	struct caller caller;

	return findings_caller(&store, of, &caller);
}

Test(findings, of_a_caller_all_that_decides_is_kept)
{
	for (int bits = 0; bits < 8; bits++) {
		const struct caller kept = {
		    .user = 7, .active = bits & 1, .service = bits & 2, .superuser = bits & 4};
		struct caller caller = {.user = 1, .superuser_by = {9}, .expires = "none"};

		findings_keep_caller(&store, digest, &kept);
		cr_assert(findings_caller(&store, digest, &caller));
		cr_assert(caller.user == 7 && caller.active == kept.active);
		cr_assert(caller.service == kept.service && caller.superuser == kept.superuser);
		cr_assert(uuid_is_null(caller.superuser_by) && !caller.expires);
	}
}

Test(findings, a_caller_is_known_by_the_whole_digest)
{
	const struct caller caller = {.user = 7, .active = true};

	findings_keep_caller(&store, digest, &caller);
	cr_assert(is_known(digest) && !is_known(another));
	for (int i = 0; i < FINDINGS_DIGEST; i++) {
		unsigned char near[FINDINGS_DIGEST];

		memcpy(near, digest, sizeof(near));
		near[i] ^= 1;
		cr_assert_not(is_known(near), "byte %d", i);
	}
}

Test(findings, a_caller_that_is_kept_once_more_takes_no_room)
{
	const struct caller caller = {.user = 7, .active = true};
	uint64_t next;

	findings_keep_caller(&store, digest, &caller);
	next = store.next;
	for (int i = 0; i < 10; i++)
		findings_keep_caller(&store, digest, &caller);
	cr_assert_eq(store.next, next);
}

Test(findings, a_key_that_expires_after_the_year_9999_is_in_nobodys_way)
{
	const struct caller caller = {.user = 7, .expires = "10000-01-01 00:00:00+00"};

	findings_keep_caller(&store, digest, &caller);
	cr_assert(store_hold(&store, SLICE("stamp"), NOON) && is_known(digest));
}

/* One who may not is known no longer than one who may: behind their row may be another one. */
Test(findings, a_caller_whose_key_expires_is_known_until_then)
{
	const struct caller inactive = {.user = 7, .expires = "2026-11-29 12:00:01+00"};

	findings_keep_caller(&store, digest, &inactive);
	cr_assert(store_hold(&store, SLICE("stamp"), "2026-11-29 12:00:01+00"));
	cr_assert(is_known(digest));
	cr_assert_not(store_hold(&store, SLICE("stamp"), "2026-11-29 12:00:02+00"));
	cr_assert_not(is_known(digest));
}

static bool rights_of(int user, const uuid_t of, struct rights *rights)
{
	*rights = (struct rights){.superuser_by = {9}};
	return findings_rights(&store, INQUIRY_RIGHTS, user, of, rights);
}

Test(findings, rights_are_those_of_the_user_and_the_object)
{
	struct rights rights;

	for (int bits = 0; bits < 4; bits++) {
		const struct rights kept = {.granted = bits & 1, .sees_any = bits & 2};

		findings_keep_rights(&store, INQUIRY_RIGHTS, 7, object, &kept);
		cr_assert(rights_of(7, object, &rights));
		cr_assert(rights.granted == kept.granted && rights.sees_any == kept.sees_any);
		cr_assert(!rights.sees_all && uuid_is_null(rights.superuser_by));
	}
	cr_assert_not(rights_of(7, other_object, &rights));
	cr_assert_not(rights_of(8, object, &rights));
	cr_assert_not(findings_rights(&store, INQUIRY_RIGHTS << 1, 7, object, &rights));
}

Test(findings, who_sees_all_sees_each_object_and_nobody_else_does)
{
	const struct rights all = {.sees_all = true, .sees_any = true};
	struct rights rights;

	findings_keep_rights(&store, INQUIRY_RIGHTS, 7, object, &all);
	cr_assert(rights_of(7, other_object, &rights));
	cr_assert(rights.sees_all);
	cr_assert_not(rights_of(8, other_object, &rights));
	cr_assert_not(rights.sees_all);
}

/* The object of that id is no word for all. */
Test(findings, a_right_to_the_object_of_zeros_is_one_to_no_other)
{
	static const uuid_t zeros;
	const struct rights granted = {.granted = true, .sees_any = true};
	struct rights rights;

	findings_keep_rights(&store, INQUIRY_RIGHTS, 7, zeros, &granted);
	cr_assert_not(rights_of(7, object, &rights));
	cr_assert(rights_of(7, zeros, &rights));
	cr_assert(rights.granted && !rights.sees_all);
}

static enum finding object_of(const uuid_t of, struct slice *body)
{
	return findings_object(&store, INQUIRY_POLICY, of, body);
}

Test(findings, a_body_is_that_of_its_object)
{
	struct slice body;

	findings_keep_object(&store, INQUIRY_POLICY, object, SLICE("{}"));
	cr_assert_eq(object_of(object, &body), FINDING_PRESENT);
	cr_assert(slice_is(body, SLICE("{}")));
	cr_assert_eq(object_of(other_object, &body), FINDING_NONE);
	cr_assert_eq(findings_object(&store, INQUIRY_POLICY << 1, object, &body), FINDING_NONE);
}

Test(findings, that_there_is_no_object_is_known)
{
	struct slice body;

	findings_keep_object(&store, INQUIRY_POLICY, object, (struct slice){NULL, 0});
	cr_assert_eq(object_of(object, &body), FINDING_ABSENT);
	cr_assert_eq(body.length, 0);
}

Test(findings, nothing_is_known_where_nothing_may_be_kept)
{
	const struct caller caller = {.user = 7, .active = true};
	const struct rights all = {.sees_all = true};
	struct rights rights;
	struct slice body;

	store_empty(&store);
	findings_keep_caller(&store, digest, &caller);
	findings_keep_rights(&store, INQUIRY_RIGHTS, 7, object, &all);
	findings_keep_object(&store, INQUIRY_POLICY, object, SLICE("{}"));
	cr_assert_not(is_known(digest));
	cr_assert_not(rights_of(7, object, &rights));
	cr_assert_eq(object_of(object, &body), FINDING_NONE);
}
