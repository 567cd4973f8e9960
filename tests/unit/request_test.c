/* SPDX-License-Identifier: MIT */
/* A request is read, or refused with the first thing that is wrong with it. */
#include "api/routes.h"
#include "http/request.h"

#include <criterion/criterion.h>
#include <string.h>

#define URI "/api/v3/policies/event_matcher/11111111-1111-4111-8111-111111111111/"

static const struct router router = {"/api/v3", routes_all}, root = {"", routes_all};

static struct parameter pair(const char *name, const char *value)
{
	return (struct parameter){name, value, strlen(name), strlen(value)};
}

static struct request parse(
    const char *method, const char *uri, const char *name, const char *value)
{
	struct parameter parameters[] = {
	    pair("REQUEST_METHOD", method), pair("REQUEST_URI", uri), pair(name, value)};
	struct request request;

	request_parse(&request, PARAMETERS_GOOD, parameters, 3, &router);
	return request;
}

static enum status authorized(const char *value)
{
	return parse("GET", URI, "HTTP_AUTHORIZATION", value).status;
}

static enum status accepted(const char *value)
{
	return parse("GET", URI, "HTTP_ACCEPT", value).status;
}

static enum status at(const char *uri)
{
	return parse("GET", uri, "HTTP_AUTHORIZATION", "Bearer k").status;
}

Test(request, a_good_one_has_its_key_and_its_uuid)
{
	struct request request = parse("GET", URI, "HTTP_AUTHORIZATION", " bearer a key ");
	char uuid[UUID_STR_LEN];

	cr_assert_eq(request.status, STATUS_OK);
	cr_assert(request.key.length == 5 && memcmp(request.key.text, "a key", 5) == 0);
	uuid_unparse_lower(request.object, uuid);
	cr_assert_str_eq(uuid, "11111111-1111-4111-8111-111111111111");
	cr_assert(!request.head);
}

Test(request, an_id_that_is_none_is_named_as_the_route_names_it)
{
	struct request request =
	    parse("GET", "/api/v3/policies/event_matcher/x/", "HTTP_AUTHORIZATION", "Bearer k");

	cr_assert_eq(request.status, STATUS_INVALID_ID);
	cr_assert(slice_equals(request.detail.property, "policy_uuid"));
}

Test(request, a_method_that_is_not_allowed_is_told_which_are)
{
	struct request request = parse("PUT", URI, "X", "");

	cr_assert(slice_equals(request.detail.text, "PUT"));
	cr_assert_str_eq(request.detail.allow, "GET, HEAD, OPTIONS");
}

Test(request, head_is_remembered_and_options_needs_no_key)
{
	cr_assert(parse("HEAD", URI, "HTTP_AUTHORIZATION", "Bearer k").head);
	cr_assert_eq(parse("OPTIONS", URI, "X", "").status, STATUS_OPTIONS);
	cr_assert_eq(parse("POST", URI, "X", "").status, STATUS_METHOD_NOT_ALLOWED);
	cr_assert_eq(parse("get", URI, "X", "").status, STATUS_METHOD_NOT_ALLOWED);
}

Test(request, the_form_of_authorization_decides_between_three_refusals)
{
	cr_assert_eq(parse("GET", URI, "X", "").status, STATUS_FORBIDDEN);
	cr_assert_eq(authorized(""), STATUS_FORBIDDEN);
	cr_assert_eq(authorized("Bearer "), STATUS_FORBIDDEN);
	cr_assert_eq(authorized("Bearer\tk"), STATUS_FORBIDDEN);
	cr_assert_eq(authorized("Basic k"), STATUS_UNSUPPORTED_SCHEME);
	cr_assert_eq(authorized("Bearer \x80"), STATUS_INVALID_KEY);
	cr_assert_eq(authorized("Bearer a\tb"), STATUS_INVALID_KEY);
}

Test(request, a_key_may_have_8192_bytes_and_no_more)
{
	static char value[7 + REQUEST_KEY_MAX + 2] = "Bearer ";

	memset(value + 7, 'k', REQUEST_KEY_MAX);
	cr_assert_eq(authorized(value), STATUS_OK);
	value[7 + REQUEST_KEY_MAX] = 'k';
	cr_assert_eq(authorized(value), STATUS_INVALID_KEY);
}

Test(request, accept_is_a_list_whose_members_are_cut_and_trimmed)
{
	cr_assert_eq(accepted("text/html, */* ;q=0"), STATUS_FORBIDDEN);
	cr_assert_eq(accepted("\tAPPLICATION/json;v=1"), STATUS_FORBIDDEN);
	cr_assert_eq(accepted(""), STATUS_NOT_ACCEPTABLE);
	cr_assert_eq(accepted(",,"), STATUS_NOT_ACCEPTABLE);
	cr_assert_eq(accepted("*"), STATUS_NOT_ACCEPTABLE);
}

Test(request, the_path_is_split_before_it_is_decoded_once)
{
	cr_assert_eq(at("/%61pi"
			"/v3/policies/event_matcher/11111111-1111-4111-8111-111111111111/"),
	    STATUS_OK);
	cr_assert_eq(at("/api%2fv3/policies/event_matcher/11111111-1111-4111-8111-111111111111/"),
	    STATUS_NOT_FOUND);
	cr_assert_eq(at("/%2561pi/v3/policies/event_matcher/11111111-1111-4111-8111-111111111111/"),
	    STATUS_NOT_FOUND);
	cr_assert_eq(at(URI "?x=/y"), STATUS_OK);
	cr_assert_eq(at(URI "x"), STATUS_NOT_FOUND);
	cr_assert_eq(at("/api/v3/policies/event_matcher//"), STATUS_NOT_FOUND);
	cr_assert_eq(at("/api/v3/policies/event_matcher/a.b/"), STATUS_NOT_FOUND);
	cr_assert_eq(at("/api/v3/policies/event_matcher/%00/"), STATUS_INVALID_ID);
	cr_assert_eq(at(""), STATUS_NOT_FOUND);
}

Test(request, the_last_format_counts)
{
	cr_assert_eq(at(URI "?format=xml&format=json"), STATUS_OK);
	cr_assert_eq(at(URI "?format=json&format=xml"), STATUS_NOT_FOUND);
	cr_assert_eq(at(URI "?f%6frmat=xm%6c"), STATUS_NOT_FOUND);
	cr_assert_eq(at(URI "?format=xml&format="), STATUS_OK);
}

Test(request, a_parameter_that_decides_has_one_value_and_may_say_it_twice)
{
	struct request request = parse("GET", URI, "REQUEST_URI", URI "?");

	cr_assert_eq(request.status, STATUS_MALFORMED);
	cr_assert(slice_equals(
	    request.detail.text, "A parameter stands there twice with different values."));
	cr_assert_eq(parse("GET", URI, "REQUEST_METHOD", "PUT").status, STATUS_MALFORMED);
	cr_assert_eq(parse("OPTIONS", URI, "REQUEST_URI", URI).status, STATUS_OPTIONS);
}

Test(request, there_may_be_one_authorization_only)
{
	struct parameter parameters[] = {pair("REQUEST_METHOD", "GET"), pair("REQUEST_URI", URI),
	    pair("HTTP_AUTHORIZATION", "Bearer k"), pair("HTTP_AUTHORIZATION", "Bearer k")};
	struct request request;

	request_parse(&request, PARAMETERS_GOOD, parameters, 4, &router);
	cr_assert_eq(request.status, STATUS_MALFORMED);
}

Test(request, a_whole_uri_is_taken_for_what_follows_its_authority)
{
	cr_assert_eq(at("http://host" URI), STATUS_OK);
	cr_assert_eq(at("hTTps://[::1]:8443" URI), STATUS_OK);
	cr_assert_eq(at("http://host?x=" URI), STATUS_NOT_FOUND);
	cr_assert_eq(at("http://host"), STATUS_NOT_FOUND);
	cr_assert_eq(at("http://"), STATUS_NOT_FOUND);
	cr_assert_eq(at("http:/"), STATUS_NOT_FOUND);
	cr_assert_eq(at("ftp://host" URI), STATUS_NOT_FOUND);
	cr_assert_eq(at("/http://host" URI), STATUS_NOT_FOUND);
}

Test(request, control_characters_are_malformed_but_a_tab_in_a_header)
{
	cr_assert_eq(parse("GET", URI, "HTTP_X", "a\nb").status, STATUS_MALFORMED);
	cr_assert_eq(parse("GET", URI, "X", "a\tb").status, STATUS_MALFORMED);
	cr_assert_eq(parse("GET", URI, "HTTP_X", "a\tb").status, STATUS_FORBIDDEN);
	cr_assert_eq(parse("G\x80", URI, "X", "").status, STATUS_MALFORMED);
	cr_assert_eq(parse("", URI, "X", "").status, STATUS_MALFORMED);
}

Test(request, content_type_is_a_header_too)
{
	cr_assert_eq(
	    parse("GET", URI, "CONTENT_TYPE", "text/plain;\tcharset=x").status, STATUS_FORBIDDEN);
	cr_assert_eq(parse("GET", URI, "CONTENT_TYPE", "text/plain\n").status, STATUS_MALFORMED);
}

Test(request, what_was_wrong_with_the_parameters_is_said)
{
	struct request request;

	request_parse(&request, PARAMETERS_TOO_LARGE, NULL, 0, &root);
	cr_assert_eq(request.status, STATUS_MALFORMED);
	cr_assert(slice_equals(request.detail.text, "The parameters are larger than 64 KiB."));
}

Test(request, an_empty_base_path_puts_the_route_at_the_root)
{
	struct parameter parameters[] = {
	    pair("REQUEST_METHOD", "OPTIONS"), pair("REQUEST_URI", "/policies/event_matcher/x/")};
	struct request request;

	request_parse(&request, PARAMETERS_GOOD, parameters, 2, &root);
	cr_assert_eq(request.status, STATUS_OPTIONS);
}

Test(request, an_id_for_the_log_is_cut_at_64_bytes)
{
	static char id[100];
	struct request request;

	memset(id, 'i', sizeof(id) - 1);
	request = parse("GET", URI, "HTTP_X_REQUEST_ID", id);
	cr_assert_eq(strlen(request.id), REQUEST_ID_MAX);
}
