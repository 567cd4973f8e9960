/* SPDX-License-Identifier: MIT */
/* What a user may see (rights_*.sql). */
#ifndef AUTHENTIK_RIGHTS_H
#define AUTHENTIK_RIGHTS_H

#include "authentik/inquiry.h"

struct rights {
	bool sees_all, sees_any; /* of the user */
	bool granted;            /* this policy, to this user */
	bool
	    undecided; /* who was asked only whether they still see all does not: they are to be asked about in full */
	uuid_t
	    superuser_by; /* the group that was found to be why, itself or an ancestor; nil: none */
};

extern const struct statement rights_statement;

/*
 * Writes the parameters of a statement of the kind of rights.sql, for encode of struct statement;
 * permission is the id of the one that decides, 0 where there is none.
 */
int rights_encode(struct buffer *parameters, struct batch_part *part, int permission);

/* Reads the rights of the inquiry's user; asked is what was wanted of the inquiry for them. */
struct rights rights_read(
    const struct answer *answer, const struct inquiry *inquiry, enum inquiry_wants asked);

#endif
