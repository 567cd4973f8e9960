/* SPDX-License-Identifier: MIT */
/* Who asks, and what they may see: each step's question, and where its answer leads. */
#include "api/access.h"

#include <assert.h>

/* What each step asks: who holds the key, what the operation names. */
static const struct {
	unsigned holder; /* of enum inquiry_wants */
	bool rights, object;
} steps[] = {
    [ACCESS_KEY] = {INQUIRY_CALLER, false, true},
    [ACCESS_KEY_AND_RIGHTS] = {INQUIRY_CALLER, true, true},
    [ACCESS_NO_KEY] = {INQUIRY_CALLER, false, false},
    [ACCESS_TOKEN] = {INQUIRY_ACCESS_TOKEN, false, false},
    [ACCESS_RIGHTS] = {0, true, false},
    [ACCESS_RIGHTS_AND_OBJECT] = {0, true, true},
    [ACCESS_DECIDED] = {0, false, false},
};

/* The only place that changes the step. */
static enum access_verdict go_to(struct access *access, enum access_step step)
{
	assert(access->step != ACCESS_DECIDED);
	access->step = step;
	access->inquiry.sees_all =
	    false; /* what was guessed goes along with the first question only */
	return ACCESS_ASKS;
}

static enum access_verdict decided(struct access *access, enum access_verdict verdict)
{
	go_to(access, ACCESS_DECIDED);
	return verdict;
}

void access_start(struct access *access, struct guess_table *guesses)
{
	struct inquiry *inquiry = &access->inquiry;
	const struct guess *guess = guess_find(guesses, inquiry);

	access->guesses = guesses;
	access->service = access->access_token = false;
	access->step = ACCESS_KEY;
	inquiry->user = guess ? guess->user : 0;
	inquiry->search = !guess;
	inquiry->sees_all = guess && guess->sees_all;
	uuid_clear(inquiry->superuser_by);
	if (guess)
		uuid_copy(inquiry->superuser_by, guess->superuser_by);
	if (inquiry->user)
		access->step = guess->access_token ? ACCESS_NO_KEY : ACCESS_KEY_AND_RIGHTS;
}

unsigned access_wants(const struct access *access)
{
	enum access_step step = access->step;

	return steps[step].holder | (steps[step].rights ? access->rights : 0) |
	       (steps[step].object ? access->object : 0);
}

bool access_is_slow(const struct access *access)
{
	return access->step == ACCESS_TOKEN;
}

static void learn_rights(struct access *access, const struct rights *rights)
{
	guess_learn_rights(access->guesses, &access->inquiry, rights, access->access_token);
}

/*
 * authentik/rbac/filters.py and permissions.py: who sees nothing at all is forbidden, all others
 * find nothing. A grant is one of an object that exists.
 */
static enum access_verdict verdict_of(const struct rights *rights, bool service)
{
	if (rights->sees_all || rights->granted)
		return ACCESS_ALLOWED;
	return rights->sees_any || service ? ACCESS_NOT_FOUND : ACCESS_FORBIDDEN;
}

static enum access_verdict decide_rights(struct access *access, const struct rights *rights)
{
	return decided(access, verdict_of(rights, access->service));
}

/* They were asked for along with the key, for the right user. */
static enum access_verdict decide_own_rights(struct access *access, const struct rights *rights)
{
	if (!uuid_is_null(rights->superuser_by) || rights->sees_all != access->inquiry.sees_all)
		learn_rights(access, rights);
	return decide_rights(access, rights);
}

/*
 * A superuser by a group of their own is allowed; of others the rights decide, where it was
 * guessed right whose.
 */
static enum access_verdict decide_key(
    struct access *access, const struct caller *caller, const struct rights *rights)
{
	struct inquiry *inquiry = &access->inquiry;

	if (!caller->active)
		return decided(access, ACCESS_INVALID_KEY);
	access->service = caller->service;
	if (caller->superuser) {
		if (uuid_compare(caller->superuser_by, inquiry->superuser_by) != 0)
			guess_learn_superuser(access->guesses, inquiry, caller->superuser_by);
		return decided(access, ACCESS_ALLOWED);
	}
	if (caller->user != inquiry->user)
		uuid_clear(inquiry->superuser_by);
	else if (rights && !rights->undecided)
		return decide_own_rights(access, rights);
	inquiry->user = caller->user;
	return go_to(access, ACCESS_RIGHTS);
}

static enum access_verdict decide_token(struct access *access, const struct caller *caller)
{
	struct inquiry *inquiry = &access->inquiry;

	if (!caller || !caller->active)
		return decided(access, ACCESS_INVALID_KEY);
	access->service = caller->service;
	access->access_token = true;
	if (caller->user != inquiry->user)
		uuid_clear(inquiry->superuser_by);
	inquiry->user = caller->user;
	return go_to(access, ACCESS_RIGHTS_AND_OBJECT);
}

/* An API key is equal, though none was the last time: it goes before an access token. */
static enum access_verdict ask_key_again(struct access *access)
{
	access->inquiry.search = true;
	return go_to(access, ACCESS_KEY);
}

enum access_verdict access_decide(
    struct access *access, const struct caller *caller, const struct rights *rights)
{
	switch (access->step) {
	case ACCESS_KEY:
	case ACCESS_KEY_AND_RIGHTS:
		return caller ? decide_key(access, caller, rights) : go_to(access, ACCESS_TOKEN);
	case ACCESS_NO_KEY:
		return caller ? ask_key_again(access) : go_to(access, ACCESS_TOKEN);
	case ACCESS_TOKEN:
		return decide_token(access, caller);
	case ACCESS_RIGHTS:
	case ACCESS_RIGHTS_AND_OBJECT:
		learn_rights(access, rights);
		return decide_rights(access, rights);
	default:
		assert(!"a step that asks");
		return ACCESS_ASKS;
	}
}

/* The same verdicts as above, for who holds an API key. */
enum access_verdict access_recall(const struct access *access, const struct store *found)
{
	const unsigned char *object = access->inquiry.object;
	struct caller caller;
	struct rights rights;

	if (!findings_caller(found, access->digest, &caller))
		return ACCESS_ASKS;
	if (!caller.active)
		return ACCESS_INVALID_KEY;
	if (caller.superuser)
		return ACCESS_ALLOWED;
	return findings_rights(found, access->rights, caller.user, object, &rights)
		   ? verdict_of(&rights, caller.service)
		   : ACCESS_ASKS;
}

enum access_verdict access_take(
    struct access *access, const struct answer *answer, struct store *found)
{
	const struct inquiry *inquiry = &access->inquiry;
	unsigned holder = steps[access->step].holder;
	bool rights_asked = steps[access->step].rights, held = false;
	struct caller caller;
	struct rights rights;

	if (holder)
		held = caller_read(&caller, answer, inquiry, holder);
	if (rights_asked)
		rights = rights_read(answer, inquiry, access->rights);
	if (found && held && holder == INQUIRY_CALLER)
		findings_keep_caller(found, access->digest, &caller);
	if (found && rights_asked && !rights.undecided)
		findings_keep_rights(
		    found, access->rights, inquiry->user, inquiry->object, &rights);
	return access_decide(access, held ? &caller : NULL, rights_asked ? &rights : NULL);
}
