/* SPDX-License-Identifier: MIT */
/* The settings have their defaults, their order of places and their limits. */
#include "settings.h"

#include "postgres/conninfo.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct settings settings;
static char error[SETTINGS_ERROR_SIZE], program[] = "event-matcher-fcgi", help[] = "--help";

static void forget(void)
{
	settings_free(&settings);
}

TestSuite(settings, .fini = forget);

static enum settings_action load(const char *argument)
{
	char *argv[] = {program, (char *)argument, NULL};

	return settings_load(&settings, argument ? 2 : 1, argv, error);
}

Test(settings, have_defaults)
{
	cr_assert_eq(load(NULL), SETTINGS_RUN);
	cr_assert_str_eq(settings.listen, "");
	cr_assert_str_eq(settings.base_path, "/api/v3");
	cr_assert_eq(settings.listen_mode, 0660);
	cr_assert_eq(settings.request_timeout, 2000);
	cr_assert_eq(settings.idle_timeout, 300000);
	cr_assert_eq(settings.max_unsent, 64 << 20);
	cr_assert_eq(settings.log_level, LOG_LEVEL_INFO);
}

Test(settings, default_to_a_worker_a_core_and_at_most_4)
{
	cr_assert_eq(load(NULL), SETTINGS_RUN);
	cr_assert(settings.workers >= 1 && settings.workers <= 4);
}

Test(settings, are_read_with_their_units)
{
	cr_assert_eq(load("--request-timeout=1500ms"), SETTINGS_RUN);
	cr_assert_eq(settings.request_timeout, 1500);
	settings_free(&settings);
	cr_assert_eq(load("--max-unsent=1GiB"), SETTINGS_RUN);
	cr_assert_eq(settings.max_unsent, 1 << 30);
}

Test(settings, that_are_mistaken_are_named)
{
	static const char *const mistakes[] = {"--request-timeout=2", "--request-timeout=2S",
	    "--request-timeout=-2s", "--request-timeout=0ms",
	    "--request-timeout=99999999999999999999s", "--listen-mode=8", "--listen-mode=01000",
	    "--workers=", "--workers= 2", "--workers=65", "--max-unsent=1KB", "--log-level=Info",
	    "--base-path=/x/"};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		cr_assert_eq(load(mistakes[i]), SETTINGS_INVALID, "%s", mistakes[i]);
		cr_assert_not_null(strstr(error, " to "), "%s", error);
		settings_free(&settings);
	}
}

Test(settings, of_the_environment_are_read_and_argv_wins)
{
	setenv("EVENT_MATCHER_WORKERS", "3", 1);
	setenv("EVENT_MATCHER_LISTEN", "unix:/a", 1);
	cr_assert_eq(load("--workers=2"), SETTINGS_RUN);
	cr_assert_eq(settings.workers, 2);
	cr_assert_str_eq(settings.listen, "unix:/a");
}

Test(settings, without_argc_argv_is_not_looked_at)
{
	char *argv[] = {program, help, NULL};

	cr_assert_eq(settings_load(&settings, 0, argv, error), SETTINGS_RUN);
}

Test(settings, short_and_long_words_ask_for_the_same)
{
	cr_assert_eq(load("-h"), SETTINGS_HELP);
	settings_free(&settings);
	cr_assert_eq(load("--help"), SETTINGS_HELP);
	settings_free(&settings);
	cr_assert_eq(load("-V"), SETTINGS_VERSION);
	settings_free(&settings);
	cr_assert_eq(load("--version"), SETTINGS_VERSION);
	settings_free(&settings);
	cr_assert_eq(load("--check"), SETTINGS_CHECK);
}

Test(settings, of_help_are_not_looked_at)
{
	setenv("EVENT_MATCHER_WORKERS", "many", 1);
	cr_assert_eq(load("-h"), SETTINGS_HELP);
	settings_free(&settings);
	cr_assert_eq(load("--check"), SETTINGS_INVALID);
}

Test(settings, reach_their_limits_and_not_beyond)
{
	cr_assert_eq(load("--max-unsent=1024GiB"), SETTINGS_RUN);
	cr_assert_eq(settings.max_unsent, (size_t)1 << 40);
	settings_free(&settings);
	cr_assert_eq(load("--idle-timeout=24h"), SETTINGS_RUN);
	cr_assert_eq(settings.idle_timeout, 86400000);
	settings_free(&settings);
	cr_assert_eq(load("--max-connections=1000001"), SETTINGS_INVALID);
	settings_free(&settings);
	cr_assert_eq(load("--listen-mode=0777"), SETTINGS_RUN);
	cr_assert_eq(settings.listen_mode, 0777);
	settings_free(&settings);
	cr_assert_eq(load("--log-level=debug"), SETTINGS_RUN);
	cr_assert_eq(settings.log_level, LOG_LEVEL_DEBUG);
}

Test(settings, that_are_kept_until_a_restart_say_so_in_the_help)
{
	char text[8192] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	settings_print_help(stream);
	fclose(stream);
	cr_assert_not_null(strstr(
	    text, "--listen-mode=0660\n        mode of the unix socket; kept until a restart\n"));
	cr_assert_not_null(
	    strstr(text, "--schema=public\n        schema that holds authentik's tables\n"));
}

/* Tests run side by side: each has a file of its own. */
static char path[] = "/tmp/settings_test.XXXXXX";

static enum settings_action load_file(const char *text)
{
	enum settings_action action;
	char argument[64];
	int file = mkstemp(path);

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
	close(file);
	snprintf(argument, sizeof(argument), "--config=%s", path);
	action = load(argument);
	unlink(path);
	return action;
}

Test(settings, of_a_file_keep_any_value_whole)
{
	cr_assert_eq(load_file("# comment\n\n  schema =  a = b ;c#d  \nworkers=1"), SETTINGS_RUN);
	cr_assert_str_eq(settings.schema, "a = b ;c#d");
	cr_assert_eq(settings.workers, 1);
}

Test(settings, of_a_file_that_are_unknown_are_named_with_their_line)
{
	cr_assert_eq(load_file("workers = 1\n\nworker = 2\n"), SETTINGS_INVALID);
	cr_assert_str_eq(
	    strchr(error, ':'), ":3: unknown setting \"worker\"; did you mean \"workers\"?");
}

Test(settings, are_dumped_without_a_password)
{
	char text[16384] = "";
	FILE *stream = fmemopen(text, sizeof(text), "w");

	cr_assert_eq(load("--database=host=a password='secret word' dbname=em"), SETTINGS_RUN);
	cr_assert(settings_dump(&settings, conninfo_show, stream));
	fclose(stream);
	cr_assert_null(strstr(text, "secret word"));
	cr_assert_not_null(
	    strstr(text, "# command line\n# what is secret is left out\ndatabase = \"dbname="),
	    "%s", text);
	cr_assert_not_null(strstr(text, "# default\nschema = \"public\"\n"));
	cr_assert_not_null(strstr(text, "request_timeout = 2s\n"));
}
