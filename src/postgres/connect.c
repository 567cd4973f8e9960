/* SPDX-License-Identifier: MIT */
/* Connects to the server that the settings name; blocks while it does. */
#include "postgres/connect.h"

#include "base/log.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

PGconn *connect_to_server(const struct settings *settings, char *fault, size_t size)
{
	const char *names[12] = {0}, *values[12] = {0};
	char timeout[24];
	size_t count = add_defaults(names, values, settings, timeout);
	PGconn *pg;

	names[count] = "dbname";
	values[count++] = *settings->database ? settings->database : NULL;
	names[count] = "client_encoding";
	values[count++] = "UTF8";
	assert(count < sizeof(names) / sizeof(names[0]));
	pg = PQconnectdbParams(names, values, 1);
	PQsetNoticeProcessor(pg, on_notice, NULL);
	if (PQstatus(pg) == CONNECTION_OK)
		return pg;
	snprintf(
	    fault, size, "connecting to PostgreSQL: %s", pg ? PQerrorMessage(pg) : "no memory");
	PQfinish(pg);
	return NULL;
}
