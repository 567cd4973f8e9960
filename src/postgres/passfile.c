/* SPDX-License-Identifier: MIT */
/* Looks at the password file before libpq does, which writes of a bad one to standard error. */
#include "postgres/passfile.h"

#include "event.h"

#include <libpq-fe.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char passfile_none[] = "/dev/null/none";

/* What the connection string says; empty: nothing. */
static void take(char path[PATH_MAX], const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

	*path = '\0';
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		if (strcmp(option->keyword, "passfile") == 0 && option->val)
			snprintf(path, PATH_MAX, "%s", option->val);
	PQconninfoFree(options);
}

/* Not by PQconndefaults, which looks up the user's name for it. */
static void find(char path[PATH_MAX], const char *conninfo)
{
	const char *said = getenv("PGPASSFILE"), *home = getenv("HOME");

	take(path, conninfo);
	if (!*path && said && *said)
		snprintf(path, PATH_MAX, "%s", said);
	else if (!*path && home)
		snprintf(path, PATH_MAX, "%s/.pgpass", home);
}

/* As libpq judges (passwordFromFile of fe-connect.c); NULL: it is good, or there is none. */
static const char *fault_of(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return NULL;
	if (!S_ISREG(status.st_mode))
		return "it is no plain file";
	return status.st_mode & (S_IRWXG | S_IRWXO) ? "others than its owner may use it" : NULL;
}

const char *passfile_instead(const char *conninfo)
{
	char path[PATH_MAX], text[PATH_MAX + 100];
	const char *fault;

	find(path, conninfo);
	fault = fault_of(path);
	if (!fault)
		return NULL;
	snprintf(text, sizeof(text), "the password file %s is not read: %s", path, fault);
	if (log_is_news(text))
		log_event(&event_passfile_unread, "%s", text);
	return passfile_none;
}
