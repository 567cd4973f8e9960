/* SPDX-License-Identifier: MIT */
/* What a check asks of the database, in the order of its lines. */
#ifndef AUTHENTIK_INSPECTION_H
#define AUTHENTIK_INSPECTION_H

#include "postgres/survey.h"
#include "postgres/template.h"

#include <stdbool.h>
#include <stddef.h>

/* One thing that is asked. */
struct inspection {
	const char *name; /* of the line */
	const char *
	    sql; /* answers a sentence a row in its first column, and where there is none it is good */
	const char *kind;   /* only rows with this in their second column count; NULL: all do */
	const char *good;   /* what is said where it is good */
	bool grave;         /* nothing is served as long as it is bad; else it is a warning */
	const char *remedy; /* what to do where it is bad */
};

/* Up to one without a name. All but the last of them take the variables :schema, :layout and :needed. */
extern const struct inspection inspection_list[];

/* What is asked besides where the role may read which tenants there are. */
extern const struct inspection inspection_tenants;

/* How a transaction of the survey is set up, and what inspection_list and the functions have as variables besides. */
extern const char inspection_set_up[];
extern const struct template_variable inspection_variables[];

enum { INSPECTION_TEXT_MAX = 300 };

struct inspection_role {
	double clock; /* the server's, in seconds since 1970 */
	bool standby; /* the server is one */
	/* The role's name, what it may do beyond reading what is granted to it, and the roles that it is a member of. */
	char name[INSPECTION_TEXT_MAX], may[INSPECTION_TEXT_MAX], groups[INSPECTION_TEXT_MAX];
};

/*
 * Asks for one thing, and writes the sentences that it is bad by, "; " between them, into text (size bytes, as many as
 * there is room for). Returns their number, or -1 where survey->fault says why it could not be asked.
 */
int inspection_count(
    const struct inspection *inspection, struct survey *survey, char *text, size_t size);

/* Reads the role, and what the server says of itself; false with survey->fault. */
bool inspection_read_role(struct inspection_role *role, struct survey *survey);

/* Reads the facts of a session (struct session_kind); false where the database has not what they are read of. */
bool inspection_read_facts(void *facts, struct survey *survey);

#endif
