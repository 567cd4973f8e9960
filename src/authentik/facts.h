/* SPDX-License-Identifier: MIT */
/* What a session has to know of the database besides its tables (facts.sql). */
#ifndef AUTHENTIK_FACTS_H
#define AUTHENTIK_FACTS_H

#include "postgres/batch.h"

struct facts {
	int permission;   /* id of view_eventmatcherpolicy; 0 where there is none */
	bool token_index; /* a valid index finds an access token */
};

extern const struct statement facts_statement;

/* Reads the one row of facts.sql. */
struct facts facts_read(const PGresult *rows);

#endif
