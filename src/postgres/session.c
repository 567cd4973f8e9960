/* SPDX-License-Identifier: MIT */
/* Opens a session: connected, set up, checked, prepared; blocks while it does. */
#include "postgres/session.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
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

	va_start(arguments, format);
	vsnprintf(session->fault, sizeof(session->fault), format, arguments);
	va_end(arguments);
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
	log_warning("PostgreSQL says: %s", message);
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

/* One attempt to make a connection a session. */
struct setup {
	struct session *session;
	const struct settings *settings;
	const struct session_kind *kind;
	long deadline;     /* milliseconds */
	struct buffer sql; /* of the statement that is being sent */
};

enum { VARIABLES_MAX = 8 };

/* The session's own variables and the kind's. */
static void list_variables(
    const struct setup *setup, struct template_variable list[VARIABLES_MAX], char timeouts[2][24])
{
	const struct template_variable *more = setup->kind->variables(setup->session->facts);
	int count = 0;

	sprintf(timeouts[0], "%" PRIu64, setup->settings->statement_timeout);
	sprintf(timeouts[1], "%" PRIu64, setup->settings->lock_timeout);
	list[count++] = (struct template_variable){"schema", setup->settings->schema};
	list[count++] = (struct template_variable){"statement_timeout", timeouts[0]};
	list[count++] = (struct template_variable){"lock_timeout", timeouts[1]};
	for (; more->name; more++)
		list[count++] = *more;
	assert(count < VARIABLES_MAX);
	list[count] = (struct template_variable){NULL, NULL};
}

/* Puts a statement into the pipeline. */
static bool send_statement(struct setup *setup, const char *text)
{
	struct template_variable list[VARIABLES_MAX];
	PGconn *pg = setup->session->pg;
	char timeouts[2][24];

	list_variables(setup, list, timeouts);
	buffer_clear(&setup->sql);
	return template_fill(&setup->sql, text, list, pg) &&
	       PQsendQueryParams(pg, (const char *)setup->sql.data, 0, NULL, NULL, NULL, NULL, 0);
}

/* What there is to say where the server has said nothing. */
static const char *silence(const struct session *session)
{
	return PQstatus(session->pg) == CONNECTION_BAD ? PQerrorMessage(session->pg)
						       : "the server did not answer in time";
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/*
 * The result of the pipeline's next statement, and the NULL behind it. NULL with a fault that says
 * what was being done.
 */
static PGresult *take_result(struct setup *setup, const char *doing)
{
	struct session *session = setup->session;
	PGresult *result = await(session->pg, setup->deadline) ? PQgetResult(session->pg) : NULL;
	bool good = is_good(result);

	if (good && await(session->pg, setup->deadline) && !PQgetResult(session->pg))
		return result;
	blame(session, "%s: %s", doing,
	    result && !good ? PQresultErrorMessage(result) : silence(session));
	PQclear(result);
	return NULL;
}

/* The same, read; false with a fault where that fails. */
static bool take_rows(
    struct setup *setup, const char *doing, bool (*read)(struct setup *setup, const PGresult *rows))
{
	PGresult *rows = take_result(setup, doing);
	bool good = rows && (!read || read(setup, rows));

	PQclear(rows);
	return good;
}

static bool take_sync(struct setup *setup)
{
	PGconn *pg = setup->session->pg;
	PGresult *result = await(pg, setup->deadline) ? PQgetResult(pg) : NULL;
	bool good = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	if (!good)
		blame(setup->session, "setting up the session: %s", silence(setup->session));
	PQclear(result);
	return good;
}

/* Appends the sentences, a row each, to what stands there. */
static void join_rows(char *to, const char *separator, const PGresult *rows)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		size_t length = strlen(to);

		snprintf(to + length, SESSION_TEXT_MAX - length, "%s%s", length ? separator : "",
		    PQgetvalue(rows, i, 0));
	}
}

/* Everything that is missing goes into one sentence. */
static bool read_missing(struct setup *setup, const PGresult *rows)
{
	char missing[SESSION_TEXT_MAX] = "";

	if (PQntuples(rows) == 0)
		return true;
	join_rows(missing, "; ", rows);
	blame(setup->session, "the database is not ready: in schema %s %s", setup->settings->schema,
	    missing);
	return false;
}

static bool read_facts(struct setup *setup, const PGresult *rows)
{
	struct session *session = setup->session;
	const char *warning;

	setup->kind->read_facts(session->facts, rows);
	warning = setup->kind->warning(session->facts);
	snprintf(session->remarks, sizeof(session->remarks), "%s", warning ? warning : "");
	return true;
}

static bool read_remarks(struct setup *setup, const PGresult *rows)
{
	join_rows(setup->session->remarks, "; ", rows);
	return true;
}

static bool cannot_send(struct setup *setup, const char *doing)
{
	blame(setup->session, "%s: %s", doing, PQerrorMessage(setup->session->pg));
	return false;
}

/* How the session is set up, what is missing, what is to be known: in one round trip. */
static bool look_around(struct setup *setup)
{
	const struct session_kind *kind = setup->kind;
	char execute[64];

	snprintf(execute, sizeof(execute), "execute %s", kind->set[0]->name);
	if (!send_statement(setup, kind->set_up) || !send_statement(setup, kind->requirements) ||
	    !send_statement(setup, kind->facts) || !send_statement(setup, execute) ||
	    !PQpipelineSync(setup->session->pg))
		return cannot_send(setup, "setting up the session");
	return take_rows(setup, "setting up the session", NULL) &&
	       take_rows(setup, "checking the database's tables", read_missing) &&
	       take_rows(setup, "preparing the question for facts", NULL) &&
	       take_rows(setup, "asking for facts", read_facts) && take_sync(setup);
}

/* Then the statements, which depend on the facts: in one round trip more. */
static bool prepare_statements(struct setup *setup)
{
	static const char doing[] = "preparing the statements";
	const char *const *texts = setup->kind->statements(setup->session->facts);
	bool good = true;

	for (size_t i = 0; good && texts[i]; i++)
		good = send_statement(setup, texts[i]);
	if (!good || !PQpipelineSync(setup->session->pg))
		return cannot_send(setup, doing);
	for (size_t i = 0; good && texts[i]; i++)
		good = take_rows(setup, doing, read_remarks);
	return good && take_sync(setup);
}

static bool enter_pipeline(struct setup *setup)
{
	return PQenterPipelineMode(setup->session->pg) ||
	       cannot_send(setup, "entering pipeline mode");
}

static bool stop_blocking(struct setup *setup)
{
	return PQsetnonblocking(setup->session->pg, 1) == 0 ||
	       cannot_send(setup, "setting up the session");
}

void session_open(
    struct session *session, const struct settings *settings, const struct session_kind *kind)
{
	struct setup setup = {.session = session, .settings = settings, .kind = kind};
	bool good;

	*session = (struct session){0};
	good = connect_to_server(session, settings);
	setup.deadline = now_ms() + settings->connect_timeout;
	good = good && enter_pipeline(&setup) && look_around(&setup) &&
	       prepare_statements(&setup) && stop_blocking(&setup);
	buffer_free(&setup.sql);
	if (good)
		return;
	assert(*session->fault);
	PQfinish(session->pg);
	session->pg = NULL;
}

void session_close(struct session *session)
{
	PQfinish(session->pg);
	session->pg = NULL;
}
