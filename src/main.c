/* SPDX-License-Identifier: MIT */
/* Settings into a role: a pool, one worker, one CGI request, a check. */
#include "authentik/catalogue.h"
#include "base/log.h"
#include "fastcgi/listener.h"
#include "pool/cgi.h"
#include "pool/configuration.h"
#include "pool/generation.h"
#include "pool/ready.h"
#include "pool/sandbox.h"
#include "pool/supervisor.h"
#include "pool/upgrade.h"
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

static int check(const struct settings *settings)
{
	const struct session_kind *const kinds[] = {&catalogue_common, &catalogue_slow};
	struct session session = {0};

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

static int dump(const struct settings *settings)
{
	if (settings_dump(settings, conninfo_show, stdout))
		return 0;
	fputs("event-matcher-fcgi: printing the settings: no memory\n", stderr);
	return 1;
}

static bool find_sockets(struct listeners *listeners, struct invocation *invocation,
    const struct settings *settings, char error[SETTINGS_ERROR_SIZE])
{
	if (upgrade_is_inherited())
		return upgrade_inherit(
		    listeners, &invocation->ready, settings, error, SETTINGS_ERROR_SIZE);
	return *settings->listen ? listener_open(listeners, settings, error, SETTINGS_ERROR_SIZE)
				 : listener_inherit(listeners, error, SETTINGS_ERROR_SIZE);
}

static int serve_pool(struct settings *settings, struct invocation *invocation)
{
	struct listeners listeners;
	char error[SETTINGS_ERROR_SIZE];

	if (find_sockets(&listeners, invocation, settings, error))
		return sandbox_harden(settings) ? supervisor_run(settings, &listeners, invocation)
						: 1;
	log_error("%s", error);
	return 1;
}

static int serve_alone(const struct settings *settings)
{
	struct listeners listeners = listener_alone(STDIN_FILENO);

	return sandbox_harden(settings) ? worker_run(settings, &listeners, NULL, NULL) : 1;
}

/* How it finds its work: see event-matcher-fcgi(8). */
static int serve(struct settings *settings, struct invocation *invocation)
{
	if (!configuration_open_log(settings))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	if (*settings->listen || listener_is_inherited() || upgrade_is_inherited())
		return serve_pool(settings, invocation);
	if (listener_is(STDIN_FILENO))
		return serve_alone(settings);
	if (getenv("GATEWAY_INTERFACE"))
		return sandbox_harden(settings) ? cgi_run(settings) : 1;
	return usage_error(
	    "nothing to listen on: give --listen, a socket from systemd, a listening "
	    "descriptor 0, or a CGI request");
}

int main(int argc, char **argv)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];
	struct invocation invocation = {.argv = argv, .ready = -1};
	int code = 0;

	supervisor_hold_signals();
	/* Under CGI argv may be the client's query string (RFC 3875, section 4.4). */
	if (getenv("GATEWAY_INTERFACE"))
		argc = 0;
	invocation.argc = argc;
	upgrade_find_program(argv[0], invocation.program, sizeof(invocation.program));
	switch (configuration_load(&settings, argc, argv, error)) {
	case SETTINGS_RUN:
		code = serve(&settings, &invocation);
		break;
	case SETTINGS_CHECK:
		code = check(&settings);
		break;
	case SETTINGS_DUMP:
		code = dump(&settings);
		break;
	case SETTINGS_READY:
		code = ready_ask(&settings);
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
