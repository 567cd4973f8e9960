/* SPDX-License-Identifier: MIT */
/* Turns argv, environment and a file into one const struct settings, from one table. */
#include "base/settings.h"

#include "base/value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct setting {
	const char *name;
	enum value_kind kind;
	size_t offset;
	const char *initial;
	uint64_t least, most;
	const char *help;
};

#define AT(field) offsetof(struct settings, field)
#define HOUR 3600000u /* milliseconds */

/* clang-format off */
static const struct setting table[] = {
	{"listen", VALUE_TEXT, AT(listen), "", 0, 0, "where the web server asks: unix:/path or host:port"},
	{"listen_mode", VALUE_MODE, AT(listen_mode), "0660", 0, 0777, "mode of the unix socket"},
	{"listen_group", VALUE_TEXT, AT(listen_group), "", 0, 0, "group of the unix socket"},
	{"listen_backlog", VALUE_COUNT, AT(listen_backlog), "4096", 1, 65535, "connections that may wait to be accepted"},
	{"database", VALUE_TEXT, AT(database), "", 0, 0, "libpq connection string or URI; libpq's PG* variables work too"},
	{"schema", VALUE_TEXT, AT(schema), "public", 0, 0, "schema that holds authentik's tables"},
	{"workers", VALUE_COUNT, AT(workers), "0", 0, 64, "worker processes; 0: one a core, at most 4"},
	{"base_path", VALUE_TEXT, AT(base_path), "/api/v3", 0, 0, "path of the API's root"},
	{"max_connections", VALUE_COUNT, AT(max_connections), "16384", 1, 1000000, "web server connections a worker; over it 503"},
	{"max_requests", VALUE_COUNT, AT(max_requests), "1024", 1, 65536, "requests in flight a worker; over it 503"},
	{"max_token_lookups", VALUE_COUNT, AT(max_token_lookups), "256", 1, 65536, "keys waiting for the access-token lookup a worker; over it 503"},
	{"max_unsent", VALUE_SIZE, AT(max_unsent), "64MiB", 65536, 1ull << 40, "reply bytes a worker holds for slow readers; over it 503"},
	{"request_timeout", VALUE_DURATION, AT(request_timeout), "2s", 10, HOUR, "budget of a request; over it 504"},
	{"database_wait", VALUE_DURATION, AT(database_wait), "1s", 0, HOUR, "how long after the loss of the database requests wait for it; then 503 at once"},
	{"statement_timeout", VALUE_DURATION, AT(statement_timeout), "1500ms", 10, HOUR, "PostgreSQL's limit for one statement"},
	{"connect_timeout", VALUE_DURATION, AT(connect_timeout), "2s", 1000, HOUR, "limit for connecting to PostgreSQL, each host; a service says its own"},
	{"receive_timeout", VALUE_DURATION, AT(receive_timeout), "10s", 10, HOUR, "limit for a request's parameters to arrive"},
	{"send_timeout", VALUE_DURATION, AT(send_timeout), "10s", 10, HOUR, "limit for a reply to make progress"},
	{"idle_timeout", VALUE_DURATION, AT(idle_timeout), "5min", 10, 24 * HOUR, "limit for a kept connection without a request"},
	{"drain_timeout", VALUE_DURATION, AT(drain_timeout), "10s", 0, HOUR, "limit for requests in flight at SIGTERM"},
	{"log_level", VALUE_LEVEL, AT(log_level), "info", 0, LOG_LEVEL_DEBUG, "error, warning, info or debug"},
};
/* clang-format on */

enum {
	ROWS = sizeof(table) / sizeof(table[0]),
	OPTION_CONFIG = ROWS,
	OPTION_CHECK,
	OPTION_HELP,
	OPTION_VERSION
};

static bool replace_text(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free(*field);
	*field = copy;
	return true;
}

static bool assign(struct settings *settings, const struct setting *row, const char *text)
{
	void *field = (char *)settings + row->offset;
	uint64_t number;

	if (row->kind == VALUE_TEXT)
		return replace_text(field, text);
	if (!value_parse(row->kind, text, &number) || number < row->least || number > row->most)
		return false;
	*(uint64_t *)field = number;
	return true;
}

static bool refuse(
    char *error, size_t size, const char *place, const struct setting *row, const char *value)
{
	snprintf(error, size, "%s: %s is to be %s, not \"%s\"", place, row->name,
	    value_form(row->kind), value);
	return false;
}

static const struct setting *find_row(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static bool load_line(
    struct settings *settings, char *line, const char *place, char *error, size_t size)
{
	const struct setting *row;
	char *name = trim(line), *value = strchr(name, '=');

	if (*name == '\0' || *name == '#')
		return true;
	if (!value) {
		snprintf(error, size, "%s: a line is to be \"name = value\"", place);
		return false;
	}
	*value++ = '\0';
	name = trim(name);
	value = trim(value);
	row = find_row(name);
	if (!row) {
		snprintf(error, size, "%s: unknown setting \"%s\"", place, name);
		return false;
	}
	return assign(settings, row, value) || refuse(error, size, place, row, value);
}

/*
 * Our own reader: Debian's libinih splits a line at 200 bytes and cuts a value at " ;" (both seen),
 * and a connection string may be longer and may hold either.
 */
static bool load_file(struct settings *settings, const char *path, char *error, size_t size)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, place[512];
	size_t capacity = 0, number = 0;
	bool good = true;

	if (!file) {
		snprintf(error, size, "opening the settings file %s: %s", path, strerror(errno));
		return false;
	}
	errno = 0;
	while (good && getline(&line, &capacity, file) >= 0) {
		snprintf(place, sizeof(place), "%s:%zu", path, ++number);
		good = load_line(settings, line, place, error, size);
	}
	if (good && ferror(file)) {
		snprintf(error, size, "reading the settings file %s: %s", path, strerror(errno));
		good = false;
	}
	free(line);
	fclose(file);
	return good;
}

/* Variables of other names are not ours to judge: orchestrators add some of their own
 * (EVENT_MATCHER_PORT=tcp://...). */
static bool load_environment(struct settings *settings, char *error, size_t size)
{
	for (size_t i = 0; i < ROWS; i++) {
		char variable[64] = "EVENT_MATCHER_";
		size_t length = strlen(variable);
		const char *value;

		for (const char *c = table[i].name; *c; c++)
			variable[length++] = (char)toupper((unsigned char)*c);
		variable[length] = '\0';
		value = getenv(variable);
		if (value && !assign(settings, &table[i], value))
			return refuse(error, size, variable, &table[i], value);
	}
	return true;
}

static void make_options(struct option *options, char names[ROWS][64])
{
	for (size_t i = 0; i < ROWS; i++) {
		strcpy(names[i], table[i].name);
		for (char *c = names[i]; *c; c++)
			*c = *c == '_' ? '-' : *c;
		options[i] = (struct option){names[i], required_argument, NULL, (int)i};
	}
	options[OPTION_CONFIG] = (struct option){"config", required_argument, NULL, OPTION_CONFIG};
	options[OPTION_CHECK] = (struct option){"check", no_argument, NULL, OPTION_CHECK};
	options[OPTION_HELP] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	options[OPTION_VERSION] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	options[OPTION_VERSION + 1] = (struct option){0};
}

struct command_line {
	const char *values[ROWS];
	const char *config;
	enum settings_action action;
};

static bool read_command_line(
    struct command_line *line, int argc, char **argv, char *error, size_t size)
{
	struct option options[OPTION_VERSION + 2];
	char names[ROWS][64];
	int option;

	make_options(options, names);
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?') {
			snprintf(error, size,
			    "command line: %s is no option, or its value is missing",
			    argv[optind - 1]);
			return false;
		}
		if (option < ROWS)
			line->values[option] = optarg;
		else if (option == OPTION_CONFIG)
			line->config = optarg;
		else
			line->action = option == OPTION_CHECK  ? SETTINGS_CHECK
				       : option == OPTION_HELP ? SETTINGS_HELP
							       : SETTINGS_VERSION;
	}
	if (optind < argc)
		snprintf(error, size, "command line: unexpected argument \"%s\"", argv[optind]);
	return optind >= argc;
}

static bool load_command_line(
    struct settings *settings, const struct command_line *line, char *error, size_t size)
{
	for (size_t i = 0; i < ROWS; i++)
		if (line->values[i] && !assign(settings, &table[i], line->values[i]))
			return refuse(error, size, "command line", &table[i], line->values[i]);
	return true;
}

/* What no single value can tell. */
static bool validate(const struct settings *settings, char *error, size_t size)
{
	size_t length = strlen(settings->base_path);

	if (length && (settings->base_path[0] != '/' || settings->base_path[length - 1] == '/')) {
		snprintf(error, size,
		    "base_path is to be empty, or to start with a slash and not to end in one, not "
		    "\"%s\"",
		    settings->base_path);
		return false;
	}
	if (!*settings->schema) {
		snprintf(error, size, "schema is empty");
		return false;
	}
	return true;
}

static void choose_workers(struct settings *settings)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (settings->workers == 0)
		settings->workers = cores < 1 ? 1 : cores > 4 ? 4 : (uint64_t)cores;
}

enum settings_action settings_load(
    struct settings *settings, int argc, char **argv, char *error, size_t size)
{
	struct command_line line = {
	    .config = getenv("EVENT_MATCHER_CONFIG"), .action = SETTINGS_RUN};
	bool good = true;

	*settings = (struct settings){0};
	for (size_t i = 0; i < ROWS; i++)
		good = assign(settings, &table[i], table[i].initial) && good;
	if (!good) {
		snprintf(error, size, "no memory for the settings");
		return SETTINGS_INVALID;
	}
	if (argc && !read_command_line(&line, argc, argv, error, size))
		return SETTINGS_INVALID;
	if (line.action == SETTINGS_HELP || line.action == SETTINGS_VERSION)
		return line.action;
	if ((line.config && *line.config && !load_file(settings, line.config, error, size)) ||
	    !load_environment(settings, error, size) ||
	    !load_command_line(settings, &line, error, size) || !validate(settings, error, size))
		return SETTINGS_INVALID;
	choose_workers(settings);
	return line.action;
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < ROWS; i++)
		if (table[i].kind == VALUE_TEXT)
			free(*(char **)(void *)((char *)settings + table[i].offset));
	*settings = (struct settings){0};
}

void settings_print_help(FILE *stream)
{
	fputs("Usage: event-matcher-fcgi [--config=FILE] [--check] [--SETTING=VALUE ...]\n"
	      "Serves authentik's event matcher policies over FastCGI, from authentik's PostgreSQL "
	      "database.\n\n"
	      "  --config=FILE     read settings from FILE (lines: name = value)\n"
	      "  --check           check settings and database, say what is missing, exit 0 or 1\n"
	      "  --help            print this\n"
	      "  --version         print the version\n\n"
	      "Settings (in a file: listen_mode = 0660; in the environment: "
	      "EVENT_MATCHER_LISTEN_MODE=0660):\n",
	    stream);
	for (size_t i = 0; i < ROWS; i++) {
		fputs("  --", stream);
		for (const char *c = table[i].name; *c; c++)
			fputc(*c == '_' ? '-' : *c, stream);
		fprintf(stream, "=%s\n        %s\n", *table[i].initial ? table[i].initial : "...",
		    table[i].help);
	}
}
