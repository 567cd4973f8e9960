/* SPDX-License-Identifier: MIT */
/* A request's parameters, with those that decide found; pure. */
#include "http/fields.h"

#include <stdbool.h>
#include <string.h>

static const struct slice single_names[FIELDS_SINGLE] = {SLICE("REQUEST_METHOD"),
    SLICE("REQUEST_URI"), SLICE("SCRIPT_NAME"), SLICE("PATH_INFO"), SLICE("QUERY_STRING"),
    SLICE("HTTP_AUTHORIZATION")};

/* RFC 3875, sections 4.1.3 and 4.1.18. */
static bool is_header(const struct parameter *parameter)
{
	return (parameter->name_length > 5 && memcmp(parameter->name, "HTTP_", 5) == 0) ||
	       slice_equals(fields_name(parameter), "CONTENT_TYPE");
}

static const char *sort_field(struct fields *fields, const struct parameter *parameter)
{
	for (size_t k = 0; k < FIELDS_SINGLE; k++) {
		if (!slice_is(fields_name(parameter), single_names[k]))
			continue;
		if (fields->single[k].text && k == FIELDS_AUTHORIZATION)
			return "There are two Authorization headers.";
		if (fields->single[k].text && !slice_is(fields_value(parameter), fields->single[k]))
			return "A parameter stands there twice with different values.";
		fields->single[k] = fields_value(parameter);
	}
	return NULL;
}

const char *fields_sort(struct fields *fields)
{
	const char *first = NULL;

	for (size_t i = 0; i < fields->count; i++) {
		const struct parameter *parameter = &fields->parameters[i];
		const char *fault = sort_field(fields, parameter);

		if (slice_has_control(fields_name(parameter), false) ||
		    slice_has_control(fields_value(parameter), is_header(parameter)))
			fault = "A parameter has a control character.";
		if (!first)
			first = fault;
	}
	return first;
}
