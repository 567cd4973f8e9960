/* SPDX-License-Identifier: MIT */
/* Reads a settings file. */
#ifndef BASE_OPTION_FILE_H
#define BASE_OPTION_FILE_H

#include "base/option.h"

/*
 * Takes the lines "name = value" of the file at path, which the origins keep a pointer to. False, as
 * option_load says, with a sentence in the loader's error.
 */
bool option_file_load(struct option_loader *loader, const char *path);

#endif
