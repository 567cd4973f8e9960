/* SPDX-License-Identifier: MIT */
/* Opens a session: connected, set up, checked, prepared; blocks while it does. */
#include "postgres/session.h"

#include "base/clock.h"
#include "postgres/connect.h"
#include "postgres/flight.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char setting_up[] = "setting up the session",
		  checking[] = "checking the database's tables", asking[] = "asking for facts",
		  preparing[] = "preparing the statements";

enum { VARIABLES_MAX = 12 };

/* One attempt to make a connection a session. */
struct setup {
	struct session *session;
	const struct settings *settings;
	const struct session_kind *kind;
	struct host host; /* where the connection leads */
	struct flight flight;
	struct template_variable variables[VARIABLES_MAX];
	bool pooled;       /* the session is a pooler's, and somebody else's next */
	const char *local; /* "true": what is set is set for one transaction */
	char statement_timeout[24], lock_timeout[24], backend[24];
};

/* The session's own variables, and the kind's, which follow from the facts. */
static void list_variables(struct setup *setup)
{
	const struct template_variable own[] = {{"schema", setup->settings->schema},
	    {"statement_timeout", setup->statement_timeout}, {"lock_timeout", setup->lock_timeout},
	    {"local", setup->local}, {"backend", setup->backend}};
	const struct template_variable *more = setup->kind->variables(setup->session->facts);
	size_t count = sizeof(own) / sizeof(own[0]);

	memcpy(setup->variables, own, sizeof(own));
	for (; more->name; more++) {
		assert(count + 1 < VARIABLES_MAX);
		setup->variables[count++] = *more;
	}
	setup->variables[count] = (struct template_variable){NULL, NULL};
}

static void start_flight(struct setup *setup, bool local)
{
	setup->local = local ? "true" : "false";
	setup->flight.unnamed = local;
	list_variables(setup);
}

/* Appends the sentences, a row each, to what stands there, the first one behind a separator of its own. */
static void join_rows(char *to, const char *first, const PGresult *rows)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		size_t length = strlen(to);

		snprintf(to + length, SESSION_TEXT_MAX - length, "%s%s", i ? "; " : first,
		    PQgetvalue(rows, i, 0));
	}
}

/* Everything that is missing goes into one sentence. */
static bool read_missing(struct setup *setup, const PGresult *rows)
{
	char *fault = setup->session->fault;

	if (PQntuples(rows) == 0)
		return true;
	snprintf(fault, SESSION_TEXT_MAX, "the database is not ready: in schema %s",
	    setup->settings->schema);
	join_rows(fault, " ", rows);
	return false;
}

/* One row with as many columns, as whoever reads it relies on: what answers may be no PostgreSQL. */
static bool is_row(struct setup *setup, const PGresult *rows, int columns)
{
	bool good = PQntuples(rows) == 1 && PQnfields(rows) >= columns;

	if (!good)
		snprintf(setup->session->fault, SESSION_TEXT_MAX,
		    "%s: an answer does not fit its question", setting_up);
	return good;
}

static bool read_facts(struct setup *setup, const PGresult *rows)
{
	struct session *session = setup->session;
	const char *warning;

	if (!is_row(setup, rows, setup->kind->set[0]->columns))
		return false;
	setup->kind->read_facts(session->facts, rows);
	warning = setup->kind->warning(session->facts);
	snprintf(session->remarks, sizeof(session->remarks), "%s", warning ? warning : "");
	return true;
}

static void append_remark(struct setup *setup, const char *remark)
{
	char *remarks = setup->session->remarks;
	size_t length = strlen(remarks);

	snprintf(remarks + length, SESSION_TEXT_MAX - length, "%s%s", length ? "; " : "", remark);
}

static bool read_remarks(struct setup *setup, const PGresult *rows)
{
	char *remarks = setup->session->remarks;

	join_rows(remarks, *remarks ? "; " : "", rows);
	return true;
}

/* Is the session that answers the one that the connection began with? */
static bool read_backend(struct setup *setup, const PGresult *rows)
{
	if (!is_row(setup, rows, 1))
		return false;
	setup->pooled |= strcmp(PQgetvalue(rows, 0, 0), setup->backend) != 0;
	return true;
}

/* Takes the next result, and reads it; false with a fault where that fails. */
static bool take(
    struct setup *setup, const char *doing, bool (*read)(struct setup *setup, const PGresult *rows))
{
	PGresult *rows = flight_take(&setup->flight, doing);
	bool good = rows && (!read || read(setup, rows));

	PQclear(rows);
	return good;
}

/*
 * Looks around in one transaction that leaves nothing behind: what is missing, what is to be known,
 * whose session it is. One round trip.
 */
static bool look_around(struct setup *setup)
{
	const struct session_kind *kind = setup->kind;
	struct flight *flight = &setup->flight;

	start_flight(setup, true);
	if (!flight_run(flight, flight_isolation) || !flight_run(flight, kind->set_up) ||
	    !flight_run(flight, kind->requirements) || !flight_run(flight, kind->facts) ||
	    !flight_run(flight, "select pg_backend_pid()") || !flight_leave(flight))
		return flight_refuse(flight, setting_up);
	return take(setup, setting_up, NULL) && take(setup, setting_up, NULL) &&
	       take(setup, checking, read_missing) && take(setup, asking, read_facts) &&
	       take(setup, setting_up, read_backend) && flight_land(flight, setting_up);
}

static bool send_statements(struct setup *setup, const char *const *texts)
{
	for (; *texts; texts++)
		if (!flight_prepare(&setup->flight, *texts))
			return false;
	return true;
}

static bool take_statements(struct setup *setup, const char *const *texts)
{
	for (; *texts; texts++)
		if (!take(setup, preparing, read_remarks))
			return false;
	return true;
}

/*
 * Sets the session up, and prepares what follows from the facts: in one round trip more. In a session
 * that is lent, for this one transaction: it shows that the statements fit the tables.
 */
static bool prepare(struct setup *setup)
{
	const struct session_kind *kind = setup->kind;
	const void *facts = setup->session->facts;
	const char *const *texts = kind->statements(facts);
	struct flight *flight = &setup->flight;

	start_flight(setup, setup->pooled);
	if (!flight_run(flight, flight_isolation) || !flight_run(flight, kind->set_up) ||
	    !flight_run(flight, kind->settings(facts)) || !flight_prepare(flight, kind->facts) ||
	    !send_statements(setup, texts) || !flight_leave(flight))
		return flight_refuse(flight, preparing);
	return take(setup, setting_up, NULL) && take(setup, setting_up, NULL) &&
	       take(setup, setting_up, NULL) && take(setup, preparing, NULL) &&
	       take_statements(setup, texts) && flight_land(flight, preparing);
}

static const char lent[] =
    "a pooler stands between: as its sessions are lent to others as well, each batch is one "
    "transaction that brings its settings and statements along";

/* Keeps one text, with its variables filled in; what is no PREPARE is a setting. */
static bool keep(struct setup *setup, struct unnamed *unnamed, const char *text)
{
	struct buffer *sql = &setup->flight.sql;

	buffer_clear(sql);
	if (!template_fill(sql, text, setup->variables, setup->session->pg))
		return false;
	return *prepared_read((const char *)sql->data).name ? unnamed_keep_statement(unnamed, sql)
							    : unnamed_keep_setting(unnamed, sql);
}

/* What each batch needs in a session that is lent. */
static bool keep_texts(struct setup *setup)
{
	const struct session_kind *kind = setup->kind;
	const void *facts = setup->session->facts;
	const char *const *texts = kind->statements(facts);
	struct unnamed *unnamed = calloc(1, sizeof(*unnamed));
	bool good;

	setup->session->unnamed = unnamed;
	good = unnamed && keep(setup, unnamed, flight_isolation) &&
	       keep(setup, unnamed, kind->set_up) && keep(setup, unnamed, kind->settings(facts)) &&
	       keep(setup, unnamed, kind->facts);
	for (; good && *texts; texts++)
		good = !*prepared_read(*texts).name || keep(setup, unnamed, *texts);
	if (!good)
		snprintf(setup->session->fault, SESSION_TEXT_MAX, "%s: no memory", preparing);
	else
		append_remark(setup, lent);
	return good;
}

/*
 * Both in one round trip, as if the facts were those of the last session: false where they are not,
 * too. Its first statement but one fails where the session is not our own, so that the rest is
 * skipped.
 */
static bool resume(struct setup *setup)
{
	const struct session_kind *kind = setup->kind;
	const void *facts = setup->session->facts;
	const char *const *texts = kind->statements(facts);
	const char *settings = kind->settings(facts);
	struct flight *flight = &setup->flight;

	start_flight(setup, false);
	if (!flight_run(flight, flight_isolation) || !flight_run(flight, kind->set_up) ||
	    !flight_run(flight, kind->alone) || !flight_run(flight, kind->requirements) ||
	    !flight_prepare(flight, kind->facts) || !flight_execute(flight, kind->set[0]->name) ||
	    !flight_run(flight, settings) || !send_statements(setup, texts) ||
	    !flight_leave(flight))
		return flight_refuse(flight, setting_up);
	return take(setup, setting_up, NULL) && take(setup, setting_up, NULL) &&
	       take(setup, setting_up, NULL) && take(setup, checking, read_missing) &&
	       take(setup, preparing, NULL) && take(setup, asking, read_facts) &&
	       kind->statements(facts) == texts && kind->settings(facts) == settings &&
	       take(setup, setting_up, NULL) && take_statements(setup, texts) &&
	       flight_land(flight, preparing);
}

static bool open_as(struct setup *setup, bool resumable)
{
	metric_add_shared(resumable ? METRIC_FACTS_KNOWN : METRIC_FACTS_ASKED, 1);
	return resumable ? resume(setup) : look_around(setup) && prepare(setup);
}

static bool set_up(struct setup *setup)
{
	PGconn *pg = setup->session->pg;

	snprintf(setup->backend, sizeof(setup->backend), "%d", PQbackendPID(pg));
	setup->flight.pg = pg;
	setup->flight.deadline = clock_ms() + (int64_t)setup->settings->connect_timeout;
	if (!PQenterPipelineMode(pg))
		return flight_refuse(&setup->flight, setting_up);
	setup->pooled = setup->session->shared;
	if (!open_as(setup, setup->session->resumable && !setup->pooled))
		return false;
	if (setup->pooled && !keep_texts(setup))
		return false;
	return PQsetnonblocking(pg, 1) == 0 || flight_refuse(&setup->flight, setting_up);
}

enum { BAD_FOR_MS = 5000 };

/* A server that connects but then stays silent, or is not what it should be, is not the first to be tried again. */
static void note_failure(struct setup *setup)
{
	struct session *session = setup->session;

	session->shared |=
	    strcmp(setup->flight.sqlstate, "42P05") == 0; /* a name is there already */
	if (!session->resumable)
		hosts_note_bad(&session->hosts, &setup->host, clock_ms() + BAD_FOR_MS);
}

/* True with a session, false with a fault. */
static bool attempt(struct setup *setup)
{
	struct session *session = setup->session;

	session->pg = connect_to_server(
	    setup->settings, &session->hosts, &setup->host, session->fault, sizeof(session->fault));
	session->host = connect_place_of(&setup->host);
	if (session->pg && set_up(setup)) {
		hosts_note_good(&session->hosts, &setup->host);
		metric_add_shared(METRIC_CONNECTS_GOOD + session->host, 1);
		return true;
	}
	if (session->pg)
		metric_add_shared(METRIC_CONNECTS_UNFIT + session->host, 1);
	session->cut = session->pg && PQstatus(session->pg) == CONNECTION_BAD;
	if (session->pg)
		note_failure(setup);
	session_close(session);
	return false;
}

void session_open(
    struct session *session, const struct settings *settings, const struct session_kind *kind)
{
	struct setup setup = {.session = session, .settings = settings, .kind = kind};
	bool connected, good;

	session->pg = NULL;
	session->unnamed = NULL;
	*session->remarks = *session->fault = '\0';
	setup.flight.variables = setup.variables;
	setup.flight.fault = session->fault;
	setup.flight.fault_size = sizeof(session->fault);
	sprintf(setup.statement_timeout, "%" PRIu64, settings->statement_timeout);
	sprintf(setup.lock_timeout, "%" PRIu64, settings->lock_timeout);
	good = attempt(&setup);
	connected = setup.flight.pg != NULL;
	if (!good && session->resumable && connected) {
		session->resumable = false;
		good = attempt(&setup);
	}
	session->resumable = good && !session->unnamed;
	flight_free(&setup.flight);
	assert(good || *session->fault);
}

void session_close(struct session *session)
{
	PQfinish(session->pg);
	unnamed_free(session->unnamed);
	session->pg = NULL;
	session->unnamed = NULL;
}
