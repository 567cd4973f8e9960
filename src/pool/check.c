/* SPDX-License-Identifier: MIT */
/* Checks settings and database, and says on one screen what an operator wants to know. */
#include "pool/check.h"

#include "authentik/catalogue.h"
#include "http/json.h"
#include "postgres/survey.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = 2, LINES_MAX = 16, VALUE_MAX = 500 };

/* What was found, in the order of its printing. */
struct report {
	struct {
		const char *name;
		char value[VALUE_MAX];
	} lines[LINES_MAX];
	size_t count;
	char remarks[KINDS][SESSION_TEXT_MAX]; /* empty: none */
	char fault[SESSION_TEXT_MAX];
};

static void note(struct report *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(struct report *report, const char *name, const char *format, ...)
{
	va_list arguments;

	if (report->count == LINES_MAX)
		return;
	report->lines[report->count].name = name;
	va_start(arguments, format);
	vsnprintf(report->lines[report->count++].value, VALUE_MAX, format, arguments);
	va_end(arguments);
}

static void note_role(struct report *report, const struct survey *survey)
{
	note(report, "role", "%s", survey->role);
	note(report, "standby", "%s", survey->standby ? "yes" : "no");
	note(report, "clock difference", "%.0f ms", survey->clock_ahead * 1000);
}

static void note_session(
    struct report *report, const struct session_kind *kind, struct session *session)
{
	struct survey survey;

	survey_take(&survey, session, catalogue_server);
	note(report, "server", "%s", survey.server);
	note(report, "encryption", "%s", survey.encryption);
	if (*survey.role)
		note_role(report, &survey);
	note(report, "layout", "%s", kind->describe(session->facts));
	note(report, "pooler", "%s",
	    survey.pooled ? "yes, its sessions are lent to others as well" : "none was seen");
}

static bool look(struct report *report, const struct settings *settings)
{
	const struct session_kind *const kinds[KINDS] = {&catalogue_common, &catalogue_slow};
	struct session session = {0};

	for (int i = 0; i < KINDS; i++) {
		session_open(&session, settings, kinds[i]);
		if (!session.pg) {
			snprintf(report->fault, sizeof(report->fault), "%s", session.fault);
			return false;
		}
		snprintf(report->remarks[i], SESSION_TEXT_MAX, "%s", session.remarks);
		if (i == 0)
			note_session(report, kinds[i], &session);
		session_close(&session);
	}
	return true;
}

static void print_text(const struct report *report, bool good)
{
	for (size_t i = 0; i < report->count; i++)
		printf("%-17s %s\n", report->lines[i].name, report->lines[i].value);
	for (int i = 0; i < KINDS; i++)
		if (*report->remarks[i])
			printf("warning: %s\n", report->remarks[i]);
	if (good)
		puts("settings and database are good");
	else
		fprintf(stderr, "event-matcher-fcgi: %s\n", report->fault);
}

static void append_member(
    struct json *json, struct buffer *text, const char *name, const char *value)
{
	buffer_append_text(text, text->length ? "," : "{");
	json_string(json, text, slice_of(name));
	buffer_append_text(text, ":");
	json_string(json, text, slice_of(value));
}

static bool print_json(const struct report *report, bool good)
{
	struct buffer text = {0};
	struct json json;
	bool whole;

	json_init(&json);
	append_member(&json, &text, "result", good ? "good" : "bad");
	for (size_t i = 0; i < report->count; i++)
		append_member(&json, &text, report->lines[i].name, report->lines[i].value);
	append_member(&json, &text, "warnings", report->remarks[0]);
	append_member(&json, &text, "access token warnings", report->remarks[1]);
	append_member(&json, &text, "fault", report->fault);
	buffer_append_text(&text, "}\n");
	whole = !text.failed && fwrite(text.data, 1, text.length, stdout) == text.length;
	buffer_free(&text);
	return whole;
}

int check_run(const struct settings *settings, bool json)
{
	struct report report = {.count = 0};
	bool good;

	note(&report, "version", "%s", PACKAGE_VERSION);
	note(&report, "listen", "%s",
	    *settings->listen ? settings->listen : "nowhere of its own: a socket is handed over");
	note(&report, "workers", "%u", settings->workers);
	good = look(&report, settings);
	if (json && !print_json(&report, good))
		return 1;
	if (!json)
		print_text(&report, good);
	return good ? 0 : 1;
}
