/* SPDX-License-Identifier: MIT */
/* A row of an event matcher policy is rendered byte for byte as the contract has it. */
#include "api/operation/retrieve.h"

#include "authentik/event_matcher.h"
#include "sample_rows.h"

static struct json json;
static struct buffer body;
static struct inquiry inquiry = {.question.wants = INQUIRY_POLICY};

static const char *const newest[] = {"n", "name", "execution_logging", "bound_to", "policy_ptr_id",
    "action", "client_ip", "app", "model", "query"};

/* A policy in a table that has these columns. */
static const char *render_named(
    int columns, const char *const names[], const char *const texts[], int rows)
{
	struct batch batch = {0};
	struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};

	json_init(&json);
	batch.parts[STATEMENT_POLICY].rows = sample_named_row(columns, names, texts);
	batch.parts[STATEMENT_POLICY].row_of[0] = rows - 1;
	cr_assert_eq(retrieve_event_matcher.render(&json, &body, &inquiry, &answer), rows > 0);
	batch_clear(&batch);
	buffer_append(&body, "", 1);
	cr_assert(!body.failed);
	return (const char *)body.data;
}

static const char *render(const char *const texts[], int rows)
{
	return render_named(9, newest, texts, rows);
}

static void free_body(void)
{
	buffer_free(&body);
}

TestSuite(retrieve, .fini = free_body);

static void assert_name(const char *name, const char *json_text)
{
	const char *const texts[] = {"1", name, "f", "0", "", NULL, NULL, NULL, NULL};

	cr_assert_not_null(strstr(render(texts, 1), json_text), "%s", body.data);
	buffer_clear(&body);
}

Test(retrieve, a_policy_is_compact_json_in_the_serializers_order)
{
	const char *const texts[] = {"1", "n", "t", "12", "", "login", "", NULL, NULL};

	uuid_parse("ABCDEF01-2345-6789-ABCD-EF0123456789", inquiry.object);
	cr_assert_str_eq(render(texts, 1),
	    "{\"pk\":\"abcdef01-2345-6789-abcd-ef0123456789\",\"name\":\"n\",\"execution_logging\":"
	    "true,"
	    "\"component\":\"ak-policy-event-matcher-form\",\"verbose_name\":\"Event Matcher "
	    "Policy\","
	    "\"verbose_name_plural\":\"Event Matcher Policies\","
	    "\"meta_model_name\":\"authentik_policies_event_matcher.eventmatcherpolicy\",\"bound_"
	    "to\":12,"
	    "\"action\":\"login\",\"client_ip\":\"\",\"app\":null,\"model\":null}");
}

Test(retrieve, of_a_policy_that_is_not_there_nothing_is_rendered)
{
	const char *const texts[] = {"1", "n", "t", "12", "", "login", "", NULL, NULL};

	cr_assert_str_empty(render(texts, 0));
}

Test(retrieve, control_characters_are_escaped_and_all_else_goes_out_as_it_is)
{
	assert_name("\"\\/\b\f\n\r\t", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
	assert_name("\x01\x1f", "\"\\u0001\\u001F\"");
	assert_name("\x7f ü 漢 😀 \xe2\x80\xa8 \xef\xbb\xbf <&>'",
	    "\"\x7f ü 漢 😀 \xe2\x80\xa8 \xef\xbb\xbf <&>'\"");
}

Test(retrieve, where_policies_have_a_query_it_comes_last)
{
	const char *const texts[] = {"1", "n", "t", "12", "", NULL, NULL, NULL, "m", "q"};

	cr_assert_not_null(
	    strstr(render_named(10, newest, texts, 1), ",\"model\":\"m\",\"query\":\"q\"}"));
}

Test(retrieve, columns_are_found_by_their_names)
{
	static const char *const names[] = {"n", "name", "execution_logging", "bound_to", "query",
	    "model", "new", "app", "policy_ptr_id", "client_ip", "action"};
	const char *const texts[] = {"1", "n", "t", "12", NULL, "m", "?", "p", "", "i", "a"};

	cr_assert_not_null(strstr(render_named(11, names, texts, 1),
	    "\"action\":\"a\",\"client_ip\":\"i\",\"app\":\"p\",\"model\":\"m\",\"query\":null}"));
}
