/* SPDX-License-Identifier: MIT */
/* Reads the file that holds the database password and nothing else. */
#include "postgres/password.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reading {
	const char *path;
	char *fault;
	size_t size;
};

static bool refuse(const struct reading *reading, const char *why)
{
	snprintf(reading->fault, reading->size,
	    "connecting to PostgreSQL: reading database_password_file %s: %s", reading->path, why);
	return false;
}

/* Unbuffered, so that no copy of it stays anywhere. */
static bool read_bytes(const struct reading *reading, char *to, size_t *length)
{
	FILE *file = fopen(reading->path, "re");
	int cause = errno;

	if (!file)
		return refuse(reading, strerror(cause));
	setvbuf(file, NULL, _IONBF, 0);
	errno = 0;
	*length = fread(to, 1, PASSWORD_MAX + 1, file);
	cause = ferror(file) ? errno : 0;
	fclose(file);
	return !cause || refuse(reading, strerror(cause));
}

static void drop_mark(char *text)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t length = strlen(mark);

	if (strncmp(text, mark, length) == 0)
		memmove(text, text + length, strlen(text + length) + 1);
}

bool password_read(const char *path, char password[PASSWORD_SIZE], char *fault, size_t size)
{
	const struct reading reading = {path, fault, size};
	size_t length = 0;

	if (!read_bytes(&reading, password, &length))
		return false;
	if (length > PASSWORD_MAX)
		return refuse(&reading, "it is longer than 1,024 bytes");
	password[length] = '\0';
	if (strlen(password) != length)
		return refuse(&reading, "it holds a NUL byte, and is to be UTF-8");
	drop_mark(password);
	length = strcspn(password, "\r\n");
	if (password[length + strspn(password + length, "\r\n")])
		return refuse(&reading, "it holds more than one line");
	password[length] = '\0';
	return *password || refuse(&reading, "it is empty");
}
