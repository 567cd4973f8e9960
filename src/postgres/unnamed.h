/* SPDX-License-Identifier: MIT */
/* What a batch brings along where a pooler lends its sessions to others as well. */
#ifndef POSTGRES_UNNAMED_H
#define POSTGRES_UNNAMED_H

#include "base/buffer.h"
#include "postgres/prepared.h"

#include <libpq-fe.h>
#include <stdbool.h>

enum { UNNAMED_SETTINGS = 3, UNNAMED_STATEMENTS = 12 };

/* All texts are filled in, and its own. */
struct unnamed {
	struct buffer settings[UNNAMED_SETTINGS]; /* of one transaction; run first, in this order */
	unsigned settings_count;
	struct buffer texts[UNNAMED_STATEMENTS]; /* of the statements */
	unsigned texts_count;
};

/* Keeps a copy of a text that ends with NUL; false: no memory. */
bool unnamed_keep_setting(struct unnamed *unnamed, const struct buffer *text);
bool unnamed_keep_statement(struct unnamed *unnamed, const struct buffer *text);

/* Puts the settings into a pipeline, a result each, without rows. False: as PQsendQueryParams. */
bool unnamed_send_settings(const struct unnamed *unnamed, PGconn *connection);

/* Puts the statement of that name, which is kept, into a pipeline, with parameters in binary format. False: the same. */
bool unnamed_send(const struct unnamed *unnamed, const char *name, PGconn *connection,
    const char *const values[], const int lengths[], const int formats[]);

/* Frees it and what it keeps; NULL is harmless. */
void unnamed_free(struct unnamed *unnamed);

#endif
