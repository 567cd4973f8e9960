/* SPDX-License-Identifier: MIT */
/* Writes one line an event to standard error. */
#include "base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 2000, PREFIX_SIZE = 80 };

/* What a pipe takes whole or not at all (POSIX, write). */
enum { LINE_SIZE = PIPE_BUF };

static const char *const names[] = {"error", "warning", "info", "debug"};

/* The only statics of this program: a logger that every caller must be handed is worse. */
static enum log_level threshold = LOG_LEVEL_INFO;
static atomic_uint lost; /* lines since the last one that was written */

void log_set_level(enum log_level level)
{
	assert(level <= LOG_LEVEL_DEBUG);
	threshold = level;
}

/* Returns the length of what fits in room bytes. */
static size_t escape(char *to, size_t room, const char *from)
{
	static const char digits[] = "0123456789abcdef";
	char *start = to;

	for (; *from && room - (size_t)(to - start) >= 4; from++) {
		unsigned char byte = (unsigned char)*from;
		if (byte >= 0x20 && byte < 0x7f) {
			*to++ = *from;
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = digits[byte >> 4];
		*to++ = digits[byte & 15];
	}
	return (size_t)(to - start);
}

static size_t prefix(char *to, enum log_level level)
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(to, PREFIX_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	return length + (size_t)snprintf(to + length, PREFIX_SIZE - length, ".%03ldZ %s %d ",
			    now.tv_nsec / 1000000, names[level], (int)getpid());
}

/* Whoever reads standard error may have stopped, and must not stop us: what has no room is lost. The
 * descriptor is shared with other programs, so it cannot be made non-blocking. */
static bool write_message(enum log_level level, const char *message)
{
	struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[LINE_SIZE];
	size_t length = prefix(line, level);

	length += escape(line + length, sizeof(line) - length - 1, message);
	line[length++] = '\n';
	return poll(&reader, 1, 0) == 1 && reader.revents & POLLOUT &&
	       write(STDERR_FILENO, line, length) == (ssize_t)length;
}

static void write_line(enum log_level level, const char *format, va_list arguments)
{
	char message[MESSAGE_SIZE], gap[PREFIX_SIZE];
	unsigned before = atomic_load(&lost);

	if (level > threshold)
		return;
	vsnprintf(message, sizeof(message), format, arguments);
	snprintf(gap, sizeof(gap), "%u lines before this one were lost", before);
	if (before && write_message(LOG_LEVEL_WARNING, gap))
		atomic_fetch_sub(&lost, before);
	if (!write_message(level, message))
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
