/* SPDX-License-Identifier: MIT */
/* Writes one line an event to standard error. */
#include "base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 2000, PREFIX_SIZE = 80 };

static const char *const names[] = {"error", "warning", "info", "debug"};

/* The one static of this program beside the signal flags: a logger that every caller must be handed is worse.
 */
static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	assert(level <= LOG_LEVEL_DEBUG);
	threshold = level;
}

static size_t escape(char *to, const char *from)
{
	static const char digits[] = "0123456789abcdef";
	char *start = to;

	for (; *from; from++) {
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

static void write_line(enum log_level level, const char *format, va_list arguments)
{
	char message[MESSAGE_SIZE], line[PREFIX_SIZE + 4 * MESSAGE_SIZE + 1];
	size_t length;

	if (level > threshold)
		return;
	vsnprintf(message, sizeof(message), format, arguments);
	length = prefix(line, level);
	length += escape(line + length, message);
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nobody is left to be told */
}

#define DEFINE_LEVEL(function, level)                                                                        \
	void function(const char *format, ...)                                                               \
	{                                                                                                    \
		va_list arguments;                                                                           \
		va_start(arguments, format);                                                                 \
		write_line(level, format, arguments);                                                        \
		va_end(arguments);                                                                           \
	}

DEFINE_LEVEL(log_error, LOG_LEVEL_ERROR)
DEFINE_LEVEL(log_warning, LOG_LEVEL_WARNING)
DEFINE_LEVEL(log_info, LOG_LEVEL_INFO)
DEFINE_LEVEL(log_debug, LOG_LEVEL_DEBUG)
