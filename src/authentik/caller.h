/* SPDX-License-Identifier: MIT */
/* Who holds a key: an API key (caller*.sql), or an access token (access_token.sql). */
#ifndef AUTHENTIK_CALLER_H
#define AUTHENTIK_CALLER_H

#include "authentik/inquiry.h"

struct caller {
	int user;
	bool active, service;
	bool superuser;      /* by a group of their own */
	uuid_t superuser_by; /* that group */
	const char *
	    expires; /* from when on they hold the key no more, as long as the answer; NULL: never */
};

extern const struct statement caller_statement, caller_token_statement;

/*
 * Reads who holds the inquiry's key; asked is what was wanted of the inquiry for that. False where nobody
 * does.
 */
bool caller_read(struct caller *caller, const struct answer *answer, const struct inquiry *inquiry,
    enum inquiry_wants asked);

#endif
