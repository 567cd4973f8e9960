/* SPDX-License-Identifier: MIT */
/* Connects to one of the servers that the settings name; blocks while it does. */
#include "postgres/connect.h"

#include "base/clock.h"
#include "base/metric.h"
#include "event.h"
#include "postgres/conninfo.h"
#include "postgres/passfile.h"
#include "postgres/password.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHILE_OTHERS_MS = 500, BAD_FOR_MS = 30000, PARAMETERS_MAX = 16 };

/* libpq's parameters: later ones are stronger than earlier ones. */
struct parameters {
	const char *names[PARAMETERS_MAX + 1], *values[PARAMETERS_MAX + 1];
	size_t count;
};

/* One attempt at all servers. */
struct attempt {
	const struct settings *settings;
	struct hosts_memory *memory;
	PQconninfoOption
	    *given; /* what the connection string, the service and the environment say */
	const char *attributes;       /* of the session, instead of what is given; NULL: that */
	char password[PASSWORD_SIZE]; /* of database_password_file; empty: what is given */
	const char *passfile;         /* instead of what is given; NULL: that */
	struct hosts hosts;
	char *fault;
	size_t size;
};

/* Empty values are none, as for libpq. */
static void add(struct parameters *parameters, const char *name, const char *value)
{
	assert(parameters->count < PARAMETERS_MAX);
	if (!value || !*value)
		return;
	parameters->names[parameters->count] = name;
	parameters->values[parameters->count++] = value;
}

/*
 * What libpq makes of the connection string, the service file and the environment. It says so of a
 * connection only, so one is begun that cannot come to be, for a value that it refuses before it
 * looks up or connects to anything. NULL: no memory.
 */
static PQconninfoOption *read_given(const struct settings *settings)
{
	static const char refused[] = "channel_binding";
	struct parameters parameters = {.count = 0};
	PQconninfoOption *given;
	PGconn *pg;

	add(&parameters, "dbname", settings->database);
	add(&parameters, refused, "none of those there are");
	add(&parameters, "passfile", passfile_none);
	pg = PQconnectStartParams(parameters.names, parameters.values, 1);
	assert(!pg || PQstatus(pg) == CONNECTION_BAD);
	given = PQconninfo(pg);
	PQfinish(pg);
	for (PQconninfoOption *option = given; option && option->keyword; option++)
		if (strcmp(option->keyword, refused) == 0) {
			free(option->val);
			option->val = NULL;
		}
	return given;
}

const char *connect_fault(const struct settings *settings, const char **keyword)
{
	PQconninfoOption *given;
	const char *fault = conninfo_fault(settings->database, keyword);

	if (fault)
		return fault;
	given = read_given(settings);
	fault = conninfo_values_fault(given, keyword);
	PQconninfoFree(given);
	return fault;
}

static const char *given(const struct attempt *attempt, const char *keyword)
{
	for (const PQconninfoOption *option = attempt->given; option && option->keyword; option++)
		if (strcmp(option->keyword, keyword) == 0)
			return option->val && *option->val ? option->val : NULL;
	return NULL;
}

/* A belt for a network that goes silent, weaker than what the user says anywhere. */
static void add_defaults(const struct attempt *attempt, struct parameters *parameters)
{
	static const char *const defaults[][2] = {{"keepalives_idle", "10"},
	    {"keepalives_interval", "3"}, {"keepalives_count", "3"}, {"tcp_user_timeout", "5000"}};
	const char *value;

	add(parameters, "fallback_application_name", PACKAGE_NAME " " PACKAGE_VERSION);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		value = given(attempt, defaults[i][0]);
		add(parameters, defaults[i][0], value ? value : defaults[i][1]);
	}
}

/* libpq would write it to standard error itself, in a form of its own. It comes with each try, so it is said once. */
static void on_notice(void *unused, const char *message)
{
	(void)unused;
	if (log_is_news(message))
		log_event(&event_database_notice, "PostgreSQL says: %s", message);
}

static PGconn *begin(const struct attempt *attempt, const struct host *host)
{
	struct parameters parameters = {.count = 0};
	PGconn *pg;

	add_defaults(attempt, &parameters);
	add(&parameters, "dbname", attempt->settings->database);
	add(&parameters, "client_encoding", "UTF8");
	if (host) {
		add(&parameters, "host", host->name);
		add(&parameters, "hostaddr", host->address);
		add(&parameters, "port", host->port);
	}
	add(&parameters, "target_session_attrs", attempt->attributes);
	add(&parameters, "password", attempt->password);
	add(&parameters, "passfile", attempt->passfile);
	pg = PQconnectStartParams(parameters.names, parameters.values, 1);
	if (pg)
		PQsetNoticeProcessor(pg, on_notice, NULL);
	return pg;
}

/* True where libpq has come to an end, good or bad; false at the deadline. */
static bool finish(PGconn *pg, int64_t deadline)
{
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;

	while (PQstatus(pg) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
	       wanted != PGRES_POLLING_FAILED) {
		if (!clock_wait(
			PQsocket(pg), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
			return false;
		wanted = PQconnectPoll(pg);
	}
	return true;
}

/* Appends why a server gave no connection; the first one after what was being done. */
static void blame(struct attempt *attempt, const struct host *host, PGconn *pg, bool silent)
{
	size_t length = strlen(attempt->fault);
	char *to = attempt->fault + length;
	size_t size = attempt->size - length;
	const char *before = length ? "; " : "connecting to PostgreSQL: ";

	if (silent)
		snprintf(to, size, "%s%s%s%s did not answer in time", before,
		    host && *host->name ? host->name : "the server",
		    host && *host->address ? " at " : "", host ? host->address : "");
	else
		snprintf(to, size, "%s%s", before, pg ? PQerrorMessage(pg) : "no memory");
	length = strlen(attempt->fault);
	while (length && attempt->fault[length - 1] == '\n')
		attempt->fault[--length] = '\0';
}

unsigned connect_place_of(const struct host *host)
{
	char label[HOST_LABEL_MAX];

	hosts_label(host, label);
	return metric_host_find(label);
}

static void count_failure(const struct host *host, bool silent)
{
	static const struct host unknown;

	metric_add_shared((silent ? METRIC_CONNECTS_TIMEOUT : METRIC_CONNECTS_FAILED) +
			      connect_place_of(host ? host : &unknown),
	    1);
}

static PGconn *try_host(struct attempt *attempt, const struct host *host, long limit)
{
	PGconn *pg = begin(attempt, host);
	bool ended = pg && finish(pg, clock_ms() + limit);

	if (ended && PQstatus(pg) == CONNECTION_OK)
		return pg;
	blame(attempt, host, pg, pg && !ended);
	count_failure(host, pg && !ended);
	if (host && pg && !ended)
		hosts_note_bad(attempt->memory, host, clock_ms() + BAD_FOR_MS);
	PQfinish(pg);
	return NULL;
}

/* In milliseconds; libpq takes a second for two, and what is not above 0 for none. */
static long longest(const struct attempt *attempt)
{
	const char *text = given(attempt, "connect_timeout");
	long own = (long)attempt->settings->connect_timeout,
	     said = text ? strtol(text, NULL, 10) : 0;

	if (said == 1)
		said = 2;
	return said > 0 && said < own / 1000 ? said * 1000 : own;
}

static PGconn *try_all(struct attempt *attempt, struct host *chosen)
{
	PGconn *pg = NULL;

	hosts_order(&attempt->hosts, attempt->memory, clock_ms());
	for (unsigned i = 0; !pg && i < attempt->hosts.count; i++) {
		long limit = longest(attempt);
		int64_t now = clock_ms();

		if (limit > WHILE_OTHERS_MS &&
		    hosts_has_better(&attempt->hosts, i, attempt->memory, now))
			limit = WHILE_OTHERS_MS;
		*chosen = attempt->hosts.list[i];
		pg = try_host(attempt, chosen, limit);
	}
	return pg;
}

/*
 * As libpq does with a whole list: first a standby, and where there is none, any. Our role's sessions
 * are read-only by default (sql/role.sql), so that libpq finds none to be read-write: what is meant is
 * the primary.
 */
static PGconn *try_twice(struct attempt *attempt, struct host *chosen)
{
	const char *wanted = given(attempt, "target_session_attrs");
	bool writes = wanted && strcmp(wanted, "read-write") == 0;
	bool prefers = wanted && strcmp(wanted, "prefer-standby") == 0 && attempt->hosts.count > 1;
	PGconn *pg;

	attempt->attributes = prefers ? "standby" : writes ? "primary" : NULL;
	pg = try_all(attempt, chosen);
	if (pg || !prefers)
		return pg;
	attempt->attributes = "any";
	return try_all(attempt, chosen);
}

static bool read_hosts(struct attempt *attempt)
{
	return hosts_read(&attempt->hosts, given(attempt, "host"), given(attempt, "hostaddr"),
	    given(attempt, "port"));
}

static bool list_hosts(struct attempt *attempt)
{
	const char *balance = given(attempt, "load_balance_hosts");
	struct hosts *hosts = &attempt->hosts;

	if (!read_hosts(attempt))
		return false;
	hosts_resolve(hosts);
	if (balance && strcmp(balance, "random") == 0)
		hosts_rotate(hosts, (unsigned)getpid());
	return true;
}

/* A service file may have been written anew since the start. */
static bool judge_given(const struct attempt *attempt)
{
	const char *keyword, *why = conninfo_values_fault(attempt->given, &keyword);

	if (why)
		snprintf(attempt->fault, attempt->size, "connecting to PostgreSQL: its %s %s",
		    keyword, why);
	return !why;
}

PGconn *connect_to_server(const struct settings *settings, struct hosts_memory *memory,
    struct host *host, char *fault, size_t size)
{
	struct attempt attempt = {
	    .settings = settings, .memory = memory, .fault = fault, .size = size};
	PGconn *pg = NULL;

	*fault = '\0';
	*host = (struct host){.port = ""};
	if (*settings->database_password_file &&
	    !password_read(settings->database_password_file, attempt.password, fault, size))
		return NULL;
	attempt.given = read_given(settings);
	if (!*attempt.password && !given(&attempt, "password"))
		attempt.passfile = passfile_instead(settings->database);
	if (judge_given(&attempt) && list_hosts(&attempt))
		pg = try_twice(&attempt, host);
	else if (!*fault)
		pg = try_host(&attempt, NULL, longest(&attempt));
	PQconninfoFree(attempt.given);
	explicit_bzero(attempt.password, sizeof(attempt.password));
	return pg;
}

void connect_name_hosts(const struct settings *settings)
{
	struct attempt attempt = {.settings = settings, .given = read_given(settings)};
	char label[HOST_LABEL_MAX];

	if (!read_hosts(&attempt))
		attempt.hosts = (struct hosts){.count = 1};
	for (unsigned i = 0; i < attempt.hosts.count; i++) {
		hosts_label(&attempt.hosts.list[i], label);
		metric_host_add(label);
	}
	PQconninfoFree(attempt.given);
}
