/* SPDX-License-Identifier: MIT */
/* What the database has said of callers, rights and objects: a key and a value each. */
#include "api/findings.h"

#include <assert.h>
#include <string.h>

static_assert(FINDINGS_DIGEST == sizeof(uuid_t), "a key of the store holds either");

enum { OF_ALL_OBJECTS = 1 << 31 }; /* beside the places of statements */

/* One of a caller: fields that decide. */
struct holder {
	int user;
	bool active, service, superuser;
};

/* What was asked (one of enum inquiry_wants), of which user, about what. */
static struct store_key key_of(unsigned asked, int user, const unsigned char about[sizeof(uuid_t)])
{
	struct store_key key = {{(uint64_t)asked << 32 | (unsigned)user}};

	memcpy(&key.words[1], about, sizeof(uuid_t));
	return key;
}

/* From the year 10000 on such a time is in no order with others; until then it is as good as none. */
static const char *expiry_of(const struct caller *caller)
{
	const char *year = caller->expires;

	return year && strspn(year, "0123456789") > 4 ? NULL : year;
}

void findings_keep_caller(
    struct store *store, const unsigned char digest[FINDINGS_DIGEST], const struct caller *caller)
{
	const struct store_key key = key_of(INQUIRY_CALLER, 0, digest);
	struct holder value;

	memset(&value, 0, sizeof(value)); /* its padding is compared, too */
	value.user = caller->user;
	value.active = caller->active;
	value.service = caller->service;
	value.superuser = caller->superuser;
	store_keep(
	    store, &key, (struct slice){(const char *)&value, sizeof(value)}, expiry_of(caller));
}

bool findings_caller(
    const struct store *store, const unsigned char digest[FINDINGS_DIGEST], struct caller *caller)
{
	const struct store_key key = key_of(INQUIRY_CALLER, 0, digest);
	struct slice value = store_find(store, &key);
	struct holder found;

	if (!value.text)
		return false;
	memcpy(&found, value.text, sizeof(found));
	*caller = (struct caller){.user = found.user,
	    .active = found.active,
	    .service = found.service,
	    .superuser = found.superuser};
	return true;
}

static const uuid_t nothing;

/* Who sees all needs no finding an object. */
void findings_keep_rights(struct store *store, enum inquiry_wants asked, int user,
    const uuid_t object, const struct rights *rights)
{
	const struct store_key all = key_of(asked | OF_ALL_OBJECTS, user, nothing),
			       one = key_of(asked, user, object);
	const char value[2] = {(char)rights->granted, (char)rights->sees_any};

	store_keep(
	    store, rights->sees_all ? &all : &one, (struct slice){value, sizeof(value)}, NULL);
}

bool findings_rights(const struct store *store, enum inquiry_wants asked, int user,
    const uuid_t object, struct rights *rights)
{
	const struct store_key all = key_of(asked | OF_ALL_OBJECTS, user, nothing),
			       one = key_of(asked, user, object);
	struct slice value = store_find(store, &one);

	*rights = (struct rights){.sees_all = store_find(store, &all).text};
	if (rights->sees_all)
		return true;
	if (value.text) {
		rights->granted = value.text[0];
		rights->sees_any = value.text[1];
	}
	return value.text;
}

void findings_keep_object(
    struct store *store, enum inquiry_wants asked, const uuid_t object, struct slice body)
{
	const struct store_key key = key_of(asked, 0, object);

	store_keep(store, &key, body.text ? body : SLICE(""), NULL);
}

enum finding findings_object(
    const struct store *store, enum inquiry_wants asked, const uuid_t object, struct slice *body)
{
	const struct store_key key = key_of(asked, 0, object);

	*body = store_find(store, &key);
	if (!body->text)
		return FINDING_NONE;
	return body->length ? FINDING_PRESENT : FINDING_ABSENT;
}
