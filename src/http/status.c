/* SPDX-License-Identifier: MIT */
/* Every answer that a client can get: the table, and what is made from it. */
#include "http/status.h"

#include <assert.h>
#include <string.h>

/*
 * No cache may keep an answer, whatever its key (RFC 9111, section 5.2.2.5). Vary says which of the
 * request's fields had a part in it: they are looked at in this order, so each answer owes to those
 * up to the one that decided it, and a path or parameters that are refused to none.
 */
#define UNCACHED "\r\nCache-Control: no-store"
#define BY_ACCEPT UNCACHED "\r\nVary: Accept"
#define BY_CALLER UNCACHED "\r\nVary: Accept, Authorization"

static const struct row {
	const char *line;
	const char *fields; /* header fields that go with it, each after a line's end */
	const char *text;   /* of the error, or what stands before the request's detail */
	const char *behind; /* what stands behind that detail */
	enum metric metric; /* that counts it */
} rows[STATUS_COUNT] = {
    [STATUS_OK] = {"200 OK", BY_CALLER, NULL, NULL, METRIC_REQUESTS_200},
    [STATUS_OPTIONS] = {"204 No Content", BY_ACCEPT, NULL, NULL, METRIC_REQUESTS_204},
    [STATUS_MALFORMED] = {"400 Bad Request", UNCACHED, "", "", METRIC_REQUESTS_400},
    [STATUS_INVALID_ID] = {"400 Bad Request", BY_CALLER, "Enter a valid UUID.", NULL,
	METRIC_REQUESTS_400},
    [STATUS_FORBIDDEN] = {"403 Forbidden", BY_CALLER,
	"You do not have permission to perform this action.", NULL, METRIC_REQUESTS_403},
    [STATUS_UNSUPPORTED_SCHEME] = {"403 Forbidden", BY_CALLER, "Unsupported authentication type",
	NULL, METRIC_REQUESTS_403},
    [STATUS_INVALID_KEY] = {"403 Forbidden", BY_CALLER, "Token invalid/expired", NULL,
	METRIC_REQUESTS_403},
    [STATUS_NOT_FOUND] = {"404 Not Found", UNCACHED, "Not found.", NULL, METRIC_REQUESTS_404},
    [STATUS_NO_OBJECT] = {"404 Not Found", BY_CALLER, "No ", " matches the given query.",
	METRIC_REQUESTS_404},
    [STATUS_METHOD_NOT_ALLOWED] = {"405 Method Not Allowed", BY_ACCEPT, "Method \"",
	"\" not allowed.", METRIC_REQUESTS_405},
    [STATUS_NOT_ACCEPTABLE] = {"406 Not Acceptable", BY_ACCEPT,
	"Could not satisfy the request Accept header.", NULL, METRIC_REQUESTS_406},
    [STATUS_ERROR] = {"500 Internal Server Error", BY_CALLER, "Internal server error.", NULL,
	METRIC_REQUESTS_500},
    [STATUS_UNAVAILABLE] = {"503 Service Unavailable", BY_CALLER "\r\nRetry-After: 1",
	"Service temporarily unavailable.", NULL, METRIC_REQUESTS_503},
    [STATUS_LATE] = {"504 Gateway Timeout", BY_CALLER, "The database did not answer in time.", NULL,
	METRIC_REQUESTS_504},
};

const char *status_line(enum status status)
{
	assert(status < STATUS_COUNT);
	return rows[status].line;
}

enum metric status_metric(enum status status)
{
	assert(status < STATUS_COUNT);
	return rows[status].metric;
}

/*
 * The error's sentence: the row's text, with the request's own in it where the row leaves a place
 * for it.
 */
static void write_sentence(struct buffer *sentence, const struct row *row, struct slice own)
{
	buffer_append_text(sentence, row->text);
	if (!row->behind)
		return;
	buffer_append(sentence, own.text, own.length);
	buffer_append_text(sentence, row->behind);
}

/*
 * A property with what is wrong makes a ValidationError of the schema, all else is a
 * GenericError.
 */
void status_write_error(
    struct json *json, struct buffer *body, enum status status, const struct status_detail *detail)
{
	struct buffer sentence = {0};
	bool validation = detail->property.text != NULL;

	assert(rows[status].text);
	write_sentence(&sentence, &rows[status], detail->text);
	buffer_append_text(body, "{");
	json_string(json, body, validation ? detail->property : SLICE("detail"));
	buffer_append_text(body, validation ? ":[" : ":");
	json_string(json, body, (struct slice){(const char *)sentence.data, sentence.length});
	buffer_append_text(body, validation ? "],\"code\":\"invalid\"}" : "}");
	body->failed |= sentence.failed;
	buffer_free(&sentence);
}

static char *write_length(char *at, size_t length)
{
	char digits[24];
	size_t first = sizeof(digits);

	do
		digits[--first] = (char)('0' + length % 10);
	while (length /= 10);
	return mempcpy(at, digits + first, sizeof(digits) - first);
}

/*
 * Without printf, which would take as many instructions as the whole parsing of a request (900
 * counted).
 */
size_t status_write_head(
    char to[STATUS_HEAD_MAX], enum status status, const struct status_head *head)
{
	char *at = stpcpy(stpcpy(to, "Status: "), rows[status].line);
	bool content = status != STATUS_OPTIONS;

	if (content)
		at = stpcpy(at, "\r\nContent-Type: application/json");
	if (content && head->charset)
		at = stpcpy(at, "; charset=utf-8");
	if (!content || status == STATUS_METHOD_NOT_ALLOWED)
		at = stpcpy(stpcpy(at, "\r\nAllow: "), head->allow);
	at = stpcpy(at, rows[status].fields);
	if (content)
		at = write_length(stpcpy(at, "\r\nContent-Length: "), head->content_length);
	at = stpcpy(at, "\r\n\r\n");
	assert(at < to + STATUS_HEAD_MAX);
	return (size_t)(at - to);
}
