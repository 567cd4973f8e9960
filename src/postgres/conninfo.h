/* SPDX-License-Identifier: MIT */
/* Judges a connection string of libpq's without repeating any of it; pure. */
#ifndef POSTGRES_CONNINFO_H
#define POSTGRES_CONNINFO_H

#include <stdio.h>

struct _PQconninfoOption; /* libpq's */

/*
 * What is wrong with the text (PostgreSQL's documentation, "Connection Strings"), in words that hold
 * nothing of it, as it may hold a password; NULL where nothing is. *keyword is the parameter that is
 * meant, a constant, or NULL. A text that is neither parameters nor a URI is a database's name, and
 * an empty one leaves all to libpq's defaults.
 */
const char *conninfo_fault(const char *text, const char **keyword);

/*
 * The same of parameters that libpq has put together from wherever it takes them: a service file, the
 * environment, the string.
 */
const char *conninfo_values_fault(const struct _PQconninfoOption *options, const char **keyword);

/* Prints a parameter as a connection string has it: the value in quotes, what is special in it escaped. */
void conninfo_print(FILE *stream, const char *keyword, const char *value);

/*
 * The text without its passwords, as parameters with a value in quotes each, in new memory: a good
 * one says the same but for them. Of a text that has a fault nothing is shown. NULL without memory.
 */
char *conninfo_show(const char *text);

#endif
