/* SPDX-License-Identifier: MIT */
/* Writes one line an event, as text or JSON: time, level, pid, id, what happened. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The level's names in their order, as lines have them; NULL ends them. */
extern const char *const log_level_names[];

/* A kind of what may happen: its lines' id, by which they are searched, and their level. */
struct log_event {
	const char *id; /* letters, digits and underlines, at most 32 */
	enum log_level level;
};

/* Lines above this level are left out from now on, in this process and those that it forks. */
void log_set_level(enum log_level level);

/* A line is text, or one JSON object with the members time, level, pid, event, request (if any) and message. */
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON };

/* The form's names in their order; NULL ends them. */
extern const char *const log_form_names[];

/* Lines have this form from now on, in this process and those that it forks. */
void log_set_form(enum log_form form);

/* From now on lines that were lost are told as this event, in this process and those that it forks. */
void log_set_losses(const struct log_event *event);

/*
 * Lines are appended to the file at path from now on, in this process and those that it forks; it is
 * made with mode 0640 where there is none. An empty path is standard error. Called again, it opens the
 * file that the path names then, as who moves a log away wants it. False with errno where it cannot be
 * opened: lines go where they went before.
 */
bool log_open(const char *path);

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
 * Writes a line: time, level, pid, the event's id, and the message as log_line_show shows it, so an
 * event never spans two lines; with its newline a line has at most PIPE_BUF (4,096) bytes. It does
 * not wait: a line that the log does not take at once is lost, and the next one that it takes says
 * how many were. May be called from any thread.
 */
void log_event(const struct log_event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3), nonnull));

/*
 * The same of a request: where a line is an object, its id is a member, too, unless it is empty. In
 * the message it stands where the format has it.
 */
void log_request(const struct log_event *event, const char *request, const char *format, ...)
    __attribute__((format(printf, 3, 4), nonnull));

#endif
