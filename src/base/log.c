/* SPDX-License-Identifier: MIT */
/* Writes one line an event to standard error. */
#include "base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PREFIX_SIZE = 80, DOTS = 3 };

/* What a pipe takes whole or not at all (POSIX, write). */
enum { LINE_SIZE = PIPE_BUF };

static const char white_space[] = " \t\n\v\f\r";

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

/* The only statics of this program: a logger that every caller must be handed is worse. */
static enum log_level threshold = LOG_LEVEL_INFO;
static atomic_uint lost; /* lines since the last one that was written */

enum { NEWS_MAX = 32 };

/* Hashes of the texts that are no news; 0: a free place. */
struct said {
	_Atomic uint64_t hashes[NEWS_MAX];
};

static struct said own;
static struct said *said =
    &own; /* shared by a pool's processes, where memory for that was to be had */

void log_set_level(enum log_level level)
{
	assert(level <= LOG_LEVEL_DEBUG);
	threshold = level;
}

/*
 * The length of the character that text starts with; 0 where it is none of UTF-8 (RFC 3629,
 * section 4).
 */
static size_t utf8_length(const char *text)
{
	static const struct {
		unsigned char first, last, least, most; /* of the first byte, of the second */
		size_t length;
	} forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
	const unsigned char *byte = (const unsigned char *)text;
	size_t form = 0, length = 2;

	if (*byte < 0x80)
		return *byte != 0;
	while (form < sizeof(forms) / sizeof(forms[0]) && *byte > forms[form].last)
		form++;
	if (form == sizeof(forms) / sizeof(forms[0]) || *byte < forms[form].first ||
	    byte[1] < forms[form].least || byte[1] > forms[form].most)
		return 0;
	while (length < forms[form].length && (byte[length] & 0xc0) == 0x80)
		length++;
	return length == forms[form].length ? length : 0;
}

static bool is_control(const char *character)
{
	const unsigned char *byte = (const unsigned char *)character;

	return *byte < 0x20 || *byte == 0x7f || (*byte == 0xc2 && byte[1] < 0xa0);
}

/*
 * One token: white space, a character, or an escaped byte. Moves *from behind it and returns its
 * length.
 */
static size_t take_token(char token[5], const char **from)
{
	size_t length = strspn(*from, white_space);

	if (length) {
		*from += length;
		*token = ' ';
		return 1;
	}
	length = utf8_length(*from);
	if (length && !is_control(*from)) {
		memcpy(token, *from, length);
		*from += length;
		return length;
	}
	return (size_t)snprintf(token, 5, "\\x%02x", (unsigned char)*(*from)++);
}

/* Was the character that text starts with cut within? */
static bool is_cut(const char *text)
{
	return !utf8_length(text) && strlen(text) < 4;
}

size_t log_format(char *to, size_t room, const char *message, bool cut)
{
	size_t length = 0, mark = 0; /* mark: up to where there is room for the dots */
	char token[5];

	assert(room >= DOTS);
	message += strspn(message, white_space);
	while (*message && !(cut && is_cut(message))) {
		size_t size = take_token(token, &message);

		if (*token == ' ' && !*message && !cut)
			break;
		if (size > room - length) {
			cut = true;
			break;
		}
		memcpy(to + length, token, size);
		length += size;
		mark = length <= room - DOTS ? length : mark;
	}
	assert(mark <= length && length <= room);
	if (!cut)
		return length;
	memcpy(to + mark, "...", DOTS);
	return mark + DOTS;
}

/* Not strftime, which looks at /etc/localtime each time. */
static size_t prefix(char *to, enum log_level level)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	return (size_t)snprintf(to, PREFIX_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %d ",
	    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
	    now.tv_nsec / 1000000, log_level_names[level], (int)getpid());
}

/*
 * Whoever reads standard error may have stopped, and must not stop us: what has no room is lost.
 * The descriptor is shared with other programs, so it cannot be made non-blocking.
 */
void log_share(void)
{
	void *shared =
	    mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared != MAP_FAILED)
		said = shared;
}

/* FNV-1a (the IETF's draft-eastlake-fnv), never 0. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash ? hash : 1;
}

bool log_is_news(const char *text)
{
	uint64_t hash = hash_of(text);

	for (size_t i = 0; i < NEWS_MAX; i++) {
		uint64_t free_place = 0;

		if (atomic_compare_exchange_strong(&said->hashes[i], &free_place, hash))
			return true;
		if (free_place == hash)
			return false;
	}
	atomic_store(&said->hashes[hash % NEWS_MAX], hash);
	return true;
}

void log_forget(const char *text)
{
	for (size_t i = 0; i < NEWS_MAX; i++) {
		uint64_t hash = hash_of(text);

		atomic_compare_exchange_strong(&said->hashes[i], &hash, 0);
	}
}

static bool write_message(enum log_level level, const char *message, bool cut)
{
	struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[LINE_SIZE];
	size_t length = prefix(line, level);

	length += log_format(line + length, sizeof(line) - length - 1, message, cut);
	line[length++] = '\n';
	return poll(&reader, 1, 0) == 1 && reader.revents & POLLOUT &&
	       write(STDERR_FILENO, line, length) == (ssize_t)length;
}

static void write_line(enum log_level level, const char *format, va_list arguments)
{
	char message[LINE_SIZE] = "", gap[PREFIX_SIZE];
	unsigned before = atomic_load(&lost);
	int length;

	if (level > threshold)
		return;
	length = vsnprintf(message, sizeof(message), format, arguments);
	snprintf(gap, sizeof(gap), "%u lines before this one were lost", before);
	if (before && write_message(LOG_LEVEL_WARNING, gap, false))
		atomic_fetch_sub(&lost, before);
	if (!write_message(level, message, length >= LINE_SIZE))
		atomic_fetch_add(&lost, 1);
}

#define DEFINE_LEVEL(function, level)                                                              \
	void function(const char *format, ...)                                                     \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		write_line(level, format, arguments);                                              \
		va_end(arguments);                                                                 \
	}

DEFINE_LEVEL(log_error, LOG_LEVEL_ERROR)
DEFINE_LEVEL(log_warning, LOG_LEVEL_WARNING)
DEFINE_LEVEL(log_info, LOG_LEVEL_INFO)
DEFINE_LEVEL(log_debug, LOG_LEVEL_DEBUG)
