/* SPDX-License-Identifier: MIT */
/* What a check has found: a line each, as text or JSON. */
#include "pool/report.h"

#include "base/log_line.h"
#include "http/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 160 };

static const char *const verdicts[] = {"good", "warn", "fail"};

void report_note(struct report *report, enum report_verdict verdict, const char *name,
    const char *remedy, const char *format, ...)
{
	va_list arguments;
	char *value = report->lines[report->count].value;

	if (report->count == REPORT_LINES_MAX)
		return;
	report->lines[report->count].verdict = verdict;
	report->lines[report->count].name = name;
	report->lines[report->count++].remedy = verdict == REPORT_GOOD ? "" : remedy;
	va_start(arguments, format);
	vsnprintf(value, REPORT_VALUE_MAX, format, arguments);
	va_end(arguments);
	if (verdict == REPORT_FAIL && !*report->fault)
		snprintf(report->fault, sizeof(report->fault), "%s", value);
}

/*
 * A line of the screen; what is left out stands in the fault, and in the JSON. What a server has said is shown as in the
 * log: a terminal is told nothing.
 */
static void print_line(const struct report *report, size_t place)
{
	char shown[SHOWN_MAX];
	const char *remedy = report->lines[place].remedy;
	int length = (int)log_line_show(shown, sizeof(shown), report->lines[place].value, false);

	printf("%s  %-12s  %.*s%s%s\n", verdicts[report->lines[place].verdict],
	    report->lines[place].name, length, shown, *remedy ? ": " : "", remedy);
}

static void print_fault(const struct report *report)
{
	char shown[REPORT_VALUE_MAX];
	int length = (int)log_line_show(shown, sizeof(shown), report->fault, false);

	fprintf(stderr, "event-matcher-fcgi: %.*s\n", length, shown);
}

static bool is_good(const struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].verdict == REPORT_FAIL)
			return false;
	return true;
}

static void print_text(const struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		print_line(report, i);
	if (is_good(report))
		puts("settings and database are good");
	else
		print_fault(report);
}

static void append_member(
    struct json *json, struct buffer *text, const char *before, const char *value)
{
	buffer_append_text(text, before);
	json_string(json, text, slice_of(value));
}

static bool print_json(const struct report *report)
{
	struct buffer text = {0};
	struct json json;
	bool whole;

	json_init(&json);
	append_member(&json, &text, "{\"result\":", is_good(report) ? "good" : "bad");
	append_member(&json, &text, ",\"fault\":", report->fault);
	buffer_append_text(&text, ",\"findings\":[");
	for (size_t i = 0; i < report->count; i++) {
		append_member(
		    &json, &text, i ? ",{\"name\":" : "{\"name\":", report->lines[i].name);
		append_member(&json, &text, ",\"verdict\":", verdicts[report->lines[i].verdict]);
		append_member(&json, &text, ",\"found\":", report->lines[i].value);
		append_member(&json, &text, ",\"remedy\":", report->lines[i].remedy);
		buffer_append_text(&text, "}");
	}
	buffer_append_text(&text, "]}\n");
	whole = !text.failed && fwrite(text.data, 1, text.length, stdout) == text.length;
	buffer_free(&text);
	return whole;
}

int report_print(const struct report *report, bool json)
{
	bool printed = true;

	if (json)
		printed = print_json(report);
	else
		print_text(report);
	return printed && fflush(stdout) == 0 && is_good(report) ? 0 : 1;
}
