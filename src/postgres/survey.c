/* SPDX-License-Identifier: MIT */
/* Looks at the server behind a connection of its own, and asks it this and that. */
#include "postgres/survey.h"

#include "base/clock.h"
#include "postgres/connect.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char asking[] = "asking the database";

static void list_variables(struct survey *survey, const struct template_variable *more)
{
	const struct template_variable own[] = {{"schema", survey->settings->schema},
	    {"statement_timeout", survey->timeouts[0]}, {"lock_timeout", survey->timeouts[1]},
	    {"local", "true"}};
	size_t count = sizeof(own) / sizeof(own[0]);

	snprintf(survey->timeouts[0], sizeof(survey->timeouts[0]), "%" PRIu64,
	    survey->settings->statement_timeout);
	snprintf(survey->timeouts[1], sizeof(survey->timeouts[1]), "%" PRIu64,
	    survey->settings->lock_timeout);
	memcpy(survey->variables, own, sizeof(own));
	for (; more->name; more++) {
		assert(count + 1 < sizeof(survey->variables) / sizeof(own[0]));
		survey->variables[count++] = *more;
	}
}

bool survey_open(struct survey *survey, const struct settings *settings, const char *set_up,
    const struct template_variable *more)
{
	struct hosts_memory memory = {0};
	struct host host;

	*survey = (struct survey){.settings = settings, .set_up = set_up};
	list_variables(survey, more);
	survey->flight = (struct flight){.variables = survey->variables,
	    .unnamed = true,
	    .fault = survey->fault,
	    .fault_size = sizeof(survey->fault)};
	survey->pg =
	    connect_to_server(settings, &memory, &host, survey->fault, sizeof(survey->fault));
	survey->flight.pg = survey->pg;
	return survey->pg != NULL;
}

/* Takes the rest of a pipeline of which something failed, without another fault. */
static void drain(struct flight *flight)
{
	char unheard[SURVEY_TEXT_MAX];
	struct flight rest = *flight;

	rest.fault = unheard;
	rest.fault_size = sizeof(unheard);
	while (PQstatus(rest.pg) == CONNECTION_OK && clock_ms() < rest.deadline &&
	       !flight_land(&rest, asking))
		;
}

static PGresult *ask(struct flight *flight, const char *set_up, const char *sql)
{
	PGresult *first, *second, *rows = NULL;

	if (!flight_run(flight, flight_isolation) || !flight_run(flight, set_up) ||
	    !flight_run(flight, sql) || !flight_leave(flight)) {
		flight_refuse(flight, asking);
		return NULL;
	}
	first = flight_take(flight, asking);
	second = first ? flight_take(flight, asking) : NULL;
	if (second)
		rows = flight_take(flight, asking);
	PQclear(first);
	PQclear(second);
	if (!rows)
		drain(flight);
	else if (!flight_land(flight, asking)) {
		PQclear(rows);
		rows = NULL;
	}
	return rows;
}

PGresult *survey_ask(struct survey *survey, const char *sql, int columns)
{
	struct flight *flight = &survey->flight;
	PGresult *rows = NULL;

	flight->deadline = clock_ms() + (int64_t)survey->settings->connect_timeout;
	if (PQenterPipelineMode(survey->pg))
		rows = ask(flight, survey->set_up, sql);
	else
		flight_refuse(flight, asking);
	PQexitPipelineMode(survey->pg);
	if (!rows || PQnfields(rows) >= columns)
		return rows;
	snprintf(survey->fault, sizeof(survey->fault), "%s: an answer does not fit its question",
	    asking);
	PQclear(rows);
	return NULL;
}

void survey_describe_library(char text[SURVEY_TEXT_MAX])
{
	int version = PQlibVersion();

	snprintf(text, SURVEY_TEXT_MAX, "libpq %d.%d", version / 10000, version % 10000);
}

static bool is_near(const PGconn *pg)
{
	const char *host = PQhost(pg), *address = PQhostaddr(pg);

	return *host == '/' || *host == '@' || strncmp(address, "127.", 4) == 0 ||
	       strcmp(address, "::1") == 0;
}

void survey_describe_server(const struct survey *survey, char text[SURVEY_TEXT_MAX])
{
	const PGconn *pg = survey->pg;
	const char *version = PQparameterStatus(pg, "server_version"), *host = PQhost(pg),
		   *address = PQhostaddr(pg);
	bool both = *host != '/' && *address && strcmp(host, address) != 0;

	snprintf(text, SURVEY_TEXT_MAX, "PostgreSQL %s at %s%s%s%s port %s",
	    version ? version : "of an unknown version", host, both ? " (" : "",
	    both ? address : "", both ? ")" : "", PQport(pg));
}

/* Was the server's certificate verified, as the connection's sslmode says? */
static bool is_verified(PGconn *pg)
{
	PQconninfoOption *given = PQconninfo(pg);
	bool verified = false;

	for (const PQconninfoOption *option = given; option && option->keyword; option++)
		if (strcmp(option->keyword, "sslmode") == 0)
			verified = option->val && strncmp(option->val, "verify-", 7) == 0;
	PQconninfoFree(given);
	return verified;
}

bool survey_describe_encryption(
    const struct survey *survey, char text[SURVEY_TEXT_MAX], const char **remedy)
{
	PGconn *pg = survey->pg;
	bool near = is_near(pg), verified;

	if (!PQsslInUse(pg)) {
		snprintf(text, SURVEY_TEXT_MAX, "none%s",
		    near ? ", as the connection does not leave this machine" : "");
		*remedy = "sslmode=verify-full and sslrootcert, or the network's reader has the "
			  "API keys";
		return near;
	}
	verified = is_verified(pg);
	snprintf(text, SURVEY_TEXT_MAX, "%s, %s, the server's certificate is %sverified",
	    PQsslAttribute(pg, "protocol"), PQsslAttribute(pg, "cipher"), verified ? "" : "not ");
	*remedy = "sslmode=verify-full and sslrootcert, or another may pose as the server";
	return near || verified;
}

/* The server's process behind the connection; 0: it cannot be told. */
static int backend(struct survey *survey)
{
	PGresult *rows = survey_ask(survey, "select pg_catalog.pg_backend_pid()", 1);
	int pid = rows && PQntuples(rows) ? atoi(PQgetvalue(rows, 0, 0)) : 0;

	PQclear(rows);
	return pid;
}

/* A pooler that lends a session for one statement ends who begins a transaction. */
static bool takes_transactions(PGconn *pg)
{
	PGresult *begun = PQexec(pg, "begin"), *ended = PQexec(pg, "rollback");
	bool good =
	    PQresultStatus(begun) == PGRES_COMMAND_OK && PQresultStatus(ended) == PGRES_COMMAND_OK;

	PQclear(begun);
	PQclear(ended);
	return good;
}

/* Two clients that are served by one process are lent it. */
static enum survey_pooler compare(struct survey *survey, const struct template_variable *none)
{
	struct survey second;
	enum survey_pooler pooler = SURVEY_POOLER_SESSION;

	if (survey_open(&second, survey->settings, survey->set_up, none)) {
		int pid = backend(&second);

		if (pid && pid == backend(survey))
			pooler = takes_transactions(second.pg) ? SURVEY_POOLER_TRANSACTION
							       : SURVEY_POOLER_STATEMENT;
	}
	survey_close(&second);
	return pooler;
}

enum survey_pooler survey_find_pooler(struct survey *survey)
{
	static const struct template_variable none = {NULL, NULL};
	int pid = backend(survey);

	return !pid || pid == PQbackendPID(survey->pg) ? SURVEY_POOLER_NONE
						       : compare(survey, &none);
}

void survey_close(struct survey *survey)
{
	flight_free(&survey->flight);
	PQfinish(survey->pg);
	survey->pg = NULL;
}
