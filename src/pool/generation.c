/* SPDX-License-Identifier: MIT */
/* Settings that are judged before anything is started with them. */
#include "pool/generation.h"

#include "postgres/conninfo.h"

#include <stdlib.h>

bool generation_judge(const struct settings *settings, char error[SETTINGS_ERROR_SIZE])
{
	const char *keyword, *fault = conninfo_fault(settings->database, &keyword);

	if (fault)
		snprintf(error, SETTINGS_ERROR_SIZE, "database: %s%s %s",
		    keyword ? "its " : "the connection string", keyword ? keyword : "", fault);
	return !fault;
}

static bool load(struct settings *settings, const struct invocation *invocation,
    const struct settings *running, char error[SETTINGS_ERROR_SIZE])
{
	return settings_load(settings, invocation->argc, invocation->argv, error) == SETTINGS_RUN &&
	       settings_may_replace(running, settings, error) && generation_judge(settings, error);
}

struct settings *generation_load(const struct invocation *invocation,
    const struct settings *running, char error[SETTINGS_ERROR_SIZE])
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings) {
		snprintf(error, SETTINGS_ERROR_SIZE, "no memory");
		return NULL;
	}
	if (load(settings, invocation, running, error))
		return settings;
	generation_free(settings);
	return NULL;
}

void generation_free(struct settings *settings)
{
	if (settings)
		settings_free(settings);
	free(settings);
}
