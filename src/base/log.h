/* SPDX-License-Identifier: MIT */
/* Writes one line an event to standard error: time, level, pid, what was being done, why it failed. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are left out from now on, in this process and those that it forks. */
void log_set_level(enum log_level level);

/*
 * Writes a line. Control characters and bytes of invalid value in it are escaped as \xHH, so an event never
 * spans two lines; a line is cut at 4,096 bytes. None of them waits: a line that standard error does not take
 * at once is lost, and the next one that it takes says how many were. May be called from any thread.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
