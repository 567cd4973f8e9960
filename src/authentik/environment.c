/* SPDX-License-Identifier: MIT */
/* The database as authentik's own variables name it, so that one env_file serves both. */
#include "authentik/environment.h"

#include "postgres/conninfo.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 4096 };

static const char prefix[] = "AUTHENTIK_POSTGRESQL__";

/* The variables, with libpq's name of each and authentik's default, which may be a URI too. */
static const struct variable {
	const char *name, *keyword, *initial;
} variables[] = {
    {"HOST", "host", "localhost"},
    {"PORT", "port", NULL},
    {"NAME", "dbname", "authentik"},
    {"USER", "user", "authentik"},
    {"PASSWORD", "password", "env://POSTGRES_PASSWORD"},
    {"SSLMODE", "sslmode", NULL},
    {"SSLROOTCERT", "sslrootcert", NULL},
    {"SSLCERT", "sslcert", NULL},
    {"SSLKEY", "sslkey", NULL},
};

extern char **environ;

static const struct variable default_schema = {"DEFAULT_SCHEMA", NULL, NULL};

struct reader {
	char value[VALUE_MAX + 1]; /* of the variable that was read last */
	char *error;
	size_t size;
};

static const char *find(const struct variable *variable)
{
	char name[64];
	const char *value;

	snprintf(name, sizeof(name), "%s%s", prefix, variable->name);
	value = getenv(name);
	return value && *value ? value : NULL;
}

static bool refuse(struct reader *reader, const struct variable *variable, const char *why)
{
	snprintf(reader->error, reader->size, "%s%s: %s", prefix, variable->name, why);
	return false;
}

static bool keep(struct reader *reader, const struct variable *variable, const char *value)
{
	if (strlen(value) > VALUE_MAX)
		return refuse(reader, variable, "the value is too long");
	memmove(reader->value, value, strlen(value) + 1);
	return true;
}

/* As Python's strip does, of the white space that ASCII has. */
static const char *strip(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static bool read_file(struct reader *reader, const struct variable *variable, const char *path)
{
	char content[VALUE_MAX + 2], why[VALUE_MAX + 128];
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(content, 1, sizeof(content) - 1, file) : 0;
	int cause = !file || ferror(file) ? errno : 0;

	if (file)
		fclose(file);
	content[length] = '\0';
	if (!cause)
		return keep(reader, variable, strip(content));
	snprintf(why, sizeof(why), "reading the file %s: %s", path, strerror(cause));
	return refuse(reader, variable, why);
}

/* Into reader->value, by the URI's scheme, "file://" or "env://"; the rest of it is what it names. */
static bool follow(
    struct reader *reader, const struct variable *variable, const char *uri, size_t scheme)
{
	char name[VALUE_MAX + 1] = "";
	size_t length = strcspn(uri + scheme, "?");
	const char *instead = uri[scheme + length] ? uri + scheme + length + 1 : NULL;

	if (length > VALUE_MAX)
		return refuse(reader, variable, "the value is too long");
	memcpy(name, uri + scheme, length);
	if (*uri == 'e')
		return keep(reader, variable, getenv(name) ? getenv(name) : instead ? instead : "");
	if (read_file(reader, variable, name))
		return true;
	return instead && keep(reader, variable, instead);
}

/* The value, or nothing, into reader->value. */
static bool read_variable(struct reader *reader, const struct variable *variable)
{
	const char *text = find(variable);

	*reader->value = '\0';
	if (!text)
		text = variable->initial ? variable->initial : "";
	if (strncmp(text, "file://", 7) == 0)
		return follow(reader, variable, text, 7);
	if (strncmp(text, "env://", 6) == 0)
		return follow(reader, variable, text, 6);
	return keep(reader, variable, text);
}

static bool print_all(struct reader *reader, FILE *stream)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (!read_variable(reader, &variables[i]))
			return false;
		if (!*reader->value)
			continue;
		conninfo_print(stream, variables[i].keyword, reader->value);
		putc(' ', stream);
	}
	return true;
}

static bool is_any_set(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (find(&variables[i]))
			return true;
	return false;
}

static bool read_conninfo(struct environment *environment, struct reader *reader)
{
	size_t size;
	FILE *stream;
	bool good;

	if (!is_any_set())
		return true;
	stream = open_memstream(&environment->conninfo, &size);
	good = stream && print_all(reader, stream);
	if (!stream || fclose(stream) != 0)
		return refuse(reader, &variables[0], "no memory");
	return good;
}

static bool read_schema(struct environment *environment, struct reader *reader)
{
	if (!find(&default_schema))
		return true;
	if (!read_variable(reader, &default_schema))
		return false;
	environment->schema = strdup(reader->value);
	return environment->schema || refuse(reader, &default_schema, "no memory");
}

bool environment_read(struct environment *environment, char *error, size_t size)
{
	struct reader reader = {.error = error, .size = size};

	*environment = (struct environment){0};
	return read_conninfo(environment, &reader) && read_schema(environment, &reader);
}

/* Is it the variable, name=value? */
static bool is_named(const struct variable *variable, const char *text)
{
	size_t length = strlen(variable->name);

	return strncmp(text, variable->name, length) == 0 && text[length] == '=';
}

static bool is_used(const char *text)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (is_named(&variables[i], text))
			return true;
	return is_named(&default_schema, text);
}

bool environment_list_unused(char *names, size_t size)
{
	size_t length = 0, start = strlen(prefix);

	*names = '\0';
	for (char **next = environ; *next; next++)
		if (strncmp(*next, prefix, start) == 0 && !is_used(*next + start) && length < size)
			length += (size_t)snprintf(names + length, size - length, "%s%.*s",
			    length ? ", " : "", (int)strcspn(*next, "="), *next);
	return length > 0;
}

void environment_free(struct environment *environment)
{
	free(environment->conninfo);
	free(environment->schema);
	*environment = (struct environment){0};
}
