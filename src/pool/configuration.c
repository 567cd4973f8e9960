/* SPDX-License-Identifier: MIT */
/* What a process runs by: its settings, judged, with authentik's own variables. */
#include "pool/configuration.h"

#include "authentik/environment.h"
#include "event.h"
#include "fastcgi/address.h"
#include "fastcgi/allowed.h"
#include "postgres/connect.h"

#include <errno.h>
#include <string.h>

static bool offer(
    struct settings *settings, const char *name, const char *value, char error[SETTINGS_ERROR_SIZE])
{
	if (!value || settings_offer(settings, name, value))
		return true;
	snprintf(error, SETTINGS_ERROR_SIZE, "no memory for the settings");
	return false;
}

static bool ask_authentik(struct settings *settings, char error[SETTINGS_ERROR_SIZE])
{
	struct environment environment;
	bool good = environment_read(&environment, error, SETTINGS_ERROR_SIZE) &&
		    offer(settings, "database", environment.conninfo, error) &&
		    offer(settings, "schema", environment.schema, error);

	environment_free(&environment);
	return good;
}

/* The text may hold a password: it is not told. */
static bool judge_database(const struct settings *settings, char error[SETTINGS_ERROR_SIZE])
{
	const char *keyword, *fault = connect_fault(settings, &keyword);

	if (!fault)
		return true;
	snprintf(error, SETTINGS_ERROR_SIZE, "database: %s%s %s",
	    keyword ? "its " : "the connection string", keyword ? keyword : "", fault);
	return false;
}

enum settings_action configuration_load(
    struct settings *settings, int argc, char **argv, char error[SETTINGS_ERROR_SIZE])
{
	enum settings_action action = settings_load(settings, argc, argv, error);
	struct allowed allowed;

	if (action == SETTINGS_INVALID || action == SETTINGS_HELP || action == SETTINGS_VERSION)
		return action;
	return ask_authentik(settings, error) && judge_database(settings, error) &&
		       address_judge("listen", settings->listen, error, SETTINGS_ERROR_SIZE) &&
		       address_judge("metrics_listen", settings->metrics_listen, error,
			   SETTINGS_ERROR_SIZE) &&
		       allowed_load(&allowed, error, SETTINGS_ERROR_SIZE)
		   ? action
		   : SETTINGS_INVALID;
}

bool configuration_open_log(const struct settings *settings)
{
	log_set_level(settings->log_level);
	log_set_form(settings->log_format);
	log_set_losses(&event_log_lost);
	if (log_open(settings->log_file))
		return true;
	log_event(&event_log_unopened, "opening the log file %s: %s", settings->log_file,
	    strerror(errno));
	return false;
}
