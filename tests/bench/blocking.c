/* SPDX-License-Identifier: MIT */
/* The benchmark's baseline: libfcgi's threads and blocking libpq. */
#include "authentik/statements.h"
#include "postgres/template.h"

#include <fcgiapp.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 72 };

static int listener;
static const char *conninfo;

static void run(PGconn *connection, const char *text)
{
	static const struct template_variable variables[] = {{"schema", "public"},
	    {"members", "authentik_core_user_groups"}, {"statement_timeout", "1500"},
	    {"lock_timeout", "500"}, {"local", "false"}, {NULL, NULL}};
	struct buffer sql = {0};
	PGresult *result;

	if (!template_fill(&sql, text, variables, connection))
		exit(1);
	result = PQexec(connection, (const char *)sql.data);
	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
	    PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "blocking: %s", PQerrorMessage(connection));
		exit(1);
	}
	PQclear(result);
	buffer_free(&sql);
}

static PGconn *open_connection(void)
{
	PGconn *connection = PQconnectdb(conninfo);

	run(connection, statement_session);
	run(connection, statement_session_lookup);
	run(connection, statement_caller);
	run(connection, statement_policy);
	return connection;
}

/*
 * caller.sql is told of the group that makes the benchmark's users superusers: our workers learn
 * that, too.
 */
static PGresult *ask(PGconn *connection, const char *statement, int parameters, const char *value)
{
	char array[200];
	const char *values[] = {array, "{dddddddd-0000-4000-8000-000000000000}", "{t}"};

	snprintf(array, sizeof(array), "{%s}", value);
	return PQexecPrepared(connection, statement, parameters, values, NULL, NULL, 0);
}

/* Direct superusers only, and no escaping: less than the program does. */
static void answer(PGconn *connection, FCGX_Request *request)
{
	const char *key = FCGX_GetParam("HTTP_AUTHORIZATION", request->envp);
	const char *path = FCGX_GetParam("REQUEST_URI", request->envp);
	char body[1000], uuid[37] = "";
	PGresult *caller = ask(connection, "caller", 3, key + strlen("Bearer ")), *policy;
	int length;

	memcpy(uuid, path + strlen(path) - 37, 36);
	policy = ask(connection, "policy", 1, uuid);
	if (PQntuples(caller) != 1 || PQgetisnull(caller, 0, 4) || PQntuples(policy) != 1)
		FCGX_FPrintF(request->out, "Status: 403 Forbidden\r\n\r\n");
	else {
		length = snprintf(body, sizeof(body),
		    "{\"pk\":\"%s\",\"name\":\"%s\",\"execution_logging\":%s,\"component\":\"ak-"
		    "policy-"
		    "event-matcher-form\","
		    "\"verbose_name\":\"Event Matcher Policy\",\"verbose_name_plural\":\"Event "
		    "Matcher "
		    "Policies\","
		    "\"meta_model_name\":\"authentik_policies_event_matcher.eventmatcherpolicy\","
		    "\"bound_"
		    "to\":%s,"
		    "\"action\":\"%s\",\"client_ip\":null,\"app\":null,\"model\":null}",
		    uuid, PQgetvalue(policy, 0, 1),
		    *PQgetvalue(policy, 0, 2) == 't' ? "true" : "false", PQgetvalue(policy, 0, 3),
		    PQgetvalue(policy, 0, 4));
		FCGX_FPrintF(request->out,
		    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body);
	}
	PQclear(caller);
	PQclear(policy);
}

static void *serve(void *unused)
{
	PGconn *connection = open_connection();
	FCGX_Request request;

	(void)unused;
	FCGX_InitRequest(&request, listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		answer(connection, &request);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

static void on_term(int number)
{
	(void)number;
	_exit(0);
}

/* Usage: blocking SOCKET CONNECTION-STRING */
int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 3 || FCGX_Init() != 0 || (listener = FCGX_OpenSocket(argv[1], 1024)) < 0)
		return 1;
	signal(SIGTERM, on_term);
	conninfo = argv[2];
	for (int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, serve, NULL);
	serve(NULL);
	return 0;
}
