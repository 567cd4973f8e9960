/* SPDX-License-Identifier: MIT */
/* Faults of connection strings are found before libpq meets them, and none of their text is told. */
#include "postgres/conninfo.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *fault_of(const char *text)
{
	const char *keyword;

	return conninfo_fault(text, &keyword);
}

Test(conninfo, good_ones_are_taken)
{
	static const char *const good[] = {"", "em", "dbname=em", "host=a,b port=5432,",
	    "password='two words' host=/tmp", "postgresql://", "postgres://u:p%40w@db:5432/em",
	    "postgresql://u:p:w@[::1]:5432/em?sslmode=require&connect_timeout=3",
	    "postgresql://h1:1,h2:2/em?target_session_attrs=any", "postgresql:///em?user=a@b",
	    "postgresql://u:a?b#c@db/em", "service=x", "port='' host=a sslmode=verify-full",
	    "password=a@b/c:d user=x",
	    "host=/run/a+b,@abstract,::1,fe80::1%eth0,db.example hostaddr=",
	    "host=größe.example user=a@b dbname='a b;c'"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert_null(fault_of(good[i]), "%s: %s", good[i], fault_of(good[i]));
}

Test(conninfo, a_bad_one_is_refused_and_no_part_of_it_is_told)
{
	static const char *const bad[] = {"postgresql://u:p@secretword@db/em",
	    "postgresql://u:secret%word@db/em", "password=two secretwords",
	    "postgresql://u:secret/word@db/em", "postgresql://u:x@secret/word@db/em",
	    "postgresql://u@db:secret/em", "postgres://u:p/secret?word@db/em",
	    "postgresql://u:p@db/em?secret=1", "postgresql://u:p@db/em?secret",
	    "postgresql://u:p@[secret/em", "postgresql://u:%00secret@db/em",
	    "password=two secret=word", "password='secret", "password=x secret host=a",
	    "host=a port=secret", "port=0", "port=65536", "port=1,secret", "connect_timeout=secret",
	    "sslmode=secret", "sslmode=verify", "u:secret@db/em", "two secrets",
	    "target_session_attrs=secret", "keepalives_idle=secret",
	    "ssl_min_protocol_version=secret", "channel_binding=secret", "=secret",
	    "host=db;user=u;password=secret", "host=a,password=secret", "host=a&password=secret",
	    "host=u:p@secret", "host=postgresql://u:secret@db/em", "host=/run;password=secret",
	    "host=@u:p@secret", "host='a secret'", "hostaddr=u@secret",
	    "dbname=postgresql://u:secret@db/em", "dbname=em;password=secret",
	    "user=u;password=secret", "service=x;password=secret",
	    "postgresql://db/em;password=secret", "postgresql://db;password=secret/em"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_not_null(fault_of(bad[i]), "%s", bad[i]);
		cr_assert_null(strstr(fault_of(bad[i]), "secret"), "%s", fault_of(bad[i]));
		cr_assert_null(strstr(fault_of(bad[i]), "two"), "%s", fault_of(bad[i]));
	}
}

Test(conninfo, the_parameter_that_is_meant_is_named)
{
	const char *keyword;

	cr_assert_not_null(conninfo_fault("host=a port=x", &keyword));
	cr_assert_str_eq(keyword, "port");
	cr_assert_not_null(conninfo_fault("sslmode=x", &keyword));
	cr_assert_str_eq(keyword, "sslmode");
}

static void expect_shown(const char *text, const char *expected)
{
	char *shown = conninfo_show(text);

	cr_assert_str_eq(shown, expected);
	free(shown);
}

Test(conninfo, is_shown_without_its_secrets)
{
	expect_shown("", "");
	expect_shown("em", "em");
	expect_shown("host=a password=secret sslpassword=secret port=1", "host='a' port='1'");
	expect_shown("postgresql://u:secret@[::1]:5432/em?sslmode=require",
	    "user='u' dbname='em' host='::1' port='5432' sslmode='require'");
	expect_shown("host=a port=secret", "");
	expect_shown("dbname='it\\'s \\\\ it'", "dbname='it\\'s \\\\ it'");
}
