/* SPDX-License-Identifier: MIT */
/* An event matcher policy (policy.sql). */
#ifndef AUTHENTIK_EVENT_MATCHER_H
#define AUTHENTIK_EVENT_MATCHER_H

#include "authentik/inquiry.h"

/* A NULL text is SQL's NULL. All of it points into the answer. */
struct event_matcher {
	const char *name, *bound_to, *action, *client_ip, *app, *model, *query;
	bool execution_logging;
	bool has_query; /* the column is there: since 2026.5 */
};

extern const struct statement event_matcher_statement;

/* Reads the inquiry's policy. False where there is none. */
bool event_matcher_read(
    struct event_matcher *policy, const struct answer *answer, const struct inquiry *inquiry);

#endif
