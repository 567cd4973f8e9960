/* SPDX-License-Identifier: MIT */
/* Judges a connection string of libpq's without repeating any of it; pure. */
#include "postgres/conninfo.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char only_number[] = "is to be a whole number";
static const char only_port[] = "is to be a number between 1 and 65535, of each host one";
static const char only_word[] = "has a value that libpq does not know";
static const char only_hosts[] =
    "is to be a list of names, addresses and absolute paths, and nothing else runs into it";
static const char only_name[] = "has an \"=\" or a \"://\" in it: another parameter runs into it";

/*
 * What libpq looks at only when it connects: its error repeats the value then, and so do the server's
 * and the resolver's. A value behind a fault before it may be a part of a password, and a URI or a
 * list for another driver in the place of a name has one in it.
 */
static const struct form {
	const char *keyword, *fault;
	const char *words; /* between spaces; NULL: another form, by the fault */
} forms[] = {
    {"host", only_hosts, NULL},
    {"hostaddr", only_hosts, NULL},
    {"dbname", only_name, NULL},
    {"user", only_name, NULL},
    {"service", only_name, NULL},
    {"port", only_port, NULL},
    {"connect_timeout", only_number, NULL},
    {"keepalives", only_number, NULL},
    {"keepalives_idle", only_number, NULL},
    {"keepalives_interval", only_number, NULL},
    {"keepalives_count", only_number, NULL},
    {"tcp_user_timeout", only_number, NULL},
    {"sslmode", only_word, " disable allow prefer require verify-ca verify-full "},
    {"gssencmode", only_word, " disable prefer require "},
    {"channel_binding", only_word, " disable prefer require "},
    {"target_session_attrs", only_word,
	" any read-write read-only primary standby prefer-standby "},
    {"ssl_min_protocol_version", only_word, " TLSv1 TLSv1.1 TLSv1.2 TLSv1.3 "},
    {"ssl_max_protocol_version", only_word, " TLSv1 TLSv1.1 TLSv1.2 TLSv1.3 "},
    {"load_balance_hosts", only_word, " disable random "},
};

/* Each of a list between commas is empty or a port's number. */
static bool are_ports(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, ",");
		long port = strtol(text, NULL, 10);

		if (strspn(text, "0123456789") != length || length > 5 ||
		    (length && (port < 1 || port > 65535)))
			return false;
		text += length + (text[length] == ',');
	}
	return true;
}

/* Of the ASCII letters those that stand in no host's name and no address end it: some start a path. */
static bool is_host(const char *item, size_t length)
{
	static const char others[] = "!\"#$&'()*+/;<=>?@[\\]^`{|}~ \t\r\n";
	bool path = length && (*item == '/' || *item == '@');

	return path ? !memchr(item, '=', length) && !memchr(item + 1, '@', length - 1)
		    : strcspn(item, others) >= length;
}

static bool are_hosts(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, ",");

		if (!is_host(text, length))
			return false;
		text += length + (text[length] == ',');
	}
	return true;
}

static bool is_name(const char *text)
{
	return !strchr(text, '=') && !strstr(text, "://");
}

static bool is_number(const char *text)
{
	char *end;

	strtol(text, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	return end > text && !*end;
}

static bool is_word(const char *text, const char *words)
{
	size_t length = strlen(text);
	const char *found = length && !strchr(text, ' ') ? strstr(words, text) : NULL;

	while (found && (found[-1] != ' ' || found[length] != ' '))
		found = strstr(found + 1, text);
	return found || !length;
}

static bool fits(const struct form *form, const char *value)
{
	if (form->words)
		return is_word(value, form->words);
	if (form->fault == only_hosts)
		return are_hosts(value);
	if (form->fault == only_name)
		return is_name(value);
	return form->fault == only_port ? are_ports(value) : !*value || is_number(value);
}

const char *conninfo_values_fault(const PQconninfoOption *option, const char **keyword)
{
	*keyword = NULL;
	for (; option && option->keyword; option++)
		for (size_t i = 0; option->val && i < sizeof(forms) / sizeof(forms[0]); i++)
			if (strcmp(option->keyword, forms[i].keyword) == 0 &&
			    !fits(&forms[i], option->val)) {
				*keyword = forms[i].keyword;
				return forms[i].fault;
			}
	return NULL;
}

/* What stands behind "postgresql://", or NULL. */
static const char *behind_scheme(const char *text)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};

	for (int i = 0; i < 2; i++)
		if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
			return text + strlen(schemes[i]);
	return NULL;
}

/*
 * libpq ends the user's part at the first "@" or "/". What follows is taken for host, port and
 * database, so a password with one of these in it would be looked up, and logged, as a name.
 */
static const char *judge_uri(const char *rest)
{
	size_t user = strcspn(rest, "@/");

	if (rest[user] == '@')
		user++;
	return memchr(rest + user, '@', strcspn(rest + user, "?"))
		   ? "has an @ or a slash in a user's name or a password, to be written %40 or %2F"
		   : NULL;
}

/* The classes of libpq's faults by its own words, which it writes untranslated without setlocale. */
static const char *name_fault(const char *message, bool uri)
{
	static const char *const kinds[][2] = {
	    {"missing \"=\"",
		"has a word without \"=\": a value with spaces is to stand in single quotes"},
	    {"invalid connection option", "has a parameter that libpq does not know"},
	    {"unterminated quoted", "has a quoted value without its end"},
	    {"percent-encoded", "has a bad percent-encoding: a % is to be written %25"},
	    {"IPv6", "has a bad IPv6 address"},
	    {"query parameter", "has a bad or unknown parameter behind the question mark"},
	    {"out of memory", "needs more memory than there is"},
	};

	for (size_t i = 0; message && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(message, kinds[i][0]))
			return kinds[i][1];
	return uri ? "is no URI that libpq takes" : "is no list of parameters that libpq takes";
}

static const char *judge(const char *text, const char *uri, const char **keyword)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &message);
	const char *fault;

	if (options)
		fault = conninfo_values_fault(options, keyword);
	else
		fault = name_fault(message, uri != NULL);
	PQconninfoFree(options);
	PQfreemem(message);
	return fault;
}

const char *conninfo_fault(const char *text, const char **keyword)
{
	const char *uri = behind_scheme(text), *fault = uri ? judge_uri(uri) : NULL;

	*keyword = NULL;
	if (fault)
		return fault;
	if (uri || strchr(text, '='))
		return judge(text, uri, keyword);
	return strpbrk(text, " \t\n:@/") ? "is neither a URI nor parameters nor a database's name"
					 : NULL;
}

static bool is_secret(const PQconninfoOption *option)
{
	return strchr(option->dispchar, '*') != NULL;
}

void conninfo_print(FILE *stream, const char *keyword, const char *value)
{
	fprintf(stream, "%s='", keyword);
	for (; *value; value++)
		fprintf(stream, *value == '\'' || *value == '\\' ? "\\%c" : "%c", *value);
	putc('\'', stream);
}

static void print_option(FILE *stream, const PQconninfoOption *option)
{
	if (ftell(stream))
		putc(' ', stream);
	conninfo_print(stream, option->keyword, option->val);
}

static char *print_options(const PQconninfoOption *options)
{
	char *shown = NULL;
	size_t size;
	FILE *stream = open_memstream(&shown, &size);

	if (!stream)
		return NULL;
	for (; options->keyword; options++)
		if (options->val && !is_secret(options))
			print_option(stream, options);
	return fclose(stream) == 0 ? shown : NULL;
}

char *conninfo_show(const char *text)
{
	const char *keyword;
	PQconninfoOption *options;
	char *shown;

	if (conninfo_fault(text, &keyword))
		return strdup("");
	if (!behind_scheme(text) && !strchr(text, '='))
		return strdup(text);
	options = PQconninfoParse(text, NULL);
	shown = options ? print_options(options) : NULL;
	PQconninfoFree(options);
	return shown;
}
