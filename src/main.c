/* SPDX-License-Identifier: MIT */
/* Settings into a role: a pool, one worker, one CGI request, a check. */
#include "authentik/catalogue.h"
#include "base/log.h"
#include "fastcgi/listener.h"
#include "pool/cgi.h"
#include "pool/supervisor.h"
#include "pool/worker.h"
#include "postgres/conninfo.h"
#include "settings.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static int usage_error(const char *error)
{
	fprintf(stderr, "event-matcher-fcgi: %s\nTry event-matcher-fcgi --help.\n", error);
	return EXIT_USAGE;
}

/* The text may hold a password: it is not told. */
static bool judge_database(const char *database)
{
	const char *keyword, *fault = conninfo_fault(database, &keyword);
	char error[SETTINGS_ERROR_SIZE];

	if (!fault)
		return true;
	snprintf(error, sizeof(error), "database: %s%s %s",
	    keyword ? "its " : "the connection string", keyword ? keyword : "", fault);
	usage_error(error);
	return false;
}

static int check(const struct settings *settings)
{
	const struct session_kind *const kinds[] = {&catalogue_common, &catalogue_slow};
	struct session session = {0};

	if (!judge_database(settings->database))
		return EXIT_USAGE;
	for (int i = 0; i < 2; i++) {
		session_open(&session, settings, kinds[i]);
		if (!session.pg) {
			fprintf(stderr, "event-matcher-fcgi: %s\n", session.fault);
			return 1;
		}
		session_close(&session);
		if (i == 0)
			printf("%s\n", kinds[i]->describe(session.facts));
		if (*session.remarks)
			printf("warning: %s\n", session.remarks);
	}
	puts("settings and database are good");
	return 0;
}

static int serve_pool(const struct settings *settings)
{
	char error[512];
	int descriptor = *settings->listen ? listener_open(settings, error, sizeof(error))
					   : listener_inherit(error, sizeof(error));
	int code;

	if (descriptor < 0) {
		log_error("%s", error);
		return 1;
	}
	code = supervisor_run(settings, descriptor);
	close(descriptor);
	return code;
}

/* How it finds its work: see event-matcher-fcgi(8). */
static int serve(const struct settings *settings)
{
	log_set_level(settings->log_level);
	if (!judge_database(settings->database))
		return EXIT_USAGE;
	signal(SIGPIPE, SIG_IGN);
	if (*settings->listen || listener_is_inherited())
		return serve_pool(settings);
	if (listener_is(STDIN_FILENO))
		return worker_run(settings, STDIN_FILENO);
	if (getenv("GATEWAY_INTERFACE"))
		return cgi_run(settings);
	return usage_error(
	    "nothing to listen on: give --listen, a socket from systemd, a listening "
	    "descriptor 0, or a CGI request");
}

int main(int argc, char **argv)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];
	int code = 0;

	/* Under CGI argv may be the client's query string (RFC 3875, section 4.4). */
	if (getenv("GATEWAY_INTERFACE"))
		argc = 0;
	switch (settings_load(&settings, argc, argv, error)) {
	case SETTINGS_RUN:
		code = serve(&settings);
		break;
	case SETTINGS_CHECK:
		code = check(&settings);
		break;
	case SETTINGS_HELP:
		settings_print_help(stdout);
		break;
	case SETTINGS_VERSION:
		puts(PACKAGE_NAME " " PACKAGE_VERSION);
		break;
	case SETTINGS_INVALID:
		code = usage_error(error);
		break;
	}
	settings_free(&settings);
	return code;
}
