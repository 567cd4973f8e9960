/* SPDX-License-Identifier: MIT */
/* Retrieves one event matcher policy, as authentik's serializer renders it. */
#include "api/operation/retrieve.h"

#include "authentik/event_matcher.h"

static void write_member(struct json *json, struct buffer *body, const char *name, const char *text)
{
	buffer_append_text(body, name);
	json_string(json, body, slice_of(text));
}

/*
 * The names and their order: authentik/policies/event_matcher/api.py,
 * authentik/policies/api/policies.py.
 */
static void write_policy(struct json *json, struct buffer *body, const struct event_matcher *policy)
{
	write_member(json, body, ",\"name\":", policy->name);
	buffer_append_text(body, policy->execution_logging ? ",\"execution_logging\":true"
							   : ",\"execution_logging\":false");
	buffer_append_text(body, ",\"component\":\"ak-policy-event-matcher-form\",\"verbose_name\":"
				 "\"Event Matcher Policy\","
				 "\"verbose_name_plural\":\"Event Matcher Policies\","
				 "\"meta_model_name\":\"authentik_policies_event_matcher."
				 "eventmatcherpolicy\",\"bound_to\":");
	buffer_append_text(body, policy->bound_to);
	write_member(json, body, ",\"action\":", policy->action);
	write_member(json, body, ",\"client_ip\":", policy->client_ip);
	write_member(json, body, ",\"app\":", policy->app);
	write_member(json, body, ",\"model\":", policy->model);
	if (policy->has_query)
		write_member(json, body, ",\"query\":", policy->query);
	buffer_append_text(body, "}");
}

static bool render(struct json *json, struct buffer *body, const struct inquiry *inquiry,
    const struct answer *answer)
{
	struct event_matcher policy;
	char pk[UUID_STR_LEN];

	if (!event_matcher_read(&policy, answer, inquiry))
		return false;
	uuid_unparse_lower(inquiry->object, pk);
	write_member(json, body, "{\"pk\":", pk);
	write_policy(json, body, &policy);
	return true;
}

const struct operation retrieve_event_matcher = {.doing = "retrieving an event matcher policy",
    .model = "EventMatcherPolicy",
    .object = INQUIRY_POLICY,
    .rights = INQUIRY_RIGHTS,
    .render = render};
