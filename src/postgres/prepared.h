/* SPDX-License-Identifier: MIT */
/* Reads an SQL PREPARE, for the protocol's own way to prepare; pure. */
#ifndef POSTGRES_PREPARED_H
#define POSTGRES_PREPARED_H

#include <libpq-fe.h>
#include <stdbool.h>

enum { PREPARED_PARAMETERS = 6, PREPARED_NAME = 64 };

/* One statement: a PREPARE taken apart, or any other as it is. */
struct prepared {
	char name[PREPARED_NAME]; /* empty where the text is no PREPARE */
	int count;                /* of its parameters */
	Oid types[PREPARED_PARAMETERS];
	const char *body; /* what is prepared, within the text */
};

/*
 * Takes apart "prepare name (type, ...) as" and a line's end, as the texts of sql/statements begin;
 * the parameters may be missing. A text that is ours and begins so, but does not go on so, or has a
 * type that is not in the table of prepared.c, is a mistake of ours: asserted.
 */
struct prepared prepared_read(const char *text);

#endif
