/* SPDX-License-Identifier: MIT */
/* Looks at the server behind a connection of its own, and asks it this and that. */
#ifndef POSTGRES_SURVEY_H
#define POSTGRES_SURVEY_H

#include "postgres/flight.h"
#include "postgres/hosts.h"
#include "settings.h"

#include <libpq-fe.h>
#include <stdbool.h>

enum { SURVEY_TEXT_MAX = 300, SURVEY_FAULT_MAX = 2000, SURVEY_VARIABLES_MAX = 8 };

/* A pooler between, as far as it shows. */
enum survey_pooler {
	SURVEY_POOLER_NONE,
	SURVEY_POOLER_SESSION, /* a session is one client's for as long as that stays */
	SURVEY_POOLER_TRANSACTION,
	SURVEY_POOLER_STATEMENT
};

/* Fields are the survey's own, but for fault. */
struct survey {
	PGconn *pg; /* NULL: not open */
	const struct settings *settings;
	const char *set_up;
	struct flight flight;
	struct template_variable variables[SURVEY_VARIABLES_MAX + 4];
	char timeouts[2][24];
	char fault[SURVEY_FAULT_MAX]; /* why the last call failed: for an operator */
};

/*
 * Connects as a session would, and keeps the connection for survey_ask; set_up is sent before each question, in its
 * transaction, with :local "true" and the variables of a session, to which more adds. All that is pointed at outlives
 * the survey. False with a fault. Either way survey_close is due.
 */
bool survey_open(struct survey *survey, const struct settings *settings, const char *set_up,
    const struct template_variable *more);

/*
 * The rows of one statement, run in a transaction of its own that leaves nothing behind, for PQclear; NULL with a fault,
 * also where they have fewer columns: what answers may be no PostgreSQL. Blocks, for connect_timeout at most.
 */
PGresult *survey_ask(struct survey *survey, const char *sql, int columns);

/* Writes the name and the version of the library that connects. */
void survey_describe_library(char text[SURVEY_TEXT_MAX]);

/* Writes where the connection leads (SURVEY_TEXT_MAX bytes): version, host, address, port. */
void survey_describe_server(const struct survey *survey, char text[SURVEY_TEXT_MAX]);

/*
 * Writes how the connection is encrypted. True where that is as good as it can be: TLS with a certificate that was
 * verified, or a connection that does not leave this machine; else remedy says what to do.
 */
bool survey_describe_encryption(
    const struct survey *survey, char text[SURVEY_TEXT_MAX], const char **remedy);

/* Looks for a pooler, with a second connection where there is one. */
enum survey_pooler survey_find_pooler(struct survey *survey);

/* Ends the connection. */
void survey_close(struct survey *survey);

#endif
