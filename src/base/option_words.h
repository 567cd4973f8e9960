/* SPDX-License-Identifier: MIT */
/* Reads argv by getopt_long. */
#ifndef BASE_OPTION_WORDS_H
#define BASE_OPTION_WORDS_H

#include "base/option.h"

/* What argv says; the texts are its own. */
struct option_words {
	const char *values[OPTION_ROWS_MAX]; /* by row; NULL: not given */
	const char *file;                    /* or NULL */
	const struct option_command *command;
};

/* Reads argv; false, as option_load says, with a sentence in the loader's error. */
bool option_words_read(
    struct option_loader *loader, struct option_words *words, int argc, char **argv);

/* A row's name as argv writes it, with dashes, into a place of OPTION_NAME_MAX bytes. */
void option_words_dash(char *to, const char *name);

#endif
