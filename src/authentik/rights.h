/* SPDX-License-Identifier: MIT */
/* What a user may see (rights.sql). */
#ifndef AUTHENTIK_RIGHTS_H
#define AUTHENTIK_RIGHTS_H

#include "authentik/inquiry.h"

struct rights {
	bool sees_all, sees_any; /* of the user */
	bool granted;            /* this policy, to this user */
	uuid_t
	    superuser_by; /* the group that was found to be why, itself or an ancestor; nil: none */
};

extern const struct statement rights_statement;

/* Reads the rights of the inquiry's user. */
struct rights rights_read(const struct answer *answer, const struct inquiry *inquiry);

#endif
