/* SPDX-License-Identifier: MIT */
/* Settings into a role: a pool, one worker, one CGI request, a check. */
#include "base/log_line.h"
#include "event.h"
#include "fastcgi/listener.h"
#include "pool/cgi.h"
#include "pool/check.h"
#include "pool/configuration.h"
#include "pool/generation.h"
#include "pool/ready.h"
#include "pool/sandbox.h"
#include "pool/supervisor.h"
#include "pool/upgrade.h"
#include "pool/worker.h"
#include "postgres/conninfo.h"
#include "settings.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* A value may hold what would spoil a terminal. */
static int usage_error(const char *error)
{
	char text[2 * SETTINGS_ERROR_SIZE];

	text[log_line_show(text, sizeof(text) - 1, error, false)] = '\0';
	fprintf(stderr, "event-matcher-fcgi: %s\nTry event-matcher-fcgi --help.\n", text);
	return EXIT_USAGE;
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
	return *settings->listen
		   ? listener_open(listeners, settings, error, SETTINGS_ERROR_SIZE)
		   : listener_inherit(listeners, settings, error, SETTINGS_ERROR_SIZE);
}

static int serve_pool(struct settings *settings, struct invocation *invocation)
{
	struct listeners listeners;
	char error[SETTINGS_ERROR_SIZE];

	if (find_sockets(&listeners, invocation, settings, error))
		return sandbox_harden(settings) ? supervisor_run(settings, &listeners, invocation)
						: 1;
	log_event(&event_start_failed, "%s", error);
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
	signal(SIGXFSZ, SIG_IGN); /* a log at RLIMIT_FSIZE costs lines, and not the process */
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

static int print_help(void)
{
	settings_print_help(stdout);
	return 0;
}

static int print_version(void)
{
	puts(PACKAGE_NAME " " PACKAGE_VERSION);
	return 0;
}

static int act(enum settings_action action, struct settings *settings,
    struct invocation *invocation, const char *error)
{
	switch (action) {
	case SETTINGS_RUN:
		return serve(settings, invocation);
	case SETTINGS_CHECK:
		return check_run(settings, false);
	case SETTINGS_CHECK_JSON:
		return check_run(settings, true);
	case SETTINGS_DUMP:
		return dump(settings);
	case SETTINGS_READY:
		return ready_ask(settings);
	case SETTINGS_HELP:
		return print_help();
	case SETTINGS_VERSION:
		return print_version();
	case SETTINGS_INVALID:
		break;
	}
	return usage_error(error);
}

/*
 * Where standard input, output or error is closed, the next descriptor has its number: a session
 * with the database, into which the log would write then.
 */
static void fill_standard_descriptors(void)
{
	int opened;

	do
		opened = open("/dev/null", O_RDWR);
	while (opened >= 0 && opened <= STDERR_FILENO);
	if (opened >= 0)
		close(opened);
}

int main(int argc, char **argv)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];
	struct invocation invocation = {.argv = argv, .ready = -1};
	enum settings_action action;
	int code;

	fill_standard_descriptors();
	supervisor_hold_signals();
	/* Under CGI argv may be the client's query string (RFC 3875, section 4.4). */
	if (getenv("GATEWAY_INTERFACE"))
		argc = 0;
	invocation.argc = argc;
	upgrade_find_program(argv[0], invocation.program, sizeof(invocation.program));
	action = configuration_load(&settings, argc, argv, error);
	code = act(action, &settings, &invocation, error);
	settings_free(&settings);
	return code;
}
