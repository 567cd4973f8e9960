/* SPDX-License-Identifier: MIT */
/* Opens a session: connected, set up, checked, prepared; blocks while it does. */
#include "postgres/session.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void blame(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void blame(struct session *session, const char *format, ...)
{
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	vsnprintf(session->fault, sizeof(session->fault), format, arguments);
	va_end(arguments);
	length = strlen(session->fault);
	while (length && session->fault[length - 1] == '\n')
		session->fault[--length] = '\0';
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Waits until a result can be read without blocking. False at the deadline or where the
 * connection is lost.
 */
static bool await(PGconn *connection, long deadline)
{
	while (PQisBusy(connection)) {
		struct pollfd ready = {.fd = PQsocket(connection), .events = POLLIN};
		long left = deadline - now_ms();
		int count = left > 0 ? poll(&ready, 1, (int)left) : 0;

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0 || !PQconsumeInput(connection))
			return false;
	}
	return true;
}

/*
 * Runs statements and returns the last result, or NULL with a fault that says what was being
 * done.
 */
static PGresult *run(struct session *session, const char *sql, long deadline, const char *doing)
{
	PGresult *result = NULL, *next;
	bool good = PQsendQuery(session->pg, sql);

	while (good && (good = await(session->pg, deadline)) && (next = PQgetResult(session->pg))) {
		PQclear(result);
		result = next;
	}
	if (good && result && PQresultStatus(result) != PGRES_FATAL_ERROR)
		return result;
	blame(session, "%s: %s", doing,
	    result && PQresultStatus(result) == PGRES_FATAL_ERROR ? PQresultErrorMessage(result)
	    : PQstatus(session->pg) == CONNECTION_BAD             ? PQerrorMessage(session->pg)
						      : "the server did not answer in time");
	PQclear(result);
	return NULL;
}

/*
 * Does the connection string name a service? One that cannot be parsed is for PQconnectdb to
 * blame.
 */
static bool names_service(const char *database)
{
	PQconninfoOption *options = PQconninfoParse(database, NULL);
	bool found = false;

	for (PQconninfoOption *option = options; option && option->keyword; option++)
		found |= strcmp(option->keyword, "service") == 0 && option->val;
	PQconninfoFree(options);
	return found;
}

/*
 * A belt for a network that goes silent, weaker than what the user's connection string or
 * environment says. It would be stronger than a service file, so who names a service has all of
 * it there.
 */
static size_t add_defaults(
    const char **names, const char **values, const struct settings *settings, char *timeout)
{
	static const char *const defaults[][2] = {
	    {"fallback_application_name", PACKAGE_NAME " " PACKAGE_VERSION},
	    {"keepalives_idle", "10"}, {"keepalives_interval", "3"}, {"keepalives_count", "3"},
	    {"tcp_user_timeout", "5000"}};
	bool service = getenv("PGSERVICE") || names_service(settings->database);
	size_t count = 0;

	for (size_t i = 0; i < (service ? 1 : sizeof(defaults) / sizeof(defaults[0])); i++) {
		names[count] = defaults[i][0];
		values[count++] = defaults[i][1];
	}
	if (service)
		return count;
	if (!getenv("PGCONNECT_TIMEOUT")) {
		sprintf(
		    timeout, "%llu", (unsigned long long)(settings->connect_timeout + 999) / 1000);
		names[count] = "connect_timeout";
		values[count++] = timeout;
	}
	return count;
}

/* libpq would write it to standard error itself, in a form of its own. */
static void on_notice(void *unused, const char *message)
{
	(void)unused;
	log_warning("PostgreSQL says: %.*s", (int)strcspn(message, "\n"), message);
}

static bool connect_to_server(struct session *session, const struct settings *settings)
{
	const char *names[12] = {0}, *values[12] = {0};
	char timeout[24];
	size_t count = add_defaults(names, values, settings, timeout);

	names[count] = "dbname";
	values[count++] = *settings->database ? settings->database : NULL;
	names[count] = "client_encoding";
	values[count++] = "UTF8";
	assert(count < sizeof(names) / sizeof(names[0]));
	session->pg = PQconnectdbParams(names, values, 1);
	PQsetNoticeProcessor(session->pg, on_notice, NULL);
	if (PQstatus(session->pg) == CONNECTION_OK)
		return true;
	blame(session, "connecting to PostgreSQL: %s",
	    session->pg ? PQerrorMessage(session->pg) : "no memory");
	return false;
}

/* By SET, which every pooler in session mode passes on. */
static bool set_up(struct session *session, const struct settings *settings,
    const struct session_kind *kind, long deadline)
{
	char *schema = PQescapeIdentifier(session->pg, settings->schema, strlen(settings->schema)),
	     sql[2048];
	int length;
	PGresult *result;

	if (!schema) {
		blame(session, "setting up the session: the schema's name: %s",
		    PQerrorMessage(session->pg));
		return false;
	}
	length =
	    snprintf(sql, sizeof(sql), "set search_path = %s; set statement_timeout = %llu; %s",
		schema, (unsigned long long)settings->statement_timeout, kind->set_up);
	PQfreemem(schema);
	if ((size_t)length >= sizeof(sql)) {
		blame(session, "setting up the session: the schema's name is too long");
		return false;
	}
	result = run(session, sql, deadline, "setting up the session");
	PQclear(result);
	return result != NULL;
}

/* Everything that is missing goes into one sentence. */
static bool check_requirements(struct session *session, const struct settings *settings,
    const struct session_kind *kind, long deadline)
{
	PGresult *missing =
	    run(session, kind->requirements, deadline, "checking the database's tables");
	size_t length;
	int rows;

	if (!missing)
		return false;
	rows = PQntuples(missing);
	if (rows)
		blame(session, "the database is not ready: in schema %s ", settings->schema);
	for (int i = 0; i < rows; i++) {
		length = strlen(session->fault);
		snprintf(session->fault + length, sizeof(session->fault) - length, "%s%s",
		    i ? "; " : "", PQgetvalue(missing, i, 0));
	}
	PQclear(missing);
	return rows == 0;
}

static bool run_all(
    struct session *session, const char *const *texts, long deadline, const char *doing)
{
	PGresult *result;

	for (; *texts; texts++) {
		result = run(session, *texts, deadline, doing);
		PQclear(result);
		if (!result)
			return false;
	}
	return true;
}

static bool read_facts(struct session *session, const struct session_kind *kind, long deadline)
{
	static const char doing[] = "asking for facts";
	const char *const text[] = {kind->facts, NULL};
	PGresult *rows;
	char execute[64];

	if (!run_all(session, text, deadline, doing))
		return false;
	snprintf(execute, sizeof(execute), "execute %s", kind->set[0]->name);
	rows = run(session, execute, deadline, doing);
	if (rows)
		kind->read_facts(session->facts, rows);
	PQclear(rows);
	return rows != NULL;
}

void session_open(
    struct session *session, const struct settings *settings, const struct session_kind *kind)
{
	long deadline;

	*session = (struct session){0};
	if (connect_to_server(session, settings)) {
		deadline = now_ms() + settings->connect_timeout;
		if (set_up(session, settings, kind, deadline) &&
		    check_requirements(session, settings, kind, deadline) &&
		    read_facts(session, kind, deadline) &&
		    run_all(session, kind->statements(session->facts), deadline,
			"preparing the statements") &&
		    PQenterPipelineMode(session->pg) && PQsetnonblocking(session->pg, 1) == 0)
			return;
		if (!*session->fault)
			blame(session, "entering pipeline mode: %s", PQerrorMessage(session->pg));
	}
	PQfinish(session->pg);
	session->pg = NULL;
}

void session_close(struct session *session)
{
	PQfinish(session->pg);
	session->pg = NULL;
}
