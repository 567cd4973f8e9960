/* SPDX-License-Identifier: MIT */
/* Makes a line of the log out of what it has to say, as text or JSON. */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* What a pipe takes whole or not at all (POSIX, write). */
enum { LOG_LINE_SIZE = PIPE_BUF };

/* What a line says; the texts are somebody else's. */
struct log_line {
	const char *level, *id; /* letters, digits and underlines, at most 32 */
	const char *request;    /* its own id, whatever is in it; empty: the line is about none */
	const char *message;
	bool cut; /* the message was longer */
};

/*
 * What a line shows of a message, into to (room bytes, at least 3), without a NUL; returns its
 * length. Valid UTF-8 passes; control characters (C0, DEL, C1) and bytes that are no UTF-8 become
 * \xHH each; white space is one space, and none at the ends. Where room is too small, or the
 * message was cut before, it ends in "...", never within a character or an escape. Pure.
 */
size_t log_line_show(char *to, size_t room, const char *message, bool cut);

/* The line as text, with its newline and without a NUL, and the time of now; returns its length. */
size_t log_line_text(char to[LOG_LINE_SIZE], const struct log_line *line);

/* The same as a JSON object with the members time, level, pid, event, request (if any) and message. */
size_t log_line_json(char to[LOG_LINE_SIZE], const struct log_line *line);

#endif
