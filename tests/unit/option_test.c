/* SPDX-License-Identifier: MIT */
/* Rows are filled from each place, and what does not fit is named. */
#include "base/option.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
	const char *label;
	unsigned narrow, colour;
	uint64_t wait;
};

static const char *const colours[] = {"red", "green", NULL};
static const struct value_kind colour = {.form = "red or green", .words = colours};

#define ROW(name, kind, initial, least, most, change)                                              \
	{                                                                                          \
#name, kind, offsetof(struct values, name), sizeof(((struct values *)NULL)->name), \
		    initial, least, most, change, "help of " #name                                 \
	}

static const struct option_row rows[] = {
    ROW(label, &value_text, "x", 0, 0, OPTION_RESTART),
    ROW(narrow, &value_count, "7", 1, UINT32_MAX, OPTION_RELOAD),
    ROW(colour, &colour, "green", 0, 1, OPTION_RELOAD),
    ROW(wait, &value_duration, "1s", 0, UINT64_MAX, OPTION_RELOAD),
};

static const struct option_command commands[] = {
    {"show", 's', 5, false}, {"usage", 'u', 6, true}, {NULL, 0, 0, false}};
static const struct option_set set = {
    "OPTION_TEST_", rows, sizeof(rows) / sizeof(rows[0]), commands};

static struct values values;
static char error[400];
static struct option_loader loader = {
    .set = &set, .values = &values, .error = error, .size = sizeof(error)};

static void forget(void)
{
	option_free(&set, &values);
	values = (struct values){0};
}

TestSuite(option, .fini = forget);

/* Loads with the words of argv, which a space parts. */
static bool load(const char *line)
{
	char text[400], *argv[10] = {(char *)"program"}, *word;
	int argc = 1;

	forget();
	snprintf(text, sizeof(text), "%s", line);
	for (word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return option_load(&loader, argc, argv);
}

Test(option, values_fill_members_of_every_width)
{
	cr_assert(load(""));
	cr_assert_str_eq(values.label, "x");
	cr_assert_eq(values.narrow, 7);
	cr_assert_eq(values.colour, 1);
	cr_assert_eq(values.wait, 1000);
	cr_assert(load("--narrow=4294967295 --colour=red --wait=100000000h"));
	cr_assert_eq(values.narrow, UINT32_MAX);
	cr_assert_eq(values.colour, 0);
	cr_assert_eq(values.wait, 360000000000000);
}

Test(option, values_out_of_their_limits_are_refused_and_named)
{
	static const char *const mistakes[] = {"--narrow=4294967296", "--narrow=0", "--narrow=-1",
	    "--narrow= 1", "--narrow=", "--colour=blue", "--colour=", "--wait=1", "--wait=1 s",
	    "--wait=99999999999999999h"};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *argv[] = {(char *)"program", (char *)mistakes[i], NULL};

		forget();
		cr_assert_not(option_load(&loader, 2, argv), "%s", mistakes[i]);
		cr_assert_eq(strncmp(error, "command line: ", 14), 0, "%s", error);
	}
	cr_assert_not(load("--colour=blue"));
	cr_assert_str_eq(error, "command line: colour is to be red or green, not \"blue\"");
}

static char path[] = "/tmp/option_test.XXXXXX";

static bool load_with_file(const char *content, const char *line)
{
	char argument[400];
	int file = mkstemp(path);
	bool good;

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, content, strlen(content)), (ssize_t)strlen(content));
	close(file);
	snprintf(argument, sizeof(argument), "--config=%s %s", path, line);
	good = load(argument);
	unlink(path);
	return good;
}

Test(option, argv_wins_over_the_environment_and_that_over_the_file)
{
	setenv("OPTION_TEST_NARROW", "2", 1);
	setenv("OPTION_TEST_LABEL", "environment", 1);
	cr_assert(load_with_file("narrow = 3\nlabel = file\ncolour = red\n", "--narrow=1"));
	cr_assert_eq(values.narrow, 1);
	cr_assert_str_eq(values.label, "environment");
	cr_assert_eq(values.colour, 0);
	cr_assert_eq(values.wait, 1000);
}

Test(option, mistakes_name_their_place_even_where_another_source_would_win)
{
	cr_assert_not(load_with_file("\nnarrow = none\n", "--narrow=1"));
	cr_assert_str_eq(strchr(error, ':'),
	    ":2: narrow is to be a whole number within its limits, not \"none\"");
	setenv("OPTION_TEST_NARROW", "none", 1);
	cr_assert_not(load("--narrow=1"));
	cr_assert_eq(strncmp(error, "OPTION_TEST_NARROW: narrow is", 29), 0, "%s", error);
}

Test(option, the_environment_may_name_the_file_and_an_empty_name_is_none)
{
	setenv("OPTION_TEST_CONFIG", "/nonexistent/file", 1);
	cr_assert_not(load(""));
	cr_assert_str_eq(
	    error, "opening the settings file /nonexistent/file: No such file or directory");
	cr_assert(load("--config="));
	setenv("OPTION_TEST_CONFIG", "", 1);
	cr_assert(load(""));
}

Test(option, the_last_command_counts_and_one_alone_loads_nothing)
{
	cr_assert(load("--usage -s"));
	cr_assert_eq(loader.command, 5);
	cr_assert(load("-su --config=/nonexistent --narrow=none"));
	cr_assert_eq(loader.command, 6);
	cr_assert_not(load("-us --narrow=none"));
	cr_assert(load(""));
	cr_assert_eq(loader.command, 0);
}

Test(option, words_that_are_none_are_named)
{
	static const char *const mistakes[][2] = {
	    {"--narrow=1 --nonsense", "--nonsense is no option"}, {"-s -xs", "-xs is no option"},
	    {"-sx", "-sx is no option"}, {"--wait", "--wait is no option"},
	    {"--show=1", "--show is no option"}, {"--narrow=1 extra -x", "argument 2 is no option"},
	    {"-W show", "-W is no option"}, {"-- extra", "argument 2 is no option"},
	    {"--secret'word=x", "argument 1 is no option"}};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		cr_assert_not(load(mistakes[i][0]), "%s", mistakes[i][0]);
		cr_assert_not_null(strstr(error, mistakes[i][1]), "%s", error);
	}
}

Test(option, rows_are_printed_with_default_help_and_what_a_restart_takes)
{
	char text[1000] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	option_print(&set, stream);
	fclose(stream);
	cr_assert_eq(
	    strncmp(text,
		"  --label=x\n        help of label; kept until a restart\n  --narrow=7\n", 69),
	    0, "%s", text);
	cr_assert_not_null(strstr(text, "help of narrow\n"));
}
