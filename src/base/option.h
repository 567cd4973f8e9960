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
};

/* All that a program can be told; --config and PREFIX_CONFIG name the file. */
struct option_set {
	const char *prefix; /* of the environment's variables */
	const struct option_row *rows;
	size_t count;                          /* of rows, at most OPTION_ROWS_MAX */
	const struct option_command *commands; /* up to a name of NULL */
};

/* The caller sets all but command, and owns all that is pointed at. */
struct option_loader {
	const struct option_set *set;
	void *values; /* the struct that has the rows' members, all zero before */
	char *error;
	size_t size; /* of error */
	int command; /* code of the last command in argv, or 0 */
};

/*
 * Fills the values from the defaults, then the file, then the environment, then argv; with argc
 * 0, argv is not looked at. False with a sentence in error that names the place and the fault: an
 * unknown name in the file or in argv, a value that has not its form, no memory. In every case
 * option_free is due.
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

#endif
