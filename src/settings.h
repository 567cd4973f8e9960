/* SPDX-License-Identifier: MIT */
/* This program's settings, as settings.def lists them, from argv, environment, file. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "base/log.h"
#include "base/option.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef const char *settings_text;     /* never NULL */
typedef const char *settings_conninfo; /* of libpq, never NULL */
typedef unsigned settings_count;
typedef mode_t settings_mode;
typedef uint64_t settings_duration; /* milliseconds */
typedef size_t settings_size;       /* bytes */
typedef unsigned settings_flag;     /* 0: off, 1: on */
typedef enum log_level settings_level;
typedef enum log_form settings_form;

#define SETTING(name, kind, ...) settings_##kind name;
struct settings {
#include "settings.def"
	struct option_origins origins;
};
#undef SETTING

/* What the command line asks for. */
enum settings_action {
	SETTINGS_RUN,
	SETTINGS_CHECK,
	SETTINGS_CHECK_JSON,
	SETTINGS_DUMP,
	SETTINGS_READY,
	SETTINGS_HELP,
	SETTINGS_VERSION,
	SETTINGS_INVALID
};

enum { SETTINGS_ERROR_SIZE = 1024 };

/*
 * Fills *settings from the defaults, then the file that --config or EVENT_MATCHER_CONFIG names,
 * then the variables EVENT_MATCHER_<NAME>, then argv. With argc 0, argv is not looked at. Returns
 * what is to be done; SETTINGS_INVALID with a sentence in error that names the place and the
 * fault. In every case settings_free is due.
 */
enum settings_action settings_load(
    struct settings *settings, int argc, char **argv, char error[SETTINGS_ERROR_SIZE]);

/*
 * Can the file that they come from be read once more? A pipe, as of a shell's <(...), has been read: it is empty then,
 * or nobody writes to it. True where they come from no file, or from one that is gone: reading says so.
 */
bool settings_can_be_read_again(const struct settings *settings);

/*
 * May a running pool take these settings in place of its own? False with a sentence in error that names each setting
 * which has changed and is kept until a restart.
 */
bool settings_may_replace(const struct settings *running, const struct settings *settings,
    char error[SETTINGS_ERROR_SIZE]);

/*
 * Gives a setting that is a text the value where it is empty, or no place has set it. False without
 * memory.
 */
bool settings_offer(struct settings *settings, const char *name, const char *value);

/*
 * Prints all settings as a settings file has them, each with where it came from; of a connection
 * string what show makes of it in new memory. False without memory.
 */
bool settings_dump(
    const struct settings *settings, char *(*show)(const char *conninfo), FILE *stream);

/* Frees the texts of *settings. */
void settings_free(struct settings *settings);

/* Prints the usage with a line for each setting. */
void settings_print_help(FILE *stream);

#endif
