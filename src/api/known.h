/* SPDX-License-Identifier: MIT */
/* Known answers: when what PostgreSQL has said may be said once more. */
#ifndef API_KNOWN_H
#define API_KNOWN_H

#include "api/findings.h"
#include "authentik/inquiry.h"
#include "base/buffer.h"
#include "base/store.h"
#include "postgres/lane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_SECRET = 16 };

/*
 * Whether anything is known, and why not; each has its metric, and those that last a line of the log. In the first two what a
 * look finds is kept.
 */
enum known_state {
	KNOWN_USED,      /* answers are given from it */
	KNOWN_COMMITS,   /* transactions end too often: it is tried again after a while */
	KNOWN_OFF,       /* the setting says so */
	KNOWN_STANDBY,   /* what a standby shows does not follow from its snapshot's text */
	KNOWN_FORBIDDEN, /* the role may not ask for the snapshot */
	KNOWN_OBSTACLE, /* what a view shows does not follow from the snapshot, nor what a foreign table does */
	KNOWN_POOLER /* the session is lent */
};

/*
 * What is known is an answer only where PostgreSQL, asked after the request has come, says that no transaction has ended since
 * it was found; docs/design.md has the rule, its proof and its exceptions. Owned by the exchanges; fields are its own.
 */
struct known {
	struct store store;
	const struct lane
	    *lane; /* whose session answers: what another one has said is not compared */
	unsigned char secret[KNOWN_SECRET];
	enum known_state state;
	char because
	    [128]; /* that was told last for why nothing is known; empty: none, or it has passed */
	struct buffer stamp;       /* of the last look */
	uint64_t epoch;            /* of the lane, when it was followed last */
	uint64_t obstacle_in;      /* the epoch in which a table was found unfit */
	bool fit;                  /* the tables are, under the stamp that the store holds */
	bool held;                 /* the last look was at a snapshot that says all */
	bool unjudged;             /* it was the one of before, and that is not counted yet */
	const struct batch *batch; /* that the last look was at, and the number that it had then */
	uint64_t number;
	unsigned looks, changes;    /* since this was judged last */
	uint64_t rests_until, rest; /* milliseconds of the loop's clock */
};

/*
 * Starts with room for so many bytes, 0: nothing is ever known; the lane must outlive it. To be called before the sandbox is
 * entered: it takes random bytes from the system. False without memory.
 */
bool known_start(struct known *known, const struct lane *lane, size_t size);

/* What an inquiry in the lane is to want besides, of enum inquiry_wants, so that known_look can tell; 0: it cannot, at present. */
unsigned known_wants(struct known *known);

/*
 * Looks at what an inquiry's batch says of the snapshot, before anything else of the answer is used. True where what the
 * batch has found may be kept, and what is known is an answer to all that wanted it: nothing has changed since it was found.
 */
bool known_look(struct known *known, const struct answer *answer, const struct inquiry *inquiry);

/*
 * Writes what a key is known by: 128 bits of SipHash-2-4 under a secret of this process, so that nobody can make two keys
 * with one digest, and no key is kept.
 */
void known_digest(const struct known *known, const struct inquiry *inquiry,
    unsigned char digest[FINDINGS_DIGEST]);

/* Frees what it holds. */
void known_free(struct known *known);

#endif
