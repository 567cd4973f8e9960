/* SPDX-License-Identifier: MIT */
/* The settings file, and behind its first NUL the words of the command line, into struct settings. */
#include "settings.h"

#include "postgres/conninfo.h"

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

enum { WORDS_MAX = 8 };

/* The words end with a NUL each; returns how many there are with the program's name before them. */
static int split(char *text, size_t length, char *words[WORDS_MAX + 2])
{
	int count = 1;

	words[0] = (char *)"fuzz";
	for (size_t at = 0; at < length && count <= WORDS_MAX; at += strlen(text + at) + 1)
		words[count++] = text + at;
	words[count] = NULL;
	return count;
}

static void load(const char *path, int argc, char **argv, FILE *nowhere)
{
	char error[SETTINGS_ERROR_SIZE] = "";
	struct settings settings;
	enum settings_action action;

	assert(setenv("EVENT_MATCHER_CONFIG", path, 1) == 0);
	action = settings_load(&settings, argc, argv, error);
	assert((action == SETTINGS_INVALID) == (*error != '\0'));
	assert(strnlen(error, sizeof(error)) < sizeof(error));
	if (action == SETTINGS_RUN)
		assert(settings.workers >= 1 && settings.workers <= 64 && settings.database &&
		       *settings.schema);
	if (action == SETTINGS_RUN) {
		assert(settings_dump(&settings, conninfo_show, nowhere));
		assert(settings_offer(&settings, "database", "another") && *settings.database);
		assert(settings_may_replace(&settings, &settings, error));
	}
	settings_free(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	static FILE *nowhere;
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t length = nul ? (size_t)(nul - data) : size, rest = nul ? size - length - 1 : 0;
	char path[64], *text = fuzz_text(data + size - rest, rest), *words[WORDS_MAX + 2];

	if (file < 0) {
		file = memfd_create("settings", MFD_CLOEXEC);
		nowhere = fopen("/dev/null", "we");
		settings_print_help(nowhere);
	}
	assert(file >= 0 && ftruncate(file, 0) == 0 &&
	       pwrite(file, data, length, 0) == (ssize_t)length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	load(path, split(text, rest, words), words, nowhere);
	free(text);
	return 0;
}
