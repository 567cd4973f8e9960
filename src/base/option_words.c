/* SPDX-License-Identifier: MIT */
/* Reads argv by getopt_long. */
#include "base/option_words.h"

#include "base/option_row.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

/* What getopt_long returns: a letter, or one of these and what follows. */
enum { CODE_CONFIG = 0x100, CODE_ROW, CODE_COMMAND = CODE_ROW + OPTION_ROWS_MAX };

enum { COMMANDS_MAX = 8, LETTERS_MAX = 5, WORDS_MAX = 1 + OPTION_ROWS_MAX + COMMANDS_MAX };

/* argv's words, as getopt_long wants them. */
struct words {
	struct option options[WORDS_MAX + 1];
	size_t count;
	char names[OPTION_ROWS_MAX][OPTION_NAME_MAX];
	char letters[COMMANDS_MAX + 2];
};

void option_words_dash(char *to, const char *name)
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
		option_words_dash(words->names[i], set->rows[i].name);
		add_word(words, words->names[i], required_argument, CODE_ROW + i);
	}
	*letter++ =
	    '+'; /* or it would reorder argv, which then no longer shows what it stopped at */
	for (int i = 0; set->commands[i].name; i++) {
		if (set->commands[i].variant)
			continue;
		add_word(words, set->commands[i].name,
		    set->commands[i + 1].variant ? optional_argument : no_argument,
		    CODE_COMMAND + i);
		if (set->commands[i].letter)
			*letter++ = (char)set->commands[i].letter;
	}
}

/* NULL where there is none with that code, or it has no such variant; NULL is itself. */
static const struct option_command *find_command(
    const struct option_set *set, int code, const char *variant)
{
	const struct option_command *command = set->commands;

	while (command->name && code != CODE_COMMAND + (int)(command - set->commands) &&
	       code != command->letter)
		command++;
	if (!command->name || !variant)
		return command->name ? command : NULL;
	while ((++command)->variant)
		if (strcmp(command->variant, variant) == 0)
			return command;
	return NULL;
}

static bool read_word(const struct option_set *set, struct option_words *line, int code)
{
	if (code == CODE_CONFIG)
		line->file = optarg;
	else if (code >= CODE_ROW && code < CODE_COMMAND)
		line->values[code - CODE_ROW] = optarg;
	else
		line->command = find_command(set, code, optarg);
	return code != '?' && (code < CODE_COMMAND || line->command);
}

static bool refuse_name(struct option_loader *loader, const char *name)
{
	const struct option_row *meant = option_row_guess(loader->set, name + strspn(name, "-"));
	char word[OPTION_NAME_MAX] = "";

	if (meant)
		option_words_dash(word, meant->name);
	if (!meant || name[1] != '-' || strcmp(word, name + 2) == 0)
		return option_row_refuse(
		    loader, "command line: %s is no option, or its value is missing", name);
	return option_row_refuse(
	    loader, "command line: %s is no option; did you mean --%s?", name, word);
}

/* Of a word that is no option its name is told at most: the value may be a secret. */
static bool refuse_word(struct option_loader *loader, char **argv, int place)
{
	char name[OPTION_NAME_MAX] = "";
	const char *word = argv[place];
	size_t length = strcspn(word, "=");

	if (length < (word[1] == '-' ? sizeof(name) : LETTERS_MAX))
		memcpy(name, word, length);
	if (*name && option_row_is_name(name))
		return refuse_name(loader, name);
	return option_row_refuse(loader, "command line: argument %d is no option", place);
}

bool option_words_read(
    struct option_loader *loader, struct option_words *line, int argc, char **argv)
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
	       option_row_refuse(loader,
		   "command line: argument %d is no option: a value with spaces is to stand in "
		   "quotes of the shell",
		   optind);
}
