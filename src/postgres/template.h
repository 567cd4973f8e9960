/* SPDX-License-Identifier: MIT */
/* Fills in the variables of an SQL text, in the forms that psql has for them. */
#ifndef POSTGRES_TEMPLATE_H
#define POSTGRES_TEMPLATE_H

#include "base/buffer.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* A list of them ends with one without a name. */
struct template_variable {
	const char *name, *value;
};

/*
 * Appends text to an empty buffer, ended by a NUL, with each :name, :'name' and :"name" of a
 * variable replaced by its value: as it is, as a literal, as an identifier, as psql(1) does. What
 * names no variable stays. False where there is no memory, or libpq cannot quote a value
 * (PQerrorMessage says why).
 */
bool template_fill(
    struct buffer *to, const char *text, const struct template_variable *variables, PGconn *pg);

#endif
