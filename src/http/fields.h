/* SPDX-License-Identifier: MIT */
/* A request's parameters, with those that decide found; pure. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/parameter.h"
#include "base/slice.h"

#include <stddef.h>

/*
 * The parameters that decide. Two files of a web server's configuration may both set one, to the
 * same value; with different values it would be guessed which counts. There may be one Authorization
 * only, and any number of Accept, whose fields make one list (RFC 9110, 5.3).
 */
enum {
	FIELDS_REQUEST_METHOD,
	FIELDS_REQUEST_URI,
	FIELDS_SCRIPT_NAME,
	FIELDS_PATH_INFO,
	FIELDS_QUERY_STRING,
	FIELDS_AUTHORIZATION,
	FIELDS_SINGLE
};

/* The slices are the parameters' own. */
struct fields {
	struct slice single[FIELDS_SINGLE];
	const struct parameter *parameters;
	size_t count;
};

/* The name of a parameter. */
static inline struct slice fields_name(const struct parameter *parameter)
{
	return (struct slice){parameter->name, parameter->name_length};
}

/* The value of a parameter. */
static inline struct slice fields_value(const struct parameter *parameter)
{
	return (struct slice){parameter->value, parameter->value_length};
}

/*
 * Sorts the parameters that decide into fields->single. Returns what is wrong with the first that is, a sentence for the
 * client, or NULL.
 */
const char *fields_sort(struct fields *fields);

#endif
