/* SPDX-License-Identifier: MIT */
/* The database as authentik's own variables name it, so that one env_file serves both. */
#include "authentik/environment.h"

#include "postgres/conninfo.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* A URI's parts, as Python's urlparse has them. */
struct uri {
	char place[VALUE_MAX + 1]; /* what stands before the path, behind two slashes */
	char path[VALUE_MAX + 1], query[VALUE_MAX + 1];
	bool has_query;
};

/* Copies up to one of the ends, and returns what stands there; the text fits. */
static const char *copy_part(char *to, const char *text, const char *ends)
{
	size_t length = strcspn(text, ends);

	memcpy(to, text, length);
	to[length] = '\0';
	return text + length;
}

static void split(struct uri *uri, const char *rest)
{
	*uri->place = *uri->query = '\0';
	if (strncmp(rest, "//", 2) == 0)
		rest = copy_part(uri->place, rest + 2, "/?#");
	rest = copy_part(uri->path, rest, "?#");
	uri->has_query = *rest == '?';
	if (uri->has_query)
		copy_part(uri->query, rest + 1, "#");
}

/* Into reader->value what the URI leads to, or what stands in its query. */
static bool follow(struct reader *reader, const struct variable *variable, const char *text)
{
	struct uri uri;
	const char *value;

	split(&uri, strchr(text, ':') + 1);
	if (tolower((unsigned char)*text) == 'e') {
		value = getenv(uri.place);
		return keep(reader, variable, value ? value : uri.query);
	}
	if (read_file(reader, variable, uri.path))
		return true;
	return uri.has_query && keep(reader, variable, uri.query);
}

static bool is_uri(const char *text)
{
	return strncasecmp(text, "file:", 5) == 0 || strncasecmp(text, "env:", 4) == 0;
}

/*
 * authentik reads each value as JSON where it is JSON (ConfigLoader.update_from_env): a text in double quotes is what
 * stands between them. False where that has escapes: a value that both read alike needs no quotes.
 */
static bool unquote(char *value)
{
	size_t length = strlen(value);

	if (length < 2 || *value != '"' || value[length - 1] != '"')
		return true;
	if (strpbrk(value, "\\") || strchr(value + 1, '"') != value + length - 1)
		return false;
	value[length - 1] = '\0';
	memmove(value, value + 1, length - 1);
	return true;
}

/* The value, or nothing, into reader->value. */
static bool read_variable(struct reader *reader, const struct variable *variable)
{
	const char *text = find(variable);
	char own[VALUE_MAX + 1];

	*reader->value = '\0';
	if (!keep(reader, variable, text ? text : variable->initial ? variable->initial : ""))
		return false;
	if (!unquote(reader->value))
		return refuse(
		    reader, variable, "a value in quotes, with more of them or a backslash within");
	if (!is_uri(reader->value))
		return true;
	strcpy(own, reader->value);
	return follow(reader, variable, own);
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
