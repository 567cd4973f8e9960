/* SPDX-License-Identifier: MIT */
/* The head of a plain HTTP/1 request: its method and its path; pure. */
#include "http/head.h"

#include <string.h>

static const char version[] = "HTTP/1.";

/* Takes what stands before the next space off the line; empty where there is none. */
static struct slice take_word(struct slice *line)
{
	const char *space = memchr(line->text, ' ', line->length);
	struct slice word = {line->text, space ? (size_t)(space - line->text) : 0};

	line->text += word.length + (space != NULL);
	line->length -= word.length + (space != NULL);
	return word;
}

static bool is_version(struct slice word)
{
	return word.length == sizeof(version) &&
	       memcmp(word.text, version, sizeof(version) - 1) == 0 &&
	       word.text[word.length - 1] >= '0' && word.text[word.length - 1] <= '9';
}

/* RFC 9112, section 3: the request line. */
enum head_kind head_read(const char *bytes, size_t length, struct head *head)
{
	const char *end = memmem(bytes, length, "\r\n\r\n", 4);
	struct slice line;
	const char *query;

	if (!end)
		return HEAD_MORE;
	line =
	    (struct slice){bytes, (size_t)((const char *)memmem(bytes, length, "\r\n", 2) - bytes)};
	head->method = take_word(&line);
	head->path = take_word(&line);
	if (!head->method.length || !head->path.length || *head->path.text != '/' ||
	    !is_version(line))
		return HEAD_BAD;
	query = memchr(head->path.text, '?', head->path.length);
	if (query)
		head->path.length = (size_t)(query - head->path.text);
	return HEAD_GOOD;
}
