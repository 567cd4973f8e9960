/* SPDX-License-Identifier: MIT */
/* Statuses are rendered byte for byte as the contract has them. */
#include "http/status.h"

#include <criterion/criterion.h>
#include <string.h>

static struct json json;

static void open_json(void)
{
	json_init(&json);
}

TestSuite(status, .init = open_json);

static void assert_error(enum status status, const struct status_detail *detail, const char *text)
{
	struct buffer body = {0};

	status_write_error(&json, &body, status, detail);
	buffer_append(&body, "", 1);
	cr_assert(!body.failed);
	cr_assert_str_eq((const char *)body.data, text);
	buffer_free(&body);
}

static void assert_head(enum status status, size_t length, const char *text)
{
	char head[STATUS_HEAD_MAX];
	const struct status_head with = {"GET, HEAD, OPTIONS", true, length};
	size_t written = status_write_head(head, status, &with);

	cr_assert_eq(written, strlen(text));
	cr_assert_arr_eq(head, text, written);
}

Test(status, one_generator_renders_one_error_after_the_other)
{
	static const struct status_detail none;

	assert_error(STATUS_NOT_FOUND, &none, "{\"detail\":\"Not found.\"}");
	assert_error(STATUS_LATE, &none, "{\"detail\":\"The database did not answer in time.\"}");
	assert_error(
	    STATUS_UNAVAILABLE, &none, "{\"detail\":\"Service temporarily unavailable.\"}");
}

Test(status, a_400_is_a_validation_error)
{
	struct status_detail parameters = {
	    SLICE("non_field_errors"), SLICE("What is wrong."), NULL};
	struct status_detail id = {SLICE("policy_uuid"), SLICE("GET"), NULL};

	assert_error(STATUS_MALFORMED, &parameters,
	    "{\"non_field_errors\":[\"What is wrong.\"],\"code\":\"invalid\"}");
	assert_error(STATUS_INVALID_ID, &id,
	    "{\"policy_uuid\":[\"Enter a valid UUID.\"],\"code\":\"invalid\"}");
}

Test(status, a_405_names_the_method)
{
	struct status_detail detail = {.text = SLICE("F\"OO")};

	assert_error(STATUS_METHOD_NOT_ALLOWED, &detail,
	    "{\"detail\":\"Method \\\"F\\\"OO\\\" not allowed.\"}");
}

Test(status, a_head_has_type_and_length)
{
	assert_head(STATUS_OK, 357,
	    "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Cache-Control: no-store\r\nVary: Accept, Authorization\r\n"
	    "Content-Length: 357\r\n\r\n");
}

Test(status, a_503_says_when_to_come_again_and_a_405_what_is_allowed)
{
	assert_head(STATUS_UNAVAILABLE, 1,
	    "Status: 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Cache-Control: no-store\r\nVary: Accept, Authorization\r\n"
	    "Retry-After: 1\r\nContent-Length: 1\r\n\r\n");
	assert_head(STATUS_METHOD_NOT_ALLOWED, 2,
	    "Status: 405 Method Not Allowed\r\nContent-Type: application/json; charset=utf-8\r\n"
	    "Allow: GET, HEAD, OPTIONS\r\nCache-Control: no-store\r\nVary: Accept\r\n"
	    "Content-Length: 2\r\n\r\n");
}

Test(status, a_204_has_neither_type_nor_length)
{
	assert_head(STATUS_OPTIONS, 0,
	    "Status: 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n"
	    "Cache-Control: no-store\r\nVary: Accept\r\n\r\n");
}

Test(status, where_it_is_so_the_type_names_no_charset)
{
	const struct status_head with = {.content_length = 5};
	char head[STATUS_HEAD_MAX];
	size_t written = status_write_head(head, STATUS_OK, &with);

	cr_assert(slice_equals((struct slice){head, written},
	    "Status: 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
	    "Vary: Accept, Authorization\r\nContent-Length: 5\r\n\r\n"));
}

Test(status, a_404_may_name_what_was_not_found)
{
	struct status_detail detail = {.text = SLICE("EventMatcherPolicy")};

	assert_error(STATUS_NO_OBJECT, &detail,
	    "{\"detail\":\"No EventMatcherPolicy matches the given query.\"}");
}

Test(status, no_cache_may_keep_any)
{
	for (enum status status = 0; status < STATUS_COUNT; status++) {
		const struct status_head with = {"GET", true, 99999999};
		char head[STATUS_HEAD_MAX + 1];

		head[status_write_head(head, status, &with)] = '\0';
		cr_assert_not_null(strstr(head, "\r\nCache-Control: no-store\r\n"), "%s", head);
	}
}

Test(status, vary_names_what_had_a_part_in_the_answer_and_nothing_else)
{
	const struct status_head with = {"GET", true, 1};
	char head[STATUS_HEAD_MAX + 1];

	head[status_write_head(head, STATUS_NOT_FOUND, &with)] = '\0';
	cr_assert_null(strstr(head, "Vary"));
	head[status_write_head(head, STATUS_NOT_ACCEPTABLE, &with)] = '\0';
	cr_assert_not_null(strstr(head, "\r\nVary: Accept\r\n"));
	head[status_write_head(head, STATUS_FORBIDDEN, &with)] = '\0';
	cr_assert_not_null(strstr(head, "\r\nVary: Accept, Authorization\r\n"));
}
