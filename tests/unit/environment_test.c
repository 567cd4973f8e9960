/* SPDX-License-Identifier: MIT */
/* authentik's variables become a connection string of libpq's. */
#include "authentik/environment.h"

#include "postgres/conninfo.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct environment environment;
static char error[300];

static void forget(void)
{
	environment_free(&environment);
}

TestSuite(environment, .fini = forget);

static void set(const char *name, const char *value)
{
	char variable[64];

	snprintf(variable, sizeof(variable), "AUTHENTIK_POSTGRESQL__%s", name);
	setenv(variable, value, 1);
}

static const char *read_all(void)
{
	const char *keyword;

	cr_assert(environment_read(&environment, error, sizeof(error)), "%s", error);
	cr_assert_null(conninfo_fault(environment.conninfo, &keyword), "%s", environment.conninfo);
	return environment.conninfo;
}

Test(environment, without_its_variables_says_nothing)
{
	setenv("POSTGRES_PASSWORD", "x", 1);
	set("USER", "");
	cr_assert(environment_read(&environment, error, sizeof(error)));
	cr_assert_null(environment.conninfo);
	cr_assert_null(environment.schema);
}

Test(environment, has_authentiks_defaults)
{
	setenv("POSTGRES_PASSWORD", "x", 1);
	set("HOST", "postgresql");
	cr_assert_str_eq(
	    read_all(), "host='postgresql' dbname='authentik' user='authentik' password='x' ");
}

Test(environment, takes_every_variable)
{
	static const char *const names[] = {
	    "HOST", "PORT", "NAME", "USER", "PASSWORD", "SSLROOTCERT", "SSLCERT", "SSLKEY"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		set(names[i], strcmp(names[i], "PORT") == 0 ? "1" : names[i]);
	set("SSLMODE", "verify-full");
	set("DEFAULT_SCHEMA", "other");
	cr_assert_str_eq(read_all(),
	    "host='HOST' port='1' dbname='NAME' user='USER' password='PASSWORD' "
	    "sslmode='verify-full' sslrootcert='SSLROOTCERT' sslcert='SSLCERT' sslkey='SSLKEY' ");
	cr_assert_str_eq(environment.schema, "other");
}

Test(environment, a_value_with_quotes_and_backslashes_stays_whole)
{
	set("HOST", "a");
	set("PASSWORD", "it's \\ all");
	cr_assert_not_null(strstr(read_all(), "password='it\\'s \\\\ all' "));
}

Test(environment, follows_env_and_its_default)
{
	setenv("ELSEWHERE", "b", 1);
	set("HOST", "env://ELSEWHERE?c");
	set("USER", "env://NOWHERE?d");
	set("NAME", "env://NOWHERE");
	cr_assert_str_eq(read_all(), "host='b' user='d' ");
}

Test(environment, takes_a_uri_apart_as_authentik_does)
{
	static const char *const cases[][2] = {{"env://ELSEWHERE/x?c#d", "b"},
	    {"env://NOWHERE?c#d", "c"}, {"ENV://ELSEWHERE", "b"}, {"\"env://ELSEWHERE\"", "b"},
	    {"env://NOWHERE?a?b", "a?b"}, {"env:ELSEWHERE?c", "c"}, {"\"quoted\"", "quoted"},
	    {"\"", "\""}, {"environment", "environment"}, {"file:/nonexistent?c", "c"},
	    {"file://host/nonexistent?c#d", "c"}, {"x://env?y", "x://env?y"}};

	setenv("ELSEWHERE", "b", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[60];

		set("PASSWORD", cases[i][0]);
		snprintf(expected, sizeof(expected), " password='%s' ", cases[i][1]);
		cr_assert_not_null(
		    strstr(read_all(), expected), "%s: %s", cases[i][0], environment.conninfo);
		environment_free(&environment);
	}
}

Test(environment, refuses_escapes_in_quotes_and_does_not_tell_them)
{
	set("PASSWORD", "\"a\\\"b\"");
	cr_assert_not(environment_read(&environment, error, sizeof(error)));
	cr_assert_str_eq(error, "AUTHENTIK_POSTGRESQL__PASSWORD: a value in quotes, with more of "
				"them or a backslash within");
}

Test(environment, lists_the_variables_that_it_does_not_use)
{
	char names[100];

	set("HOST", "a");
	set("DEFAULT_SCHEMA", "b");
	cr_assert_not(environment_list_unused(names, sizeof(names)));
	set("READ_REPLICAS__0__HOST", "c");
	set("HOSTS", "d");
	cr_assert(environment_list_unused(names, sizeof(names)));
	cr_assert_str_eq(
	    names, "AUTHENTIK_POSTGRESQL__READ_REPLICAS__0__HOST, AUTHENTIK_POSTGRESQL__HOSTS");
}

Test(environment, follows_a_file_and_strips_it)
{
	char path[] = "/tmp/environment_test.XXXXXX", uri[64];
	int file = mkstemp(path);

	cr_assert_eq(write(file, " secret word \n", 14), 14);
	close(file);
	snprintf(uri, sizeof(uri), "file://%s", path);
	set("HOST", "a");
	set("PASSWORD", uri);
	read_all();
	unlink(path);
	cr_assert_not_null(strstr(environment.conninfo, "password='secret word' "));
}

Test(environment, names_a_file_that_cannot_be_read_and_takes_its_default)
{
	set("PASSWORD", "file:///nonexistent/file");
	cr_assert_not(environment_read(&environment, error, sizeof(error)));
	cr_assert_str_eq(error, "AUTHENTIK_POSTGRESQL__PASSWORD: reading the file "
				"/nonexistent/file: No such file or directory");
	environment_free(&environment);
	set("PASSWORD", "file:///nonexistent/file?x");
	cr_assert_not_null(strstr(read_all(), "password='x' "));
}

Test(environment, refuses_what_is_too_long_and_does_not_tell_it)
{
	char *text = calloc(1, 5001);

	memset(text, 'x', 5000);
	set("PASSWORD", text);
	free(text);
	cr_assert_not(environment_read(&environment, error, sizeof(error)));
	cr_assert_str_eq(error, "AUTHENTIK_POSTGRESQL__PASSWORD: the value is too long");
}
