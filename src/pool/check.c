/* SPDX-License-Identifier: MIT */
/* Checks settings and database, and says on one screen what an operator wants to know. */
#include "pool/check.h"

#include "authentik/catalogue.h"
#include "authentik/environment.h"
#include "authentik/facts.h"
#include "authentik/inspection.h"
#include "fastcgi/address.h"
#include "fastcgi/client.h"
#include "fastcgi/listener.h"
#include "pool/report.h"
#include "postgres/survey.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LIVE_LIMIT_MS = 1000, CLOCK_LIMIT_MS = 2000 };

/* Only a pool of this program answers the page of its health. */
static bool is_ours(const char *address)
{
	char error[SETTINGS_ERROR_SIZE];
	int descriptor = address_connect(address, error, sizeof(error));
	bool alive = false;

	if (descriptor < 0)
		return false;
	alive = client_ask(descriptor, "/-/health/live/", LIVE_LIMIT_MS, &alive) && alive;
	close(descriptor);
	return alive;
}

/* A socket of the metrics is told to be ours by the pool that serves beside it. */
static void note_taken(struct report *report, const char *address, bool ours)
{
	if (ours)
		report_note(report, REPORT_GOOD, "listen", "",
		    "%s: a pool of this program serves there", address);
	else
		report_note(report, REPORT_FAIL, "listen", "end that, or name another",
		    "%s is taken: another program listens there", address);
}

/* True where a pool serves there; beside says whether one does at an address before. */
static bool note_address(
    struct report *report, const struct settings *settings, const char *address, bool beside)
{
	char error[SETTINGS_ERROR_SIZE];
	enum socket_file_trial trial = listener_try(address, settings, error, sizeof(error));
	bool ours = trial == SOCKET_FILE_TAKEN && (beside || is_ours(address));

	if (trial == SOCKET_FILE_FREE)
		report_note(report, REPORT_GOOD, "listen", "", "%s is free", address);
	else if (trial == SOCKET_FILE_TAKEN)
		note_taken(report, address, ours);
	else
		report_note(report, REPORT_FAIL, "listen",
		    "it is to be there, and open to who runs this", "%s", error);
	return ours;
}

static bool note_list(
    struct report *report, const struct settings *settings, const char *list, bool beside)
{
	bool ours = false;

	while (*list) {
		char address[ADDRESS_SIZE] = "";

		address_next(&list, address); /* configuration_load has judged it */
		ours |= note_address(report, settings, address, beside);
	}
	return ours;
}

static void note_addresses(struct report *report, const struct settings *settings)
{
	bool ours = note_list(report, settings, settings->listen, false);

	if (!*settings->listen)
		report_note(report, REPORT_GOOD, "listen", "",
		    "nowhere of its own: a socket is handed over");
	note_list(report, settings, settings->metrics_listen, ours);
}

static void note_program(struct report *report, const struct settings *settings)
{
	char unused[SETTINGS_ERROR_SIZE], library[SURVEY_TEXT_MAX];

	survey_describe_library(library);
	report_note(report, REPORT_GOOD, "program", "",
	    PACKAGE_NAME " " PACKAGE_VERSION ", %s, %u workers", library, settings->workers);
	if (environment_list_unused(unused, sizeof(unused)))
		report_note(report, REPORT_GOOD, "environment", "",
		    "variables of authentik that are not used here: %s", unused);
}

static void note_server(struct report *report, struct survey *survey)
{
	static const char *const poolers[] = {"none was seen",
	    "a pooler stands between, and gives each client a session",
	    "a pooler stands between, and lends sessions by the transaction",
	    "a pooler stands between, and lends sessions by the statement"};
	char text[SURVEY_TEXT_MAX];
	const char *remedy;
	bool good;

	survey_describe_server(survey, text);
	report_note(report, REPORT_GOOD, "server", "", "%s", text);
	good = survey_describe_encryption(survey, text, &remedy);
	report_note(report, good ? REPORT_GOOD : REPORT_WARN, "encryption", remedy, "%s", text);
	report_note(report, REPORT_GOOD, "pooler", "", "%s", poolers[survey_find_pooler(survey)]);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void note_clock(struct report *report, double ahead)
{
	bool good = ahead > -CLOCK_LIMIT_MS && ahead < CLOCK_LIMIT_MS;

	report_note(report, good ? REPORT_GOOD : REPORT_WARN, "clock",
	    "have both hosts keep time: keys expire by the server's",
	    "the server's is %.0f ms %s this host's", ahead < 0 ? -ahead : ahead,
	    ahead < 0 ? "behind" : "ahead of");
}

/* What a role may do beyond reading what is granted to it is nothing that this program needs. */
static void note_role(struct report *report, const struct inspection_role *role)
{
	report_note(report, *role->may ? REPORT_WARN : REPORT_GOOD, "role",
	    "connect as event_matcher, which sql/role.sql makes", "%s: %s, member of %s",
	    role->name, *role->may ? role->may : "no attributes",
	    *role->groups ? role->groups : "no role");
	report_note(report, REPORT_GOOD, "standby", "", "%s",
	    role->standby ? "yes: it may lag behind the primary" : "no");
}

static void note_asked(struct report *report, struct survey *survey)
{
	struct inspection_role role;
	double before = now_ms();

	if (!inspection_read_role(&role, survey)) {
		report_note(
		    report, REPORT_WARN, "role", "see the server's log", "%s", survey->fault);
		return;
	}
	note_clock(report, role.clock * 1e3 - (before + now_ms()) / 2);
	note_role(report, &role);
}

/* False where it is in the way of serving. */
static bool inspect(
    struct report *report, struct survey *survey, const struct inspection *inspection)
{
	char text[REPORT_VALUE_MAX];
	int found = inspection_count(inspection, survey, text, sizeof(text));

	if (found < 0)
		report_note(report, REPORT_WARN, inspection->name, "see the server's log", "%s",
		    survey->fault);
	else if (found)
		report_note(report, inspection->grave ? REPORT_FAIL : REPORT_WARN, inspection->name,
		    inspection->remedy, "%s", text);
	else
		report_note(report, REPORT_GOOD, inspection->name, "", "%s", inspection->good);
	return found <= 0 || !inspection->grave;
}

/* What only a database that has all that is needed tells. */
static void note_facts(struct report *report, struct survey *survey)
{
	_Alignas(max_align_t) unsigned char facts[SESSION_FACTS_MAX] = {0};
	const char *permission, *index;

	if (!inspection_read_facts(facts, survey))
		return;
	permission = catalogue_common.warning(facts);
	index = catalogue_slow.warning(facts);
	report_note(report, REPORT_GOOD, "layout", "", "%s", catalogue_common.describe(facts));
	report_note(report, permission ? REPORT_WARN : REPORT_GOOD, "permission",
	    "run authentik's migrations", "%s",
	    permission ? permission : "view_eventmatcherpolicy is there");
	report_note(report, index ? REPORT_WARN : REPORT_GOOD, "index", "run sql/index.sql", "%s",
	    index ? index : "one finds access tokens by their key");
	if (((const struct facts *)(const void *)facts)->tenants)
		inspect(report, survey, &inspection_tenants);
}

static void look(struct report *report, struct survey *survey)
{
	const struct inspection *next = inspection_list;

	note_server(report, survey);
	note_asked(report, survey);
	/* Without the schema, the first of them, nothing can be said of what is in it. */
	if (!inspect(report, survey, next))
		return;
	while ((++next)->name)
		inspect(report, survey, next);
	note_facts(report, survey);
}

/* Opens each kind of session that a worker has, one after the other: a pooler may have room for one. */
static void open_sessions(struct report *report, const struct settings *settings)
{
	const struct session_kind *const kinds[] = {&catalogue_common, &catalogue_slow};
	struct session session = {0};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		session_open(&session, settings, kinds[i]);
		if (!session.pg) {
			report_note(report, REPORT_FAIL, "sessions", "mend what is above", "%s",
			    session.fault);
			snprintf(report->fault, sizeof(report->fault), "%s", session.fault);
			return;
		}
		session_close(&session);
	}
	report_note(report, REPORT_GOOD, "sessions", "", "each kind opens, its statements fit");
}

int check_run(const struct settings *settings, bool json)
{
	struct report report = {.count = 0};
	struct survey survey;
	bool open;

	note_program(&report, settings);
	note_addresses(&report, settings);
	open = survey_open(&survey, settings, inspection_set_up, inspection_variables);
	if (open)
		look(&report, &survey);
	else
		report_note(
		    &report, REPORT_FAIL, "server", "mend what it says", "%s", survey.fault);
	survey_close(&survey);
	if (open)
		open_sessions(&report, settings);
	return report_print(&report, json);
}
