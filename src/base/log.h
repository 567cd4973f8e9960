/* SPDX-License-Identifier: MIT */
/* Writes one line an event, as text or JSON: time, level, pid, what happened. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The level's names in their order, as lines have them; NULL ends them. */
extern const char *const log_level_names[];

/* Lines above this level are left out from now on, in this process and those that it forks. */
void log_set_level(enum log_level level);

/* A line is text, or one JSON object with the members time, level, pid and message. */
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON };

/* The form's names in their order; NULL ends them. */
extern const char *const log_form_names[];

/* Lines have this form from now on, in this process and those that it forks. */
void log_set_form(enum log_form form);

/*
 * Lines are appended to the file at path from now on, in this process and those that it forks; it is
 * made with mode 0640 where there is none. An empty path is standard error. Called again, it opens the
 * file that the path names then, as who moves a log away wants it. False with errno where it cannot be
 * opened: lines go where they went before.
 */
bool log_open(const char *path);

/*
 * What a line shows of a message, into to (room bytes, at least 3), without a NUL; returns its
 * length. Valid UTF-8 passes; control characters (C0, DEL, C1) and bytes that are no UTF-8 become
 * \xHH each; white space is one space, and none at the ends. Where room is too small, or the
 * message was cut before, it ends in "...", never within a character or an escape. Pure.
 */
size_t log_format(char *to, size_t room, const char *message, bool cut);

/* From now on this process and those that it forks share what log_is_news knows. */
void log_share(void);

/*
 * Has no process that shares it asked about the text before, since log_forget of it? So a fault
 * that all workers meet is said once. Of more than 32 texts the oldest may become news again.
 */
bool log_is_news(const char *text);

/* The text is news again: what it said has passed. */
void log_forget(const char *text);

/*
 * Writes a line: time, level, pid, and the message as log_format shows it, so an event never
 * spans two lines; with its newline a line has at most PIPE_BUF (4,096) bytes. None of them
 * waits: a line that the log does not take at once is lost, and the next one that it takes says how
 * many were. May be called from any thread.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
