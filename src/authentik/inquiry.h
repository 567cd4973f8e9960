/* SPDX-License-Identifier: MIT */
/* A question to authentik's tables, with the values that the statements need. */
#ifndef AUTHENTIK_INQUIRY_H
#define AUTHENTIK_INQUIRY_H

#include "postgres/batch.h"

#include <uuid/uuid.h>

/*
 * The places of the statements in the set (catalogue.c), in the order in which a batch sends
 * them.
 */
enum {
	STATEMENT_FACTS,
	STATEMENT_SNAPSHOT,
	STATEMENT_KNOWABLE,
	STATEMENT_CALLER,
	STATEMENT_ACCESS_TOKEN,
	STATEMENT_POLICY,
	STATEMENT_RIGHTS
};

/* What an inquiry wants; several at once are answered together. */
enum inquiry_wants {
	INQUIRY_SNAPSHOT =
	    1 << STATEMENT_SNAPSHOT, /* the server's state before all else (snapshot.sql) */
	INQUIRY_KNOWABLE =
	    1
	    << STATEMENT_KNOWABLE, /* whether that says all of what the tables show (knowable.sql) */
	INQUIRY_CALLER = 1 << STATEMENT_CALLER, /* who holds the API key (caller.sql) */
	INQUIRY_ACCESS_TOKEN =
	    1 << STATEMENT_ACCESS_TOKEN,        /* who holds the access token, slow lane only */
	INQUIRY_POLICY = 1 << STATEMENT_POLICY, /* the policy (policy.sql) */
	INQUIRY_RIGHTS = 1 << STATEMENT_RIGHTS  /* what the user may see (rights.sql) */
};

/* The asker keeps the key's bytes. */
struct inquiry {
	struct question question;
	const unsigned char *key; /* printable ASCII */
	size_t key_length;
	uuid_t object; /* whose row is asked for */
	int user;
	uuid_t superuser_by; /* the group to be looked at first; nil: none is known */
	bool search; /* of a caller: where that is not why, look at all groups of the user */
	bool
	    sees_all; /* of a user: they did the last time, and only whether they still do need be asked */
	unsigned
	    user_object; /* set by rights: of the user's objects in the batch, which one is this one's */
};

/* The place in the set of the one statement that is wanted. */
static inline unsigned inquiry_place(enum inquiry_wants wants)
{
	return (unsigned)__builtin_ctz(wants);
}

/* The inquiry that a question is embedded in. */
static inline struct inquiry *inquiry_of(struct question *asked)
{
	return list_entry(asked, struct inquiry, question);
}

/* The same, to be read only. */
static inline const struct inquiry *inquiry_of_const(const struct question *asked)
{
	return (const struct inquiry *)(const void *)((const char *)asked -
						      offsetof(struct inquiry, question));
}

#endif
