/* SPDX-License-Identifier: MIT */
/* Fills a struct, a row at a time, from defaults, file, environment and argv. */
#include "base/option.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What getopt_long returns: a letter, or one of these and what follows. */
enum { CODE_CONFIG = 0x100, CODE_ROW, CODE_COMMAND = CODE_ROW + OPTION_ROWS_MAX };

enum { COMMANDS_MAX = 8, LETTERS_MAX = 5, WORDS_MAX = 1 + OPTION_ROWS_MAX + COMMANDS_MAX };

/* What argv says; the texts are its own. */
struct command_line {
	const char *values[OPTION_ROWS_MAX]; /* by row; NULL: not given */
	const char *file;
	const struct option_command *command;
};

/* argv's words, as getopt_long wants them. */
struct words {
	struct option options[WORDS_MAX + 1];
	size_t count;
	char names[OPTION_ROWS_MAX][OPTION_NAME_MAX];
	char letters[COMMANDS_MAX + 2];
};

static bool refuse(struct option_loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct option_loader *loader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(loader->error, loader->size, format, arguments);
	va_end(arguments);
	return false;
}

static bool replace_text(const char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free((char *)*field);
	*field = copy;
	return true;
}

static void store(const struct option_row *row, void *field, uint64_t number)
{
	uint32_t narrow = (uint32_t)number;

	assert(row->size == sizeof(number) ||
	       (row->size == sizeof(narrow) && row->most <= UINT32_MAX));
	if (row->size == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &number, sizeof(number));
}

static bool assign(void *values, const struct option_row *row, const char *text)
{
	void *field = (char *)values + row->offset;
	uint64_t number;

	if (row->kind == &value_text)
		return replace_text(field, text);
	if (!value_parse(row->kind, text, &number) || number < row->least || number > row->most)
		return false;
	store(row, field, number);
	return true;
}

static bool take(struct option_loader *loader, const struct option_row *row, const char *value,
    const char *place)
{
	if (assign(loader->values, row, value))
		return true;
	if (row->kind == &value_text) /* it may be a secret */
		return refuse(loader, "%s: no memory for %s", place, row->name);
	return refuse(
	    loader, "%s: %s is to be %s, not \"%s\"", place, row->name, row->kind->form, value);
}

static bool load_defaults(struct option_loader *loader)
{
	const struct option_set *set = loader->set;

	for (size_t i = 0; i < set->count; i++)
		if (!assign(loader->values, &set->rows[i], set->rows[i].initial))
			return refuse(loader, "no memory for the settings");
	return true;
}

static const struct option_row *find_row(const struct option_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->rows[i].name, name) == 0)
			return &set->rows[i];
	return NULL;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

/* Has it the form of a setting's name? What has not may be a secret that went astray. */
static bool is_name(const char *text)
{
	size_t length =
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return length < OPTION_NAME_MAX && !text[length];
}

static bool load_line(struct option_loader *loader, char *line, const char *place)
{
	const struct option_row *row;
	char *name = trim(line), *value = strchr(name, '=');

	if (*name == '\0' || *name == '#')
		return true;
	if (!value)
		return refuse(loader, "%s: a line is to be \"name = value\"", place);
	*value++ = '\0';
	name = trim(name);
	row = find_row(loader->set, name);
	if (row)
		return take(loader, row, trim(value), place);
	return is_name(name) ? refuse(loader, "%s: unknown setting \"%s\"", place, name)
			     : refuse(loader, "%s: what stands before \"=\" is no name", place);
}

/*
 * Our own reader: Debian's libinih splits a line at 200 bytes and cuts a value at " ;" (both seen),
 * and a connection string may be longer and may hold either.
 */
static bool load_file(struct option_loader *loader, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, place[512];
	size_t capacity = 0, number = 0;
	bool good = true;

	if (!file)
		return refuse(loader, "opening the settings file %s: %s", path, strerror(errno));
	errno = 0;
	while (good && getline(&line, &capacity, file) >= 0) {
		snprintf(place, sizeof(place), "%s:%zu", path, ++number);
		good = load_line(loader, line, place);
	}
	if (good && ferror(file))
		good = refuse(loader, "reading the settings file %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
	return good;
}

/*
 * The value of the variable of that name in capitals, which is left in place (size bytes), or
 * NULL.
 */
static const char *find_variable(
    const struct option_set *set, const char *name, char *place, size_t size)
{
	int length = snprintf(place, size, "%s%s", set->prefix, name);

	assert((size_t)length < size);
	for (char *c = place; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return getenv(place);
}

/* Variables of other names are not ours to judge: orchestrators add some of their own
 * (PREFIX_PORT=tcp://...).
 */
static bool load_environment(struct option_loader *loader)
{
	const struct option_set *set = loader->set;

	for (size_t i = 0; i < set->count; i++) {
		char place[2 * OPTION_NAME_MAX];
		const char *value = find_variable(set, set->rows[i].name, place, sizeof(place));

		if (value && !take(loader, &set->rows[i], value, place))
			return false;
	}
	return true;
}

static void dash(char *to, const char *name)
{
	assert(strlen(name) < OPTION_NAME_MAX);
	for (; *name; name++)
		*to++ = *name == '_' ? '-' : *name;
	*to = '\0';
}

static void add_word(struct words *words, const char *name, int has_value, int code)
{
	assert(words->count < WORDS_MAX);
	words->options[words->count++] = (struct option){name, has_value, NULL, code};
}

static void list_words(struct words *words, const struct option_set *set)
{
	char *letter = words->letters;

	assert(set->count <= OPTION_ROWS_MAX);
	add_word(words, "config", required_argument, CODE_CONFIG);
	for (int i = 0; i < (int)set->count; i++) {
		dash(words->names[i], set->rows[i].name);
		add_word(words, words->names[i], required_argument, CODE_ROW + i);
	}
	*letter++ =
	    '+'; /* or it would reorder argv, which then no longer shows what it stopped at */
	for (int i = 0; set->commands[i].name; i++) {
		add_word(words, set->commands[i].name, no_argument, CODE_COMMAND + i);
		if (set->commands[i].letter)
			*letter++ = (char)set->commands[i].letter;
	}
}

static const struct option_command *find_command(const struct option_set *set, int code)
{
	for (int i = 0; set->commands[i].name; i++)
		if (code == CODE_COMMAND + i || code == set->commands[i].letter)
			return &set->commands[i];
	return NULL;
}

static bool read_word(const struct option_set *set, struct command_line *line, int code)
{
	if (code == CODE_CONFIG)
		line->file = optarg;
	else if (code >= CODE_ROW && code < CODE_COMMAND)
		line->values[code - CODE_ROW] = optarg;
	else
		line->command = find_command(set, code);
	return code != '?';
}

/* Of a word that is no option its name is told at most: the value may be a secret. */
static bool refuse_word(struct option_loader *loader, char **argv, int place)
{
	char name[OPTION_NAME_MAX] = "";
	const char *word = argv[place];
	size_t length = strcspn(word, "=");

	if (length < (word[1] == '-' ? sizeof(name) : LETTERS_MAX))
		memcpy(name, word, length);
	if (*name && is_name(name))
		return refuse(
		    loader, "command line: %s is no option, or its value is missing", name);
	return refuse(loader, "command line: argument %d is no option", place);
}

static bool read_command_line(
    struct option_loader *loader, struct command_line *line, int argc, char **argv)
{
	struct words words = {0};
	int code, at = 1;

	list_words(&words, loader->set);
	opterr = 0;
	optind = 0;
	while ((code = getopt_long(argc, argv, words.letters, words.options, NULL)) >= 0) {
		if (!read_word(loader->set, line, code))
			return refuse_word(loader, argv, at);
		at = optind;
	}
	return optind >= argc ||
	       refuse(loader,
		   "command line: argument %d is no option: a value with spaces is to stand in "
		   "quotes of the shell",
		   optind);
}

static bool load_command_line(struct option_loader *loader, const struct command_line *line)
{
	for (size_t i = 0; i < loader->set->count; i++)
		if (line->values[i] &&
		    !take(loader, &loader->set->rows[i], line->values[i], "command line"))
			return false;
	return true;
}

bool option_load(struct option_loader *loader, int argc, char **argv)
{
	struct command_line line = {0};
	char variable[2 * OPTION_NAME_MAX];

	line.file = find_variable(loader->set, "config", variable, sizeof(variable));
	if (!load_defaults(loader) || (argc && !read_command_line(loader, &line, argc, argv)))
		return false;
	loader->command = line.command ? line.command->code : 0;
	if (line.command && line.command->alone)
		return true;
	return (!line.file || !*line.file || load_file(loader, line.file)) &&
	       load_environment(loader) && load_command_line(loader, &line);
}

static bool differs(const struct option_row *row, const void *one, const void *other)
{
	const char *a = (const char *)one + row->offset, *b = (const char *)other + row->offset;

	if (row->kind == &value_text)
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
		if (set->rows[i].kind == &value_text)
			free(*(char **)(void *)((char *)values + set->rows[i].offset));
}

void option_print(const struct option_set *set, FILE *stream)
{
	char name[OPTION_NAME_MAX];

	for (size_t i = 0; i < set->count; i++) {
		const struct option_row *row = &set->rows[i];

		dash(name, row->name);
		fprintf(stream, "  --%s=%s\n        %s%s\n", name,
		    *row->initial ? row->initial : "...", row->help,
		    row->change == OPTION_RESTART ? "; kept until a restart" : "");
	}
}
