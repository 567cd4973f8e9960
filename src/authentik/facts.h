/* SPDX-License-Identifier: MIT */
/* What a session has to know of the database besides its tables (facts.sql). */
#ifndef AUTHENTIK_FACTS_H
#define AUTHENTIK_FACTS_H

#include "postgres/batch.h"

/*
 * All zero is what holds before any database is known: the texts of the newest release, and no
 * right.
 */
struct facts {
	int permission;       /* id of view_eventmatcherpolicy; 0 where there is none */
	int shape;            /* changes with the columns, kinds and owners of the tables */
	unsigned char layout; /* its place in the table of catalogue.c */
	bool token_index;     /* a valid index finds an access token */
	bool tenants;         /* the role may read which tenants there are */
	bool standby;         /* the server is one */
	bool snapshots;       /* the role may ask for the snapshot */
	/* What authentik's answers are like. */
	bool names_scheme; /* a scheme other than bearer is named as unsupported: up to 2025.10 */
	bool plain_not_found; /* a 404 does not name what was not found: before 2025.4 */
	bool charset;         /* Content-Type names it: before 2026.2 */
};

extern const struct statement facts_statement;

/*
 * Reads the one row of facts.sql, but for what follows from the layout; plain_not_found is that of
 * the layouts which have both kinds. *layout is its name, which lives as long as the rows.
 */
struct facts facts_read(const PGresult *rows, const char **layout);

#endif
