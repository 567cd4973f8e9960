/* SPDX-License-Identifier: MIT */
/* Turns argv, environment and a file into one const struct settings, from one table. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Every setting, as its row of the table in settings.c describes it. Texts are never NULL. */
struct settings {
	char *listen, *listen_group, *database, *schema, *base_path;
	uint64_t listen_mode, listen_backlog, workers, log_level;
	uint64_t max_connections, max_requests, max_token_lookups; /* each of one worker */
	uint64_t max_unsent;                                       /* bytes */
	uint64_t request_timeout, database_wait, statement_timeout,
	    connect_timeout;                                                 /* milliseconds */
	uint64_t receive_timeout, send_timeout, idle_timeout, drain_timeout; /* milliseconds */
};

/* What the command line asks for. */
enum settings_action {
	SETTINGS_RUN,
	SETTINGS_CHECK,
	SETTINGS_HELP,
	SETTINGS_VERSION,
	SETTINGS_INVALID
};

/*
 * Fills *settings from the defaults, then the file that --config or EVENT_MATCHER_CONFIG names, then the
 * variables EVENT_MATCHER_<NAME>, then argv. With argc 0, argv is not looked at.
 * Returns what is to be done; SETTINGS_INVALID with a sentence in error (size bytes) that names the place and
 * the fault. In every case settings_free is due.
 */
enum settings_action settings_load(
    struct settings *settings, int argc, char **argv, char *error, size_t size);

/* Frees the texts of *settings. */
void settings_free(struct settings *settings);

/* Prints the usage with a line for each setting. */
void settings_print_help(FILE *stream);

#endif
