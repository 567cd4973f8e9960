/* SPDX-License-Identifier: MIT */
/* A status or a row into the CGI headers and the JSON of a response. */
#include "api/response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct answer_form {
	const char *line;   /* code and reason (RFC 9110, section 15) */
	const char *fields; /* header fields that go with it */
	const char *detail; /* of the JSON; NULL where it is another form */
};

static const char allow[] = "Allow: GET, HEAD, OPTIONS\r\n";

static const struct answer_form forms[] = {
	[STATUS_OK] = {"200 OK", "", NULL},
	[STATUS_OPTIONS] = {"204 No Content", allow, NULL},
	[STATUS_MALFORMED] = {"400 Bad Request", "", NULL},
	[STATUS_INVALID_UUID] = {"400 Bad Request", "", NULL},
	[STATUS_FORBIDDEN] = {"403 Forbidden", "", "You do not have permission to perform this action."},
	[STATUS_UNSUPPORTED_SCHEME] = {"403 Forbidden", "", "Unsupported authentication type"},
	[STATUS_INVALID_KEY] = {"403 Forbidden", "", "Token invalid/expired"},
	[STATUS_NOT_FOUND] = {"404 Not Found", "", "Not found."},
	[STATUS_METHOD_NOT_ALLOWED] = {"405 Method Not Allowed", allow, NULL},
	[STATUS_NOT_ACCEPTABLE] = {"406 Not Acceptable", "", "Could not satisfy the request Accept header."},
	[STATUS_ERROR] = {"500 Internal Server Error", "", "Internal server error."},
	[STATUS_UNAVAILABLE] = {"503 Service Unavailable", "Retry-After: 1\r\n",
		"Service temporarily unavailable."},
	[STATUS_LATE] = {"504 Gateway Timeout", "", "The database did not answer in time."},
};

static void print(void *context, const char *text, size_t length)
{
	struct response_writer *writer = context;

	buffer_append(writer->body, text, length);
}

bool response_open(struct response_writer *writer)
{
	writer->body = NULL;
	writer->generator = yajl_gen_alloc(NULL);
	return writer->generator &&
	       yajl_gen_config(writer->generator, yajl_gen_print_callback, print, writer);
}

void response_close(struct response_writer *writer)
{
	if (writer->generator)
		yajl_gen_free(writer->generator);
	writer->generator = NULL;
}

static void write_bytes(struct response_writer *writer, const char *text, size_t length)
{
	yajl_gen_string(writer->generator, (const unsigned char *)text, length);
}

static void write_text(struct response_writer *writer, const char *text)
{
	if (text)
		write_bytes(writer, text, strlen(text));
	else
		yajl_gen_null(writer->generator);
}

static void write_member(struct response_writer *writer, const char *name, const char *text)
{
	write_text(writer, name);
	write_text(writer, text);
}

static void open_object(struct response_writer *writer, struct buffer *body)
{
	writer->body = body;
	yajl_gen_reset(writer->generator, NULL);
	yajl_gen_map_open(writer->generator);
}

static void close_object(struct response_writer *writer)
{
	yajl_gen_status status = yajl_gen_map_close(writer->generator);

	assert(status == yajl_gen_status_ok);
	(void)status;
	writer->body = NULL;
}

/* A JSON value on its own, behind what stands in the body already: the constant JSON before it. */
static void append_value(struct response_writer *writer, const char *json, const char *text)
{
	buffer_append_text(writer->body, json);
	yajl_gen_reset(writer->generator, NULL);
	write_text(writer, text);
}

/*
 * The names and their order: authentik/policies/event_matcher/api.py, authentik/policies/api/policies.py.
 * What is the same in every policy is appended as it stands, because yajl would look at each of its bytes
 * again.
 */
void response_write_policy(struct response_writer *writer, struct buffer *body, const uuid_t pk,
	const struct event_matcher *policy)
{
	char uuid[UUID_STR_LEN];

	uuid_unparse_lower(pk, uuid);
	writer->body = body;
	append_value(writer, "{\"pk\":", uuid);
	append_value(writer, ",\"name\":", policy->name);
	buffer_append_text(body,
		policy->execution_logging ? ",\"execution_logging\":true" : ",\"execution_logging\":false");
	buffer_append_text(body,
		",\"component\":\"ak-policy-event-matcher-form\",\"verbose_name\":\"Event Matcher Policy\","
		"\"verbose_name_plural\":\"Event Matcher Policies\","
		"\"meta_model_name\":\"authentik_policies_event_matcher.eventmatcherpolicy\",\"bound_to\":");
	buffer_append_text(body, policy->bound_to);
	append_value(writer, ",\"action\":", policy->action);
	append_value(writer, ",\"client_ip\":", policy->client_ip);
	append_value(writer, ",\"app\":", policy->app);
	append_value(writer, ",\"model\":", policy->model);
	buffer_append_text(body, "}");
	writer->body = NULL;
}

/* authentik's ValidationError: a property with a list of sentences, and a code. */
static void write_invalid(struct response_writer *writer, const char *property, const char *sentence)
{
	write_text(writer, property);
	yajl_gen_array_open(writer->generator);
	write_text(writer, sentence);
	yajl_gen_array_close(writer->generator);
	write_member(writer, "code", "invalid");
}

static void write_method_detail(struct response_writer *writer, struct slice method)
{
	struct buffer sentence = {0};

	buffer_append_text(&sentence, "Method \"");
	buffer_append(&sentence, method.text, method.length);
	buffer_append_text(&sentence, "\" not allowed.");
	writer->body->failed |= sentence.failed;
	write_text(writer, "detail");
	write_bytes(writer, (const char *)sentence.data, sentence.length);
	buffer_free(&sentence);
}

void response_write_error(struct response_writer *writer, struct buffer *body, enum status status,
	const struct request *request)
{
	assert(status != STATUS_OK && status != STATUS_OPTIONS);
	open_object(writer, body);
	if (status == STATUS_MALFORMED)
		write_invalid(writer, "non_field_errors", request->detail);
	else if (status == STATUS_INVALID_UUID)
		write_invalid(writer, "policy_uuid", "Enter a valid UUID.");
	else if (status == STATUS_METHOD_NOT_ALLOWED)
		write_method_detail(writer, request->method);
	else
		write_member(writer, "detail", forms[status].detail);
	close_object(writer);
}

size_t response_write_head(char head[RESPONSE_HEAD_MAX], enum status status, size_t content_length)
{
	const struct answer_form *form = &forms[status];
	int length;

	if (status == STATUS_OPTIONS)
		length = snprintf(head, RESPONSE_HEAD_MAX, "Status: %s\r\n%s\r\n", form->line, form->fields);
	else
		length = snprintf(head, RESPONSE_HEAD_MAX,
			"Status: %s\r\nContent-Type: application/json; charset=utf-8\r\n%sContent-Length: "
			"%zu\r\n\r\n",
			form->line, form->fields, content_length);
	assert(length > 0 && length < RESPONSE_HEAD_MAX);
	return (size_t)length;
}
