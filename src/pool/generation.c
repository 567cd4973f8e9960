/* SPDX-License-Identifier: MIT */
/* Settings that are judged before anything is started with them. */
#include "pool/generation.h"

#include "pool/configuration.h"

#include <stdlib.h>

static bool load(struct settings *settings, const struct invocation *invocation,
    const struct settings *running, char error[SETTINGS_ERROR_SIZE])
{
	if (!settings_can_be_read_again(running)) {
		snprintf(error, SETTINGS_ERROR_SIZE,
		    "the settings file %s is a pipe, which cannot be read again",
		    running->origins.file);
		return false;
	}
	return configuration_load(settings, invocation->argc, invocation->argv, error) ==
		   SETTINGS_RUN &&
	       settings_may_replace(running, settings, error);
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
