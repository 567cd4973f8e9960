/* SPDX-License-Identifier: MIT */
/* Fills a struct, a row at a time, from defaults, file, environment and argv. */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTION_ROWS_MAX = 64, OPTION_NAME_MAX = 40 };

/* Can it change at a reload, or is it kept until a restart? */
enum option_change { OPTION_RELOAD, OPTION_RESTART };

/* Given as listen_mode = 0660 in a file, PREFIX_LISTEN_MODE=0660, or --listen-mode=0660. */
struct option_row {
	const char *name;
	const struct value_kind *kind;
	size_t offset,
	    size; /* of its member: a const char * for a text, else an unsigned of 4 or 8 bytes */
	const char *initial;
	uint64_t least, most; /* of a number */
	enum option_change change;
	const char *help;
};

/* A word of argv that asks for something, --check, and sets nothing. */
struct option_command {
	const char *name;
	int letter; /* -h for --help, or 0 */
	int code;
	bool alone; /* nothing is loaded for it but the defaults */
	const char
	    *variant; /* of --check=json, whose row follows that of --check; NULL: of --check */
};

/* All that a program can be told; --config and PREFIX_CONFIG name the file. */
struct option_set {
	const char *prefix; /* of the environment's variables */
	const struct option_row *rows;
	size_t count;                          /* of rows, at most OPTION_ROWS_MAX */
	const struct option_command *commands; /* up to a name of NULL */
};

/* Where a value came from. */
enum option_source {
	OPTION_FROM_DEFAULT,
	OPTION_FROM_FILE,
	OPTION_FROM_ENVIRONMENT,
	OPTION_FROM_ARGV,
	OPTION_FROM_ELSEWHERE /* what the loader of all says, afterwards */
};

struct option_origin {
	enum option_source source;
	unsigned line; /* of the file */
};

struct option_origins {
	struct option_origin rows[OPTION_ROWS_MAX];
	const char *file; /* NULL: none was read; of argv or of the environment */
};

/* The caller sets all but command, and owns all that is pointed at. */
struct option_loader {
	const struct option_set *set;
	void *values;                   /* the struct that has the rows' members, all zero before */
	struct option_origins *origins; /* is filled beside the values */
	char *error;
	size_t size; /* of error */
	int command; /* code of the last command in argv, or 0 */
};

/*
 * Fills the values from the defaults, then the file, then the environment, then argv; with argc
 * 0, argv is not looked at. In the file and the environment a pair of quotes around a value is
 * taken off; an empty variable is none. False with a sentence in error that names the place and the
 * fault: an unknown name in the file or in argv, one in the environment that is nearly a known one,
 * a value that has not its form, a name twice in the file, no memory. In every case option_free is
 * due.
 */
bool option_load(struct option_loader *loader, int argc, char **argv);

/*
 * Writes the names of the rows of OPTION_RESTART that differ in two structs, ", " between them, into names (size
 * bytes, as many as there is room for); false where there are none.
 */
bool option_list_kept(
    const struct option_set *set, const void *one, const void *other, char *names, size_t size);

/* Frees the texts of values. */
void option_free(const struct option_set *set, void *values);

/* Prints each row as argv takes it: default, meaning, and whether it is kept until a restart. */
void option_print(const struct option_set *set, FILE *stream);

/*
 * Prints each value as the file takes it, below a comment that says where it came from; of a secret
 * text what show makes of it in new memory. False without memory.
 */
bool option_dump(const struct option_set *set, const void *values,
    const struct option_origins *origins, char *(*show)(const char *text), FILE *stream);

#endif
