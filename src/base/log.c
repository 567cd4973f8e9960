/* SPDX-License-Identifier: MIT */
/* Writes one line an event, as text or JSON. */
#include "base/log.h"

#include "base/hash.h"
#include "base/log_line.h"
#include "base/metric.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GAP_SIZE = 60 };

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

const char *const log_form_names[] = {"text", "json", NULL};

/* The only statics of this program: a logger that every caller must be handed is worse. */
static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_form line_form = LOG_FORM_TEXT;
static int output = STDERR_FILENO;
static atomic_uint lost; /* lines since the last one that was written */
static const struct log_event *losses;

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

void log_set_losses(const struct log_event *event)
{
	losses = event;
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

static size_t make_line(char text[LOG_LINE_SIZE], const struct log_line *line)
{
	return line_form == LOG_FORM_JSON ? log_line_json(text, line) : log_line_text(text, line);
}

/*
 * Whoever reads standard error may have stopped, and must not stop us: what has no room is lost.
 * Standard error is shared with other programs, so it cannot be made non-blocking.
 */
static bool write_line(const struct log_line *line)
{
	struct pollfd reader = {.fd = output, .events = POLLOUT};
	char text[LOG_LINE_SIZE];
	size_t length = make_line(text, line);

	return poll(&reader, 1, 0) == 1 && reader.revents & POLLOUT &&
	       write(output, text, length) == (ssize_t)length;
}

static void note_loss(void)
{
	atomic_fetch_add(&lost, 1);
	metric_add_shared(METRIC_LOG_LOST, 1);
}

static struct log_line line_of(const struct log_event *event, const char *message)
{
	return (struct log_line){.level = log_level_names[event->level],
	    .id = event->id,
	    .request = "",
	    .message = message};
}

static void tell_losses(void)
{
	unsigned before = atomic_load(&lost);
	char message[GAP_SIZE];
	struct log_line line;

	if (!before || !losses)
		return;
	snprintf(message, sizeof(message), "%u lines before this one were lost", before);
	line = line_of(losses, message);
	if (write_line(&line))
		atomic_fetch_sub(&lost, before);
}

static void tell(
    const struct log_event *event, const char *request, const char *format, va_list arguments)
{
	char message[LOG_LINE_SIZE];
	bool cut = vsnprintf(message, sizeof(message), format, arguments) >= LOG_LINE_SIZE;
	struct log_line line = line_of(event, message);

	line.request = request;
	line.cut = cut;
	tell_losses();
	if (!write_line(&line))
		note_loss();
}

void log_event(const struct log_event *event, const char *format, ...)
{
	va_list arguments;

	if (event->level > threshold)
		return;
	va_start(arguments, format);
	tell(event, "", format, arguments);
	va_end(arguments);
}

void log_request(const struct log_event *event, const char *request, const char *format, ...)
{
	va_list arguments;

	if (event->level > threshold)
		return;
	va_start(arguments, format);
	tell(event, request, format, arguments);
	va_end(arguments);
}
