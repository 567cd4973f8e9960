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

static const struct option_command commands[] = {{"show", 's', 5, false, NULL},
    {"test", 0, 7, false, NULL}, {"test", 0, 8, false, "all"}, {"usage", 'u', 6, true, NULL},
    {NULL, 0, 0, false, NULL}};
static const struct option_set set = {
    "OPTION_TEST_", rows, sizeof(rows) / sizeof(rows[0]), commands};

static struct values values;
static struct option_origins origins;
static char error[400];
static struct option_loader loader = {
    .set = &set, .values = &values, .origins = &origins, .error = error, .size = sizeof(error)};

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

static bool load_with_bytes(const char *content, size_t size, const char *line)
{
	char argument[400];
	int file;
	bool good;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	file = mkstemp(path);
	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, content, size), (ssize_t)size);
	close(file);
	snprintf(argument, sizeof(argument), "--config=%s %s", path, line);
	good = load(argument);
	unlink(path);
	return good;
}

static bool load_with_file(const char *content, const char *line)
{
	return load_with_bytes(content, strlen(content), line);
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

Test(option, a_command_may_have_a_variant)
{
	cr_assert(load("--test"));
	cr_assert_eq(loader.command, 7);
	cr_assert(load("--test=all"));
	cr_assert_eq(loader.command, 8);
	cr_assert_not(load("--test=some"));
	cr_assert_str_eq(error, "command line: --test is no option, or its value is missing");
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

Test(option, a_misspelt_name_is_told_what_was_meant)
{
	cr_assert_not(load_with_file("narow = 1\n", ""));
	cr_assert_str_eq(
	    strchr(error, ':'), ":1: unknown setting \"narow\"; did you mean \"narrow\"?");
	cr_assert_not(load_with_file("harbour = 1\n", ""));
	cr_assert_str_eq(strchr(error, ':'), ":1: unknown setting \"harbour\"");
	cr_assert_not(load("--narow=1"));
	cr_assert_str_eq(error, "command line: --narow is no option; did you mean --narrow?");
	setenv("OPTION_TEST_NAROW", "1", 1);
	cr_assert_not(load(""));
	cr_assert_str_eq(
	    error, "OPTION_TEST_NAROW: unknown setting; did you mean OPTION_TEST_NARROW?");
}

Test(option, a_variable_in_small_letters_is_no_setting)
{
	setenv("OPTION_TEST_narrow", "1", 1);
	cr_assert_not(load(""));
	cr_assert_str_eq(
	    error, "OPTION_TEST_narrow: unknown setting; did you mean OPTION_TEST_NARROW?");
}

Test(option, variables_of_others_with_our_prefix_and_empty_ones_are_none)
{
	setenv("OPTION_TEST_PORT", "tcp://192.0.2.1:80", 1);
	setenv("OPTION_TEST_SERVICE_HOST_OF_A_VERY_LONG_NAME_THAT_NO_SETTING_HAS", "x", 1);
	setenv("OPTION_TEST_NARROW", "", 1);
	setenv("OPTION_TEST_LABEL", "", 1);
	cr_assert(load(""));
	cr_assert_eq(values.narrow, 7);
	cr_assert_str_eq(values.label, "x");
}

Test(option, a_byte_order_mark_and_crlf_are_passed_over)
{
	cr_assert(load_with_file("\xef\xbb\xbfnarrow = 3\r\nlabel = a b \r\n", ""));
	cr_assert_eq(values.narrow, 3);
	cr_assert_str_eq(values.label, "a b");
	cr_assert(load_with_file("\xef\xbb\xbf# only a comment", ""));
}

Test(option, a_file_that_is_no_text_is_refused_and_says_why)
{
	cr_assert_not(load_with_bytes("\xff\xfen\0a\0\n\0", 8, ""));
	cr_assert_str_eq(strchr(error, ':'), ":1: the file is UTF-16, and is to be UTF-8");
	cr_assert_not(load_with_bytes("narrow = 1\nlabel = a\0b\n", 23, ""));
	cr_assert_str_eq(strchr(error, ':'), ":2: the line holds a NUL byte");
	cr_assert_not(load("--config=/"));
	cr_assert_not_null(
	    strstr(error, "reading the settings file /: Is a directory"), "%s", error);
}

Test(option, quotes_around_a_value_are_taken_off_in_file_and_environment)
{
	cr_assert(load_with_file("label = \"a # b \"\nnarrow = '3'\n", ""));
	cr_assert_str_eq(values.label, "a # b ");
	cr_assert_eq(values.narrow, 3);
	cr_assert(load_with_file("label = \"a \"and\" b\"", ""));
	cr_assert_str_eq(values.label, "a \"and\" b");
	setenv("OPTION_TEST_LABEL", "'c'", 1);
	cr_assert(load(""));
	cr_assert_str_eq(values.label, "c");
	cr_assert(load("--label='d'"));
	cr_assert_str_eq(values.label, "'d'");
}

Test(option, a_quote_without_its_end_is_refused_and_the_value_not_told)
{
	cr_assert_not(load_with_file("label = \"secret", ""));
	cr_assert_str_eq(strchr(error, ':'),
	    ":1: the value of label starts with a quote and does not end with it");
	cr_assert_not(load_with_file("label = '", ""));
	setenv("OPTION_TEST_LABEL", "\"secret", 1);
	cr_assert_not(load(""));
	cr_assert_str_eq(
	    error, "OPTION_TEST_LABEL: the value starts with a quote and does not end with it");
}

Test(option, a_comment_behind_a_value_is_refused_and_one_in_quotes_is_the_value)
{
	static const char fault[] =
	    ":1: a comment is to stand on a line of its own, and a value with # in quotes";

	cr_assert_not(load_with_file("narrow = 3 # three", ""));
	cr_assert_str_eq(strchr(error, ':'), fault);
	cr_assert_not(load_with_file("label = a\t#b", ""));
	cr_assert_str_eq(strchr(error, ':'), fault);
	cr_assert_not(load_with_file("label = # none", ""));
	cr_assert_str_eq(strchr(error, ':'), fault);
	cr_assert(load_with_file("label = a#b ;c", ""));
	cr_assert_str_eq(values.label, "a#b ;c");
}

Test(option, a_name_that_stands_twice_in_the_file_is_refused)
{
	cr_assert_not(load_with_file("narrow = 3\n\nnarrow = 3\n", ""));
	cr_assert_str_eq(strchr(error, ':'), ":3: narrow stands there twice, first in line 1");
}

static char *show_stars(const char *text)
{
	return strdup(*text ? "***" : "");
}

static const struct value_kind secret = {.form = "a secret", .secret = true};
static const struct option_row dump_rows[] = {
    ROW(label, &secret, "", 0, 0, OPTION_RESTART),
    ROW(narrow, &value_mode, "0660", 1, UINT32_MAX, OPTION_RELOAD),
    ROW(colour, &colour, "green", 0, 1, OPTION_RELOAD),
    ROW(wait, &value_duration, "90s", 0, UINT64_MAX, OPTION_RELOAD),
};
static const struct option_set dump_set = {
    "OPTION_TEST_", dump_rows, sizeof(dump_rows) / sizeof(dump_rows[0]), commands};

static const char *dump(void)
{
	static char text[1000];
	FILE *stream = fmemopen(text, sizeof(text), "w");

	cr_assert(option_dump(&dump_set, &values, &origins, show_stars, stream));
	fclose(stream);
	return text;
}

Test(option, a_dump_says_where_each_value_came_from_and_shows_no_secret)
{
	loader.set = &dump_set;
	cr_assert(load(""));
	cr_assert_str_eq(dump(), "# default\nlabel = \"\"\n# default\nnarrow = 0660\n"
				 "# default\ncolour = green\n# default\nwait = 90s\n");
	setenv("OPTION_TEST_COLOUR", "red", 1);
	cr_assert(load("--label=password --wait=120s --narrow=07"));
	cr_assert_str_eq(dump(),
	    "# command line\n# what is secret is left out\nlabel = \"***\"\n"
	    "# command line\nnarrow = 0007\n# OPTION_TEST_COLOUR\ncolour = red\n"
	    "# command line\nwait = 2min\n");
	loader.set = &set;
}

Test(option, a_dump_is_a_file_that_says_the_same)
{
	char text[1000];

	loader.set = &dump_set;
	setenv("OPTION_TEST_WAIT", "1500ms", 1);
	cr_assert(load_with_file("colour = red\n", "--narrow=0600"));
	snprintf(text, sizeof(text), "%s", dump());
	cr_assert_not_null(strstr(text, ":1\ncolour = red\n"), "%s", text);
	unsetenv("OPTION_TEST_WAIT");
	cr_assert(load_with_file(text, ""), "%s", error);
	cr_assert_eq(values.narrow, 0600);
	cr_assert_eq(values.colour, 0);
	cr_assert_eq(values.wait, 1500);
	loader.set = &set;
}
