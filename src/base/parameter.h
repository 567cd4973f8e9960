/* SPDX-License-Identifier: MIT */
/* The parameters of a request: CGI's variables (RFC 3875), however they arrive. */
#ifndef BASE_PARAMETER_H
#define BASE_PARAMETER_H

#include <stddef.h>

enum {
	PARAMETERS_MAX = 128, /* pairs of one request */
	PARAMETERS_MAX_SIZE = 65536
};

/* A name and a value; they point into the bytes that were parsed, and end without a NUL. */
struct parameter {
	const char *name, *value;
	size_t name_length, value_length;
};

enum parameters_status {
	PARAMETERS_GOOD,
	PARAMETERS_MALFORMED, /* a length reaches beyond the end */
	PARAMETERS_TOO_MANY,
	PARAMETERS_TOO_LARGE
};

#endif
