/* SPDX-License-Identifier: MIT */
/* Reads the file that holds the database password and nothing else. */
#ifndef POSTGRES_PASSWORD_H
#define POSTGRES_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

enum { PASSWORD_MAX = 1024, PASSWORD_SIZE = PASSWORD_MAX + 2 };

/*
 * Reads the file at path, which holds the password and nothing else, whatever its mode; a byte order mark before it and
 * the line end behind it are none of it. False with a sentence in fault (size bytes) that tells nothing of it: the file
 * cannot be read, is empty, too long, or no text.
 */
bool password_read(const char *path, char password[PASSWORD_SIZE], char *fault, size_t size);

#endif
