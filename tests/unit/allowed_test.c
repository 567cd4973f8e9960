/* SPDX-License-Identifier: MIT */
/* A list of addresses lets in whom it names, and nobody else by TCP. */
#include "fastcgi/allowed.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static struct allowed allowed;
static char error[300];

static bool parse(const char *text)
{
	*error = '\0';
	return allowed_parse(&allowed, text, error, sizeof(error));
}

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage storage = {.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET};

	if (storage.ss_family == AF_INET6)
		inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&storage)->sin6_addr);
	else
		inet_pton(AF_INET, text, &((struct sockaddr_in *)&storage)->sin_addr);
	return storage;
}

static bool has(const char *text)
{
	struct sockaddr_storage storage = peer(text);

	return allowed_has(&allowed, &storage);
}

Test(allowed, no_list_lets_everybody_in)
{
	cr_assert(parse(NULL) && has("192.0.2.1") && has("2001:db8::1"));
	cr_assert(parse("") && has("192.0.2.1") && has("2001:db8::1"));
}

Test(allowed, a_list_lets_in_whom_it_names_in_whatever_form)
{
	cr_assert(parse("192.0.2.1, 2001:DB8:0::1\t,10.0.0.7"), "%s", error);
	cr_assert(has("192.0.2.1") && has("10.0.0.7") && has("2001:db8::1"));
	cr_assert(has("::ffff:192.0.2.1"), "as a socket that listens on :: has it");
	cr_assert(!has("192.0.2.2") && !has("2001:db8::2") && !has("::192.0.2.1") && !has("::"));
	cr_assert(parse("::ffff:192.0.2.1") && has("192.0.2.1") && !has("192.0.2.3"));
}

Test(allowed, who_comes_by_a_unix_socket_has_no_address)
{
	struct sockaddr_storage from = {.ss_family = AF_UNIX};

	cr_assert(parse("192.0.2.1") && allowed_has(&allowed, &from));
}

Test(allowed, a_bad_entry_is_named)
{
	static const char *const bad[][2] = {{"192.0.2.1,nonsense", "\"nonsense\""},
	    {"192.0.2.1,", "\"\""}, {",", "\"\""}, {" ", "\"\""}, {"192.0.2.1,,192.0.2.2", "\"\""},
	    {"192.0.2.256", "\"192.0.2.256\""}, {"192.0.2.0/24", "\"192.0.2.0/24\""},
	    {"localhost", "\"localhost\""}, {"[::1]", "\"[::1]\""},
	    {"fe80::1%lo", "\"fe80::1%lo\""}, {"192.0.2.1 192.0.2.2", "\"192.0.2.1 192.0.2.2\""},
	    {"192.0.2.1:80", "\"192.0.2.1:80\""}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert(!parse(bad[i][0]), "%s", bad[i][0]);
		cr_assert_not_null(strstr(error, bad[i][1]), "%s", error);
		cr_assert_not_null(strstr(error, "FCGI_WEB_SERVER_ADDRS"), "%s", error);
	}
}

Test(allowed, a_list_has_at_most_64)
{
	char text[1000] = "";

	for (int i = 0; i < ALLOWED_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s10.0.0.%d",
		    i ? "," : "", i);
	cr_assert(parse(text) && has("10.0.0.63"));
	strcat(text, ",10.0.0.64");
	cr_assert(!parse(text));
}
