/* SPDX-License-Identifier: MIT */
/* What an open session shows of the server behind it. */
#include "postgres/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void describe_server(struct survey *survey, PGconn *pg)
{
	int version = PQserverVersion(pg);
	const char *host = PQhost(pg), *port = PQport(pg),
		   *protocol = PQsslAttribute(pg, "protocol");

	snprintf(survey->server, SURVEY_TEXT_MAX, "PostgreSQL %d.%d at %s port %s", version / 10000,
	    version % 10000, host ? host : "", port ? port : "");
	snprintf(survey->encryption, SURVEY_TEXT_MAX, "%s",
	    PQsslInUse(pg) && protocol ? protocol : "none");
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_row(struct survey *survey, const PGresult *rows, double here)
{
	survey->clock_ahead = strtod(PQgetvalue(rows, 0, 0), NULL) - here;
	snprintf(survey->role, SURVEY_TEXT_MAX, "%s", PQgetvalue(rows, 0, 1));
	survey->standby = *PQgetvalue(rows, 0, 2) == 't';
}

void survey_take(struct survey *survey, struct session *session, const char *sql)
{
	PGconn *pg = session->pg;
	PGresult *rows = NULL;
	double before = now_s();

	*survey = (struct survey){.pooled = session->unnamed != NULL};
	describe_server(survey, pg);
	if (PQsetnonblocking(pg, 0) == 0 && PQexitPipelineMode(pg))
		rows = PQexec(pg, sql);
	if (PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) == 1)
		read_row(survey, rows, (before + now_s()) / 2);
	PQclear(rows);
}
