/* SPDX-License-Identifier: MIT */
/* One pipeline of a set-up: statements go out together, results come in their order. */
#include "postgres/flight.h"

#include "base/clock.h"
#include "postgres/prepared.h"

#include <poll.h>
#include <stdio.h>

const char flight_isolation[] = "set transaction_isolation = 'read committed'";

/*
 * Waits until a result can be read without blocking. False at the deadline or where the
 * connection is lost.
 */
static bool await(const struct flight *flight)
{
	while (PQisBusy(flight->pg))
		if (!clock_wait(PQsocket(flight->pg), POLLIN, flight->deadline) ||
		    !PQconsumeInput(flight->pg))
			return false;
	return true;
}

static bool fill(struct flight *flight, const char *text)
{
	buffer_clear(&flight->sql);
	return template_fill(&flight->sql, text, flight->variables, flight->pg);
}

bool flight_prepare(struct flight *flight, const char *text)
{
	struct prepared statement;

	if (!fill(flight, text))
		return false;
	statement = prepared_read((const char *)flight->sql.data);
	if (!*statement.name)
		return PQsendQueryParams(flight->pg, statement.body, 0, NULL, NULL, NULL, NULL, 0);
	return PQsendPrepare(flight->pg, flight->unnamed ? "" : statement.name, statement.body,
	    statement.count, statement.types);
}

bool flight_run(struct flight *flight, const char *text)
{
	const char *body;

	if (!fill(flight, text))
		return false;
	body = prepared_read((const char *)flight->sql.data).body;
	return PQsendQueryParams(flight->pg, body, 0, NULL, NULL, NULL, NULL, 0);
}

bool flight_execute(struct flight *flight, const char *name)
{
	return PQsendQueryPrepared(flight->pg, name, 0, NULL, NULL, NULL, 0);
}

bool flight_leave(struct flight *flight)
{
	return PQpipelineSync(flight->pg);
}

bool flight_refuse(struct flight *flight, const char *doing)
{
	snprintf(flight->fault, flight->fault_size, "%s: %s", doing, PQerrorMessage(flight->pg));
	return false;
}

/* Blames what the server has said, or its silence. */
static void blame(struct flight *flight, const char *doing, const PGresult *result)
{
	const char *said = PQresultErrorMessage(result);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	snprintf(flight->sqlstate, sizeof(flight->sqlstate), "%s", sqlstate ? sqlstate : "");
	if (*said)
		snprintf(flight->fault, flight->fault_size, "%s: %s", doing, said);
	else if (PQstatus(flight->pg) == CONNECTION_BAD)
		flight_refuse(flight, doing);
	else
		snprintf(flight->fault, flight->fault_size, "%s: the server did not answer in time",
		    doing);
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

PGresult *flight_take(struct flight *flight, const char *doing)
{
	PGresult *result = await(flight) ? PQgetResult(flight->pg) : NULL;

	if (is_good(result) && await(flight) && !PQgetResult(flight->pg))
		return result;
	blame(flight, doing, result);
	PQclear(result);
	return NULL;
}

bool flight_land(struct flight *flight, const char *doing)
{
	PGresult *result = await(flight) ? PQgetResult(flight->pg) : NULL;
	bool good = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	if (!good)
		blame(flight, doing, result);
	PQclear(result);
	return good;
}

void flight_free(struct flight *flight)
{
	buffer_free(&flight->sql);
}
