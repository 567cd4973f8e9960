/* SPDX-License-Identifier: MIT */
/* Who asks, and what they may see: the questions that decide it, in their order. */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include "api/findings.h"
#include "authentik/caller.h"
#include "authentik/guess.h"
#include "authentik/inquiry.h"
#include "authentik/rights.h"

#include <stdbool.h>

/* What is being asked; docs/design.md has the transitions. */
enum access_step {
	ACCESS_KEY,            /* who holds the API key; the object along with it */
	ACCESS_KEY_AND_RIGHTS, /* the same, and the rights of the user who is guessed to hold it */
	ACCESS_NO_KEY, /* whether still no API key is equal: an access token was, the last time */
	ACCESS_TOKEN,  /* who holds the access token */
	ACCESS_RIGHTS, /* what the holder may see */
	ACCESS_RIGHTS_AND_OBJECT, /* the same, and the object, which was not asked for yet */
	ACCESS_DECIDED
};

/* What has been found. */
enum access_verdict {
	ACCESS_ASKS,        /* nothing yet: the step says what is to be asked */
	ACCESS_ALLOWED,     /* they see the object, if it exists */
	ACCESS_NOT_FOUND,   /* for them the object does not exist */
	ACCESS_FORBIDDEN,   /* they see no object at all */
	ACCESS_INVALID_KEY, /* nobody holds the key, or somebody who is not active */
	ACCESS_VERDICTS
};

/* One way to a verdict. The asker sets the inquiry's key and object, and the two of the operation. */
struct access {
	struct inquiry inquiry;
	unsigned object,
	    rights; /* of enum inquiry_wants: what reads the object, and who may see it */
	enum access_step step;
	bool service;      /* the holder is an internal service account */
	bool access_token; /* the key is one */
	struct guess_table *guesses;
	unsigned char digest[FINDINGS_DIGEST]; /* of the key */
};

/* Takes the first step, by what is guessed of the key; guesses must outlive the access. */
void access_start(struct access *access, struct guess_table *guesses);

/* What the step asks: of enum inquiry_wants, the object's included. */
unsigned access_wants(const struct access *access);

/*
 * The verdict by what was found before, if the store holds what it rests on; else ACCESS_ASKS. The digest is set.
 */
enum access_verdict access_recall(const struct access *access, const struct store *found);

/* Is the step's question for the slow lane? */
bool access_is_slow(const struct access *access);

/*
 * Goes on by the answer to the step's question, whose outcome is ANSWER_GOOD. Returns the
 * verdict; with ACCESS_ASKS the step is the next one, and its question is to be asked. What the answer says is
 * kept in found, where that is not NULL: then the digest is set.
 */
enum access_verdict access_take(
    struct access *access, const struct answer *answer, struct store *found);

/*
 * The same by what was read from the answer: NULL where nobody holds the key, or rights were not
 * asked for.
 */
enum access_verdict access_decide(
    struct access *access, const struct caller *caller, const struct rights *rights);

#endif
