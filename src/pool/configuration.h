/* SPDX-License-Identifier: MIT */
/* What a process runs by: its settings, judged, with authentik's own variables. */
#ifndef POOL_CONFIGURATION_H
#define POOL_CONFIGURATION_H

#include "settings.h"

/*
 * As settings_load. Where database or schema is not set, authentik's variables count
 * (authentik/environment.h), and a database that is set has to be a connection string of libpq's, whose
 * fault is told without any of its text; what listen names has to have the form of addresses. In every case settings_free is due.
 */
enum settings_action configuration_load(
    struct settings *settings, int argc, char **argv, char error[SETTINGS_ERROR_SIZE]);

/*
 * The log of this process and of those that it forks is as the settings say from now on; its file is
 * opened anew. False with a line in the log, which goes on where it went, where that cannot be opened.
 */
bool configuration_open_log(const struct settings *settings);

#endif
