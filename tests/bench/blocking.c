/* SPDX-License-Identifier: MIT */
/* The benchmark's baseline: libfcgi's threads and blocking libpq, one statement a request. */
#include <fcgiapp.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 72 };

/* The statement's columns, and then the policy's: null where there is none. */
enum { IS_ACTIVE, SEES, NAME, LOGGING, BOUND_TO, ACTION };

static const char permission_of_policies[] =
    "select p.id from auth_permission p where p.codename = 'view_eventmatcherpolicy'";

struct thread {
	int listener;
	const char *conninfo, *statement;
};

static PGconn *open_connection(const struct thread *thread, char permission[20])
{
	PGconn *connection = PQconnectdb(thread->conninfo);
	PGresult *found = PQexec(connection, permission_of_policies);
	PGresult *prepared = PQprepare(connection, "ask", thread->statement, 0, NULL);

	if (PQntuples(found) != 1 || PQresultStatus(prepared) != PGRES_COMMAND_OK) {
		fprintf(stderr, "blocking: %s", PQerrorMessage(connection));
		exit(1);
	}
	snprintf(permission, 20, "%s", PQgetvalue(found, 0, 0));
	PQclear(found);
	PQclear(prepared);
	return connection;
}

static bool is_true(const PGresult *result, int column)
{
	return *PQgetvalue(result, 0, column) == 't';
}

static bool is_found(const PGresult *result)
{
	return PQntuples(result) == 1 && is_true(result, IS_ACTIVE) && is_true(result, SEES) &&
	       !PQgetisnull(result, 0, NAME);
}

/* No escaping, and no value but an action: less than the program does. */
static void render(FCGX_Request *request, const PGresult *result, const char *uuid)
{
	char body[1000];
	int length = snprintf(body, sizeof(body),
	    "{\"pk\":\"%s\",\"name\":\"%s\",\"execution_logging\":%s,"
	    "\"component\":\"ak-policy-event-matcher-form\",\"verbose_name\":\"Event Matcher "
	    "Policy\",\"verbose_name_plural\":\"Event Matcher Policies\",\"meta_model_name\":"
	    "\"authentik_policies_event_matcher.eventmatcherpolicy\",\"bound_to\":%s,"
	    "\"action\":\"%s\",\"client_ip\":null,\"app\":null,\"model\":null,\"query\":null}",
	    uuid, PQgetvalue(result, 0, NAME), is_true(result, LOGGING) ? "true" : "false",
	    PQgetvalue(result, 0, BOUND_TO), PQgetvalue(result, 0, ACTION));

	FCGX_FPrintF(request->out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
	    length, body);
}

static void answer(PGconn *connection, const char *permission, FCGX_Request *request)
{
	const char *key = FCGX_GetParam("HTTP_AUTHORIZATION", request->envp);
	const char *path = FCGX_GetParam("REQUEST_URI", request->envp);
	char uuid[37] = "";
	const char *values[] = {key + strlen("Bearer "), uuid, permission};
	PGresult *result;

	memcpy(uuid, path + strlen(path) - 37, 36);
	result = PQexecPrepared(connection, "ask", 3, values, NULL, NULL, 0);
	if (is_found(result))
		render(request, result, uuid);
	else
		FCGX_FPrintF(request->out, "Status: 403 Forbidden\r\n\r\n");
	PQclear(result);
}

static void *serve(void *context)
{
	const struct thread *thread = context;
	char permission[20];
	PGconn *connection = open_connection(thread, permission);
	FCGX_Request request;

	FCGX_InitRequest(&request, thread->listener, 0);
	while (FCGX_Accept_r(&request) == 0) {
		answer(connection, permission, &request);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

static void on_term(int number)
{
	(void)number;
	_exit(0);
}

/* Usage: blocking SOCKET CONNECTION-STRING STATEMENT */
int main(int argc, char **argv)
{
	struct thread all = {.listener = -1};
	pthread_t thread;

	if (argc != 4 || FCGX_Init() != 0 || (all.listener = FCGX_OpenSocket(argv[1], 1024)) < 0)
		return 1;
	all.conninfo = argv[2], all.statement = argv[3];
	signal(SIGTERM, on_term);
	for (int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, serve, &all);
	serve(&all);
	return 0;
}
