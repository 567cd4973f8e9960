/* SPDX-License-Identifier: MIT */
/* One pipeline of a set-up: statements go out together, results come in their order. */
#ifndef POSTGRES_FLIGHT_H
#define POSTGRES_FLIGHT_H

#include "base/buffer.h"
#include "postgres/template.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The owner sets all but sql, which flight_free frees; pg is in pipeline mode. */
struct flight {
	PGconn *pg;
	const struct template_variable *variables; /* of the texts */
	int64_t deadline;                          /* for all of it: milliseconds of clock_ms */
	bool unnamed;                              /* what is prepared gets no name */
	char *fault;       /* what was being done and why it failed, once something has */
	size_t fault_size; /* of fault, in bytes */
	char sqlstate
	    [6]; /* of the statement that failed; empty: none did, or the server did not say */
	struct buffer sql; /* of the statement that is being sent */
};

/*
 * What a transaction of ours begins with, whose result has no rows. A role or a database may say serializable, which a standby
 * refuses with the first snapshot (predicate.c, GetSerializableTransactionSnapshot): a SET takes none, a set_config() does.
 */
extern const char flight_isolation[];

/*
 * Each puts one statement into the pipeline; false: there is no memory, or the connection is not
 * usable (flight_refuse says why). A text that is a PREPARE is prepared under its name by
 * flight_prepare, any other is run; flight_run runs both, without a name. flight_execute runs a
 * prepared one.
 */
bool flight_prepare(struct flight *flight, const char *text);
bool flight_run(struct flight *flight, const char *text);
bool flight_execute(struct flight *flight, const char *name);

/* Ends the pipeline, and sends it. */
bool flight_leave(struct flight *flight);

/*
 * The result of the next statement, which is to be cleared. NULL, with a fault that begins with
 * doing: the statement failed, or the connection, or the deadline has passed.
 */
PGresult *flight_take(struct flight *flight, const char *doing);

/* Takes the pipeline's end; false with a fault as above. */
bool flight_land(struct flight *flight, const char *doing);

/* Makes libpq's reason the fault, and returns false. */
bool flight_refuse(struct flight *flight, const char *doing);

/* Frees what the flight owns; not the connection. */
void flight_free(struct flight *flight);

#endif
