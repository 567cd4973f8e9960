/* SPDX-License-Identifier: MIT */
/* Writes one line an event, as text or JSON. */
#include "base/log.h"

#include "base/hash.h"
#include "base/metric.h"

#include <assert.h>
#include <fcntl.h>
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

enum { PREFIX_SIZE = 120, DOTS = 3 };

/* What a pipe takes whole or not at all (POSIX, write). */
enum { LINE_SIZE = PIPE_BUF };

static const char white_space[] = " \t\n\v\f\r";

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

const char *const log_form_names[] = {"text", "json", NULL};

/* The only statics of this program: a logger that every caller must be handed is worse. */
static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_form line_form = LOG_FORM_TEXT;
static int output = STDERR_FILENO;
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

void log_set_form(enum log_form wanted)
{
	assert(wanted <= LOG_FORM_JSON);
	line_form = wanted;
}

/* O_NONBLOCK: a pipe that nobody reads is an error, and no reason to wait. */
bool log_open(const char *path)
{
	int opened = STDERR_FILENO, before = output;

	if (*path)
		opened = open(
		    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (opened < 0)
		return false;
	output = opened;
	if (before != STDERR_FILENO)
		close(before);
	return true;
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

#define TIME "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ"

/* What stands before and behind the message. */
static const struct frame {
	const char *start, *end;
} frames[] = {[LOG_FORM_TEXT] = {TIME " %s %d ", "\n"},
    [LOG_FORM_JSON] = {
	"{\"time\":\"" TIME "\",\"level\":\"%s\",\"pid\":%d,\"message\":\"", "\"}\n"}};

/* Not strftime, which looks at /etc/localtime each time. */
static size_t start_line(char *to, enum log_level level)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	return (size_t)snprintf(to, PREFIX_SIZE, frames[line_form].start, utc.tm_year + 1900,
	    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
	    log_level_names[level], (int)getpid());
}

/* Of what log_format leaves only these two need an escape in JSON (RFC 8259, section 7). */
static size_t escape(char *to, const char *message, size_t length)
{
	char *start = to;

	for (size_t i = 0; i < length; i++) {
		if (message[i] == '"' || message[i] == '\\')
			*to++ = '\\';
		*to++ = message[i];
	}
	return (size_t)(to - start);
}

/* Writes at most room bytes: of JSON half of them are kept for escapes. */
static size_t show(char *to, size_t room, const char *message, bool cut)
{
	char shown[LINE_SIZE];

	if (line_form == LOG_FORM_TEXT)
		return log_format(to, room, message, cut);
	return escape(to, shown, log_format(shown, room / 2, message, cut));
}

/*
 * Whoever reads standard error may have stopped, and must not stop us: what has no room is lost.
 * Standard error is shared with other programs, so it cannot be made non-blocking.
 */
void log_share(void)
{
	void *shared =
	    mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared != MAP_FAILED)
		said = shared;
}

static uint64_t hash_of(const char *text)
{
	return hash_not_zero(hash_bytes(HASH_START, text, strlen(text)));
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
	struct pollfd reader = {.fd = output, .events = POLLOUT};
	const char *end = frames[line_form].end;
	char line[LINE_SIZE];
	size_t length = start_line(line, level);

	length += show(line + length, sizeof(line) - length - strlen(end), message, cut);
	memcpy(line + length, end, strlen(end));
	length += strlen(end);
	return poll(&reader, 1, 0) == 1 && reader.revents & POLLOUT &&
	       write(output, line, length) == (ssize_t)length;
}

static void note_loss(void)
{
	atomic_fetch_add(&lost, 1);
	metric_add_shared(METRIC_LOG_LOST, 1);
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
		note_loss();
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
