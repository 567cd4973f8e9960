/* SPDX-License-Identifier: MIT */
/* Rows and statuses are rendered byte for byte as the contract has them. */
#include "api/response.h"

#include <criterion/criterion.h>
#include <string.h>

static struct response_writer writer;

static void open_writer(void)
{
	cr_assert(response_open(&writer));
}

static void close_writer(void)
{
	response_close(&writer);
}

TestSuite(response, .init = open_writer, .fini = close_writer);

static void assert_text(struct buffer *body, const char *text)
{
	buffer_append(body, "", 1);
	cr_assert(!body->failed);
	cr_assert_str_eq((const char *)body->data, text);
	buffer_free(body);
}

static void assert_error(enum status status, const struct request *request, const char *text)
{
	struct buffer body = {0};

	response_write_error(&writer, &body, status, request);
	assert_text(&body, text);
}

static void assert_name(const char *name, const char *json)
{
	struct event_matcher policy = {.name = name, .bound_to = "0"};
	struct buffer body = {0};
	uuid_t pk = {0};

	response_write_policy(&writer, &body, pk, &policy);
	buffer_append(&body, "", 1);
	cr_assert_not_null(strstr((const char *)body.data, json), "%s", body.data);
	buffer_free(&body);
}

Test(response, a_policy_is_compact_json_in_the_serializers_order)
{
	struct event_matcher policy = {
		.name = "n", .bound_to = "12", .action = "login", .client_ip = "", .execution_logging = true};
	struct buffer body = {0};
	uuid_t pk;

	uuid_parse("ABCDEF01-2345-6789-ABCD-EF0123456789", pk);
	response_write_policy(&writer, &body, pk, &policy);
	assert_text(&body,
		"{\"pk\":\"abcdef01-2345-6789-abcd-ef0123456789\",\"name\":\"n\",\"execution_logging\":true,"
		"\"component\":\"ak-policy-event-matcher-form\",\"verbose_name\":\"Event Matcher Policy\","
		"\"verbose_name_plural\":\"Event Matcher Policies\","
		"\"meta_model_name\":\"authentik_policies_event_matcher.eventmatcherpolicy\",\"bound_to\":12,"
		"\"action\":\"login\",\"client_ip\":\"\",\"app\":null,\"model\":null}");
}

Test(response, control_characters_are_escaped_and_all_else_goes_out_as_it_is)
{
	assert_name("\"\\/\b\f\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
	assert_name("\x01\x1f", "\"\\u0001\\u001F\"");
	assert_name("\x7f ü 漢 😀 \xe2\x80\xa8 \xef\xbb\xbf <&>'",
		"\"\x7f ü 漢 😀 \xe2\x80\xa8 \xef\xbb\xbf <&>'\"");
}

Test(response, one_writer_renders_one_body_after_the_other)
{
	assert_error(STATUS_NOT_FOUND, NULL, "{\"detail\":\"Not found.\"}");
	assert_error(STATUS_LATE, NULL, "{\"detail\":\"The database did not answer in time.\"}");
	assert_error(STATUS_UNAVAILABLE, NULL, "{\"detail\":\"Service temporarily unavailable.\"}");
}

Test(response, a_400_is_a_validation_error)
{
	struct request request = {.detail = "What is wrong."};

	assert_error(STATUS_MALFORMED, &request,
		"{\"non_field_errors\":[\"What is wrong.\"],\"code\":\"invalid\"}");
	assert_error(STATUS_INVALID_UUID, NULL,
		"{\"policy_uuid\":[\"Enter a valid UUID.\"],\"code\":\"invalid\"}");
}

Test(response, a_405_names_the_method)
{
	struct request request = {.method = {"F\"OO", 4}};

	assert_error(
		STATUS_METHOD_NOT_ALLOWED, &request, "{\"detail\":\"Method \\\"F\\\"OO\\\" not allowed.\"}");
}

static void assert_head(enum status status, size_t length, const char *text)
{
	char head[RESPONSE_HEAD_MAX];
	size_t written = response_write_head(head, status, length);

	cr_assert_eq(written, strlen(text));
	cr_assert_arr_eq(head, text, written);
}

Test(response, a_head_has_type_and_length)
{
	assert_head(STATUS_OK, 357,
		"Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "
		"357\r\n\r\n");
}

Test(response, a_503_says_when_to_come_again_and_a_405_what_is_allowed)
{
	assert_head(STATUS_UNAVAILABLE, 1,
		"Status: 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
		"Retry-After: 1\r\nContent-Length: 1\r\n\r\n");
	assert_head(STATUS_METHOD_NOT_ALLOWED, 2,
		"Status: 405 Method Not Allowed\r\nContent-Type: application/json; charset=utf-8\r\n"
		"Allow: GET, HEAD, OPTIONS\r\nContent-Length: 2\r\n\r\n");
}

Test(response, a_204_has_neither_type_nor_length)
{
	assert_head(STATUS_OPTIONS, 0, "Status: 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n");
}
