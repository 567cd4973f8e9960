/* SPDX-License-Identifier: MIT */
/* Fills a struct, a row at a time, from defaults, file, environment and argv. */
#include "base/option.h"

#include "base/nearest.h"
#include "base/option_file.h"
#include "base/option_row.h"
#include "base/option_words.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static uint64_t fetch(const struct option_row *row, const void *field)
{
	uint64_t number;
	uint32_t narrow;

	memcpy(&narrow, field, sizeof(narrow));
	if (row->size == sizeof(narrow))
		return narrow;
	memcpy(&number, field, sizeof(number));
	return number;
}

static bool load_defaults(struct option_loader *loader)
{
	const struct option_set *set = loader->set;

	*loader->origins = (struct option_origins){0};
	for (size_t i = 0; i < set->count; i++)
		if (!option_row_assign(&set->rows[i], loader->values, set->rows[i].initial))
			return option_row_refuse(loader, "no memory for the settings");
	return true;
}

/*
 * The value of the variable of that name in capitals, which is left in place (size bytes), or
 * NULL; an empty one, which compose files leave where a variable of theirs is not set, is none.
 */
static const char *find_variable(
    const struct option_set *set, const char *name, char *place, size_t size)
{
	int length = snprintf(place, size, "%s%s", set->prefix, name);
	const char *value;

	assert((size_t)length < size);
	for (char *c = place; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	value = getenv(place);
	return value && *value ? value : NULL;
}

/* An env_file with line ends of other systems leaves their first half at the end of each value. */
static void drop_return(char *value)
{
	size_t length = strlen(value);

	if (length && value[length - 1] == '\r')
		value[length - 1] = '\0';
}

/* Quotes stand around a value where an env_file has them and its reader keeps them. */
static bool take_variable(struct option_loader *loader, const struct option_row *row,
    const char *value, const char *place)
{
	char *copy = strdup(value), *inner = copy;
	bool good;

	if (copy)
		drop_return(copy);
	good = copy && option_row_unquote(&inner);
	if (good)
		good = option_row_take(
		    loader, row, inner, (struct option_origin){OPTION_FROM_ENVIRONMENT, 0}, place);
	else
		option_row_refuse(loader, "%s: %s", place,
		    copy ? "the value starts with a quote and does not end with it" : "no memory");
	free(copy);
	return good;
}

/* Is the variable, name=value, that of the row? */
static bool is_variable(
    const struct option_set *set, const struct option_row *row, const char *variable)
{
	char place[2 * OPTION_NAME_MAX];

	find_variable(set, row->name, place, sizeof(place));
	return strlen(place) == strcspn(variable, "=") &&
	       strncmp(place, variable, strlen(place)) == 0;
}

static bool judge_variable(struct option_loader *loader, const char *variable)
{
	const struct option_set *set = loader->set;
	size_t start = strlen(set->prefix), length = strcspn(variable, "=") - start;
	char name[OPTION_NAME_MAX] = "", place[2 * OPTION_NAME_MAX];
	const struct option_row *meant;

	if (length >= sizeof(name))
		return true;
	memcpy(name, variable + start, length);
	meant = option_row_guess(set, name);
	if (!meant || is_variable(set, meant, variable))
		return true;
	find_variable(set, meant->name, place, sizeof(place));
	return option_row_refuse(
	    loader, "%s%s: unknown setting; did you mean %s?", set->prefix, name, place);
}

/*
 * A variable with our prefix that is none of ours is refused where its name is a misspelt one.
 * Others are not ours to judge: orchestrators add some of their own (PREFIX_PORT=tcp://...).
 */
static bool judge_variables(struct option_loader *loader)
{
	const char *prefix = loader->set->prefix;

	for (char **variable = environ; *variable; variable++)
		if (strncmp(*variable, prefix, strlen(prefix)) == 0 &&
		    !judge_variable(loader, *variable))
			return false;
	return true;
}

static bool load_environment(struct option_loader *loader)
{
	const struct option_set *set = loader->set;

	for (size_t i = 0; i < set->count; i++) {
		char place[2 * OPTION_NAME_MAX];
		const char *value = find_variable(set, set->rows[i].name, place, sizeof(place));

		if (value && !take_variable(loader, &set->rows[i], value, place))
			return false;
	}
	return judge_variables(loader);
}

static bool load_command_line(struct option_loader *loader, const struct option_words *line)
{
	for (size_t i = 0; i < loader->set->count; i++)
		if (line->values[i] &&
		    !option_row_take(loader, &loader->set->rows[i], line->values[i],
			(struct option_origin){OPTION_FROM_ARGV, 0}, "command line"))
			return false;
	return true;
}

bool option_load(struct option_loader *loader, int argc, char **argv)
{
	struct option_words line = {0};
	char variable[2 * OPTION_NAME_MAX];

	line.file = find_variable(loader->set, "config", variable, sizeof(variable));
	if (!load_defaults(loader) || (argc && !option_words_read(loader, &line, argc, argv)))
		return false;
	loader->command = line.command ? line.command->code : 0;
	if (line.command && line.command->alone)
		return true;
	return (!line.file || !*line.file || option_file_load(loader, line.file)) &&
	       load_environment(loader) && load_command_line(loader, &line);
}

static bool differs(const struct option_row *row, const void *one, const void *other)
{
	const char *a = (const char *)one + row->offset, *b = (const char *)other + row->offset;

	if (value_is_text(row->kind))
		return strcmp(*(const char *const *)(const void *)a,
			   *(const char *const *)(const void *)b) != 0;
	return memcmp(a, b, row->size) != 0;
}

bool option_list_kept(
    const struct option_set *set, const void *one, const void *other, char *names, size_t size)
{
	size_t length = 0;

	*names = '\0';
	for (size_t i = 0; i < set->count; i++)
		if (set->rows[i].change == OPTION_RESTART && differs(&set->rows[i], one, other) &&
		    length < size)
			length += (size_t)snprintf(names + length, size - length, "%s%s",
			    length ? ", " : "", set->rows[i].name);
	return length > 0;
}

void option_free(const struct option_set *set, void *values)
{
	for (size_t i = 0; i < set->count; i++)
		if (value_is_text(set->rows[i].kind))
			free(*(char **)(void *)((char *)values + set->rows[i].offset));
}

void option_print(const struct option_set *set, FILE *stream)
{
	char name[OPTION_NAME_MAX];

	for (size_t i = 0; i < set->count; i++) {
		const struct option_row *row = &set->rows[i];

		option_words_dash(name, row->name);
		fprintf(stream, "  --%s=%s\n        %s%s\n", name,
		    *row->initial ? row->initial : "...", row->help,
		    row->change == OPTION_RESTART ? "; kept until a restart" : "");
	}
}

static void print_origin(
    const struct option_set *set, const struct option_origins *origins, size_t row, FILE *stream)
{
	const struct option_origin *origin = &origins->rows[row];
	char variable[2 * OPTION_NAME_MAX];

	switch (origin->source) {
	case OPTION_FROM_DEFAULT:
		fputs("# default\n", stream);
		break;
	case OPTION_FROM_FILE:
		fprintf(stream, "# %s:%u\n", origins->file, origin->line);
		break;
	case OPTION_FROM_ENVIRONMENT:
		find_variable(set, set->rows[row].name, variable, sizeof(variable));
		fprintf(stream, "# %s\n", variable);
		break;
	case OPTION_FROM_ARGV:
		fputs("# command line\n", stream);
		break;
	case OPTION_FROM_ELSEWHERE:
		fputs("# the environment of authentik\n", stream);
		break;
	}
}

static bool print_text(
    const struct option_row *row, const char *text, char *(*show)(const char *), FILE *stream)
{
	char *shown = row->kind->secret ? show(text) : strdup(text);

	if (!shown)
		return false;
	if (strcmp(shown, text) != 0)
		fputs("# what is secret is left out\n", stream);
	fprintf(stream, "%s = \"%s\"\n", row->name, shown);
	free(shown);
	return true;
}

bool option_dump(const struct option_set *set, const void *values,
    const struct option_origins *origins, char *(*show)(const char *text), FILE *stream)
{
	char text[VALUE_SIZE];

	for (size_t i = 0; i < set->count; i++) {
		const struct option_row *row = &set->rows[i];
		const void *field = (const char *)values + row->offset;

		print_origin(set, origins, i, stream);
		if (value_is_text(row->kind)) {
			if (!print_text(row, *(const char *const *)field, show, stream))
				return false;
			continue;
		}
		value_print(row->kind, fetch(row, field), text);
		fprintf(stream, "%s = %s\n", row->name, text);
	}
	return true;
}
