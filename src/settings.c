/* SPDX-License-Identifier: MIT */
/* This program's settings, as settings.def lists them, into one struct. */
#include "settings.h"

#include "base/option_row.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR 3600000u /* milliseconds */

static const struct value_kind value_level = {
    .form = "error, warning, info or debug", .words = log_level_names};
static const struct value_kind value_form = {.form = "text or json", .words = log_form_names};
static const struct value_kind value_conninfo = {
    .form = "a text that memory has room for", .secret = true};

#define SETTING(name, kind, initial, least, most, change, help)                                    \
	{#name, &value_##kind, offsetof(struct settings, name), sizeof(settings_##kind), initial,  \
	    least, most, OPTION_##change, help},

static const struct option_row rows[] = {
#include "settings.def"
};

static const struct option_command commands[] = {
    {"check", 0, SETTINGS_CHECK, false, NULL},
    {"check", 0, SETTINGS_CHECK_JSON, false, "json"},
    {"dump-config", 0, SETTINGS_DUMP, false, NULL},
    {"ready", 0, SETTINGS_READY, false, NULL},
    {"help", 'h', SETTINGS_HELP, true, NULL},
    {"version", 'V', SETTINGS_VERSION, true, NULL},
    {NULL, 0, 0, false, NULL},
};

static_assert(SETTINGS_RUN == 0, "the code of no command");

static const struct option_set set = {
    "EVENT_MATCHER_", rows, sizeof(rows) / sizeof(rows[0]), commands};

/* What no single value can tell. */
static bool validate(const struct settings *settings, char *error)
{
	size_t length = strlen(settings->base_path);

	if (length && (settings->base_path[0] != '/' || settings->base_path[length - 1] == '/')) {
		snprintf(error, SETTINGS_ERROR_SIZE,
		    "base_path is to be empty, or to start with a slash and not to end in one, not "
		    "\"%s\"",
		    settings->base_path);
		return false;
	}
	if (!*settings->schema) {
		snprintf(error, SETTINGS_ERROR_SIZE, "schema is empty");
		return false;
	}
	return true;
}

static void choose_workers(struct settings *settings)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (settings->workers)
		return;
	if (cores < 1)
		cores = 1;
	settings->workers = cores > 4 ? 4 : cores;
}

bool settings_offer(struct settings *settings, const char *name, const char *value)
{
	const struct option_row *row = option_row_find(&set, name);
	struct option_origin *origin = &settings->origins.rows[row - rows];
	const char *const *text = (const void *)((const char *)settings + row->offset);

	assert(value_is_text(row->kind));
	if (**text && origin->source != OPTION_FROM_DEFAULT)
		return true;
	origin->source = OPTION_FROM_ELSEWHERE;
	return option_row_assign(row, settings, value);
}

enum settings_action settings_load(
    struct settings *settings, int argc, char **argv, char error[SETTINGS_ERROR_SIZE])
{
	struct option_loader loader = {.set = &set,
	    .values = settings,
	    .origins = &settings->origins,
	    .error = error,
	    .size = SETTINGS_ERROR_SIZE};

	*settings = (struct settings){0};
	if (!option_load(&loader, argc, argv))
		return SETTINGS_INVALID;
	if (loader.command == SETTINGS_HELP || loader.command == SETTINGS_VERSION)
		return loader.command;
	if (!validate(settings, error))
		return SETTINGS_INVALID;
	choose_workers(settings);
	return loader.command;
}

bool settings_can_be_read_again(const struct settings *settings)
{
	const char *file = settings->origins.file;
	struct stat status;

	return !file || stat(file, &status) != 0 || !S_ISFIFO(status.st_mode);
}

bool settings_may_replace(const struct settings *running, const struct settings *settings,
    char error[SETTINGS_ERROR_SIZE])
{
	char names[SETTINGS_ERROR_SIZE / 2];

	if (!option_list_kept(&set, running, settings, names, sizeof(names)))
		return true;
	snprintf(error, SETTINGS_ERROR_SIZE, "kept until a restart, and changed: %s", names);
	return false;
}

bool settings_dump(
    const struct settings *settings, char *(*show)(const char *conninfo), FILE *stream)
{
	return option_dump(&set, settings, &settings->origins, show, stream);
}

void settings_free(struct settings *settings)
{
	option_free(&set, settings);
	*settings = (struct settings){0};
}

void settings_print_help(FILE *stream)
{
	fputs("Usage: event-matcher-fcgi [--config=FILE] [--check] [--SETTING=VALUE ...]\n"
	      "Serves authentik's event matcher policies over FastCGI, from authentik's PostgreSQL "
	      "database.\n\n"
	      "  --config=FILE     read settings from FILE (lines: name = value)\n"
	      "  --dump-config     print all settings, where each came from, and no password\n"
	      "  --check[=json]    check settings and database, say what is missing, exit 0 or 1\n"
	      "  --ready           ask the workers whether they are ready, exit 0 or 1\n"
	      "  -h, --help        print this\n"
	      "  -V, --version     print the version\n\n"
	      "Settings (in a file: listen_mode = 0660; in the environment: "
	      "EVENT_MATCHER_LISTEN_MODE=0660):\n",
	    stream);
	option_print(&set, stream);
}
