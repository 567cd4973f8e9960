/* SPDX-License-Identifier: MIT */
/* What the program says of itself: is it alive, is it ready, what has it counted. */
#include "api/vitals.h"

#include "base/metric.h"

#include <stdio.h>
#include <string.h>

static void write_metrics(const struct vitals *vitals, struct buffer *body)
{
	const struct metric_counts *own = metric_here;

	if (vitals && vitals->write_metrics)
		vitals->write_metrics(vitals->context, body);
	else
		metric_write(body, &own, 1);
}

static bool answer_metrics(const struct vitals *vitals, struct buffer *body)
{
	write_metrics(vitals, body);
	return true;
}

static bool answer_live(const struct vitals *vitals, struct buffer *body)
{
	(void)vitals;
	buffer_append_text(body, "live\n");
	return true;
}

static bool answer_ready(const struct vitals *vitals, struct buffer *body)
{
	bool ready = !vitals || vitals->is_ready(vitals->context);

	buffer_append_text(body, ready ? "ready\n" : "not ready\n");
	return ready;
}

static const struct page {
	const char *path;
	bool (*answer)(const struct vitals *vitals, struct buffer *body); /* false: 503 */
	const char *type;
} pages[] = {
    {"/-/metrics", answer_metrics, "text/plain; version=0.0.4; charset=utf-8"},
    {"/-/health/live", answer_live, "text/plain; charset=utf-8"},
    {"/-/health/ready", answer_ready, "text/plain; charset=utf-8"},
};

static const struct page *find_page(struct slice path)
{
	if (path.length && path.text[path.length - 1] == '/')
		path.length--;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (slice_is(path, slice_of(pages[i].path)))
			return &pages[i];
	return NULL;
}

static void write_head(struct buffer *response, const struct page *page, bool good, size_t length)
{
	char head[300];

	snprintf(head, sizeof(head),
	    "Status: %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\nContent-Length: "
	    "%zu\r\n\r\n",
	    good ? "200 OK" : "503 Service Unavailable", page->type, length);
	buffer_append_text(response, head);
}

bool vitals_answer(
    const struct vitals *vitals, struct slice path, bool head, struct buffer *response)
{
	const struct page *page = find_page(path);
	struct buffer body = {0};
	bool good;

	if (!page)
		return false;
	good = page->answer(vitals, &body);
	write_head(response, page, good, body.length);
	if (!head)
		buffer_append(response, body.data, body.length);
	response->failed |= body.failed;
	buffer_free(&body);
	return true;
}
