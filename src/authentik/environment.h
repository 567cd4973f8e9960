/* SPDX-License-Identifier: MIT */
/* The database as authentik's own variables name it, so that one env_file serves both. */
#ifndef AUTHENTIK_ENVIRONMENT_H
#define AUTHENTIK_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

struct environment {
	char *conninfo; /* of libpq, in new memory; NULL: none of the variables is set */
	char *schema;   /* in new memory; NULL: not set */
};

/*
 * Reads AUTHENTIK_POSTGRESQL__HOST, PORT, NAME, USER, PASSWORD, SSLMODE, SSLROOTCERT, SSLCERT, SSLKEY
 * and DEFAULT_SCHEMA as authentik does (authentik/lib/config.py). A value may be file:///path, whose
 * stripped content counts, or env://NAME; what stands behind its "?" counts where that is absent. Of a
 * text in double quotes what is between them counts. Host, name, user and password have authentik's
 * defaults (authentik/lib/default.yml); an empty variable is none, which it is not for authentik. False
 * with a sentence in error (size bytes), which names the variable and tells no value: a file that
 * cannot be read, a value that is too long or in quotes with escapes, no memory. In every case
 * environment_free is due.
 */
bool environment_read(struct environment *environment, char *error, size_t size);

/*
 * Writes the names of the variables with AUTHENTIK_POSTGRESQL__ that are none of these, ", " between them, into names
 * (size bytes, as many as there is room for): its read replicas, its pool of connections. False where there are none.
 */
bool environment_list_unused(char *names, size_t size);

/* Frees what environment_read has made. */
void environment_free(struct environment *environment);

#endif
