/* SPDX-License-Identifier: MIT */
/* Makes a line of the log out of what it has to say, as text or JSON. */
#include "base/log_line.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DOTS = 3, REQUEST_SHOWN = 256, ID_MAX = 32 };

static const char white_space[] = " \t\n\v\f\r";

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

size_t log_line_show(char *to, size_t room, const char *message, bool cut)
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
static size_t write_time(char *to, size_t room)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	return (size_t)snprintf(to, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
	    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
	    now.tv_nsec / 1000000);
}

size_t log_line_text(char to[LOG_LINE_SIZE], const struct log_line *line)
{
	size_t length = write_time(to, LOG_LINE_SIZE);

	assert(strlen(line->id) <= ID_MAX);
	length += (size_t)snprintf(to + length, LOG_LINE_SIZE - length, " %s %d %s ", line->level,
	    (int)getpid(), line->id);
	length += log_line_show(to + length, LOG_LINE_SIZE - length - 1, line->message, line->cut);
	to[length++] = '\n';
	return length;
}

static size_t append(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length);
	return length;
}

/* Of what log_line_show leaves only these two need an escape in JSON (RFC 8259, section 7). */
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

/* A text in at most room bytes: half of them are kept for escapes. */
static size_t write_text(char *to, size_t room, const char *message, bool cut)
{
	char shown[LOG_LINE_SIZE];

	return escape(to, shown, log_line_show(shown, room / 2, message, cut));
}

size_t log_line_json(char to[LOG_LINE_SIZE], const struct log_line *line)
{
	static const char end[] = "\"}\n";
	size_t length = append(to, "{\"time\":\"");

	assert(strlen(line->id) <= ID_MAX);
	length += write_time(to + length, LOG_LINE_SIZE - length);
	length += (size_t)snprintf(to + length, LOG_LINE_SIZE - length,
	    "\",\"level\":\"%s\",\"pid\":%d,\"event\":\"%s", line->level, (int)getpid(), line->id);
	if (*line->request) {
		length += append(to + length, "\",\"request\":\"");
		length += write_text(to + length, REQUEST_SHOWN * 2, line->request, false);
	}
	length += append(to + length, "\",\"message\":\"");
	length +=
	    write_text(to + length, LOG_LINE_SIZE - length - strlen(end), line->message, line->cut);
	return length + append(to + length, end);
}
