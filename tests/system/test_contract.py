# SPDX-License-Identifier: MIT
"""What a client gets for each kind of request, good and bad, asked at the workers' socket."""
import json

import pytest

import fastcgi
import sample
from sample import ADMIN, MISSING, POLICIES, POLICY, URI

JSON = "application/json"

NOT_FOUND = {"detail": "Not found."}
NO_POLICY = {"detail": "No EventMatcherPolicy matches the given query."}
FORBIDDEN = {"detail": "You do not have permission to perform this action."}
BAD_KEY = {"detail": "Token invalid/expired"}
NOT_ACCEPTABLE = {"detail": "Could not satisfy the request Accept header."}
BAD_UUID = {"policy_uuid": ["Enter a valid UUID."], "code": "invalid"}


def invalid(sentence):
    return {"non_field_errors": [sentence], "code": "invalid"}


def ask(workers, uri=URI, key=ADMIN, **options):
    reply = fastcgi.ask(workers.socket, uri, key, **options)
    return reply.status, json.loads(reply.body)


def ask_parameters(workers, parameters, **options):
    reply = fastcgi.ask_parameters(workers.socket, parameters, **options)
    return reply.status, json.loads(reply.body)


def test_a_policy_has_every_key_in_the_contracts_order(workers):
    reply = fastcgi.ask(workers.socket, URI, ADMIN)
    assert reply.status == 200 and reply.body == (
        b'{"pk":"11111111-1111-4111-8111-111111111111","name":"default-match-configuration-error",'
        b'"execution_logging":true,"component":"ak-policy-event-matcher-form","verbose_name":"Event Matcher Policy",'
        b'"verbose_name_plural":"Event Matcher Policies",'
        b'"meta_model_name":"authentik_policies_event_matcher.eventmatcherpolicy","bound_to":1,'
        b'"action":"configuration_error","client_ip":null,"app":null,"model":null,'
        b'"query":"context.message ~ \\"provider\\""}')


def test_a_reply_carries_its_type_and_its_exact_length(workers):
    reply = fastcgi.ask(workers.socket, URI, ADMIN)
    assert reply.headers == {"status": "200 OK", "content-type": JSON, "content-length": str(len(reply.body)),
                             "cache-control": "no-store", "vary": "Accept, Authorization"}


def test_bound_to_counts_disabled_bindings_and_prompt_stages(workers):
    assert ask(workers, fastcgi.URI.format(POLICIES[2]))[1]["bound_to"] == 3


@pytest.mark.parametrize("segment, status", [
    (POLICY, 200), (POLICY.upper(), 200), (POLICY.replace("-", ""), 200), ("{%s}" % POLICY, 200),
    ("{%s}" % POLICY.replace("-", ""), 200), ("%7B" + POLICY + "%7D", 200), ("urn:uuid:" + POLICY, 200),
    ("urn:uuid:" + POLICY.replace("-", ""), 200), (POLICY.replace("-", "%2d"), 200), ("%31" + POLICY[1:], 200),
    (POLICY[:-1], 400), (POLICY + "1", 400), ("g" + POLICY[1:], 400),
    ("{" + POLICY, 400), (POLICY + "}", 400), ("{{%s}}" % POLICY, 400), ("{urn:uuid:%s}" % POLICY, 400),
    ("urn:uuid:{%s}" % POLICY, 400), ("URN:UUID:" + POLICY, 400), ("urn:" + POLICY, 400), ("uuid:" + POLICY, 400),
    ("urn:uuid:urn:uuid:" + POLICY, 400), (POLICY.replace("-", "", 1), 400), (POLICY.replace("-", "--", 1), 400),
    ("-" + POLICY, 400), (POLICY.replace("-", "_"), 400), ("1111111-11111-4111-8111-111111111111", 400),
    (POLICY + "%20", 400), ("%20" + POLICY, 400), (POLICY + "%00", 400), (POLICY + "%0a", 400), (POLICY + "+", 400),
    ("%EF%BC%91" + POLICY[1:], 400), ("%D9%A1" + POLICY[1:], 400), ("%ff%c0%ae", 400), ("abc", 400), ("0", 400),
    ("'%20OR%201=1", 400), (";" + POLICY, 400), (POLICY + ";x=1", 400), ("%2531" + POLICY[1:], 400), ("%zz", 400),
    ("%", 400), ("%2", 400), ("{}", 400), ("urn:uuid:", 400), ("x" * 2000, 400), ("0x" + POLICY[2:], 400),
    ("+" + POLICY[1:], 400), ("١" + POLICY[1:], 400), ("*", 400), ("%F0%9F%94%94", 400), ("null", 400),
    (POLICY + ".json", 404), (".", 404), ("..", 404), ("%2e%2e", 404), (POLICY + "%2F", 404), ("%2F" + POLICY, 404),
    ("", 404)])
def test_the_last_segment_is_a_uuid_in_one_of_its_forms(workers, segment, status):
    body = {400: BAD_UUID, 404: NOT_FOUND}
    got = ask(workers, fastcgi.URI.format(segment))
    assert got[0] == status and got[1] == body.get(status, got[1])


@pytest.mark.parametrize("uuid", ["00000000-0000-0000-0000-000000000000", MISSING, "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_a_policy_that_is_not_there_is_named_as_such(workers, uuid):
    assert ask(workers, fastcgi.URI.format(uuid)) == (404, NO_POLICY)


@pytest.mark.parametrize("uri", [
    "/", "", "*", "/api/v3/policies/event_matcher/", "/api/v3/policies/event_matcher/" + POLICY, URI + "/", URI + "x/",
    URI.replace("v3/", "v3//"), "/" + URI, URI.replace("policies/", "policies/./"), URI.replace("/api", "/x/../api"),
    URI.replace("event_matcher", "EVENT_MATCHER"), URI.replace("/policies/", "/policies%2F"), "/api/v3%2f" + URI[8:],
    URI.replace("/event_matcher/", "\\event_matcher\\"), "ftp://host" + URI, URI.replace("api", "api;x"), URI[1:],
    "/%2561pi" + URI[4:]])
def test_another_path_is_not_found(workers, uri):
    assert ask(workers, uri) == (404, NOT_FOUND)


@pytest.mark.parametrize("uri", [URI.replace("policies", "polici%65s"), URI.replace("/api", "/%61%70%69"), URI + "?",
                                 URI + "?x=/../", URI + "?name=nonsense&page=7", URI + "?" + "a=b&" * 10000])
def test_a_path_is_decoded_once_and_other_queries_are_ignored(workers, uri):
    assert ask(workers, uri)[0] == 200


def test_a_path_over_8_kib_is_refused_and_one_below_is_not(workers):
    assert ask(workers, fastcgi.URI.format("a" * 8161)) == (400, invalid("The path is longer than 8 KiB."))
    assert ask(workers, fastcgi.URI.format("a" * 8160)) == (400, BAD_UUID)


@pytest.mark.parametrize("query, status", [
    ("format=json", 200), ("format=", 200), ("format", 200), ("FORMAT=xml", 200), ("format=xml&format=json", 200),
    ("form%61t=js%6Fn", 200), ("x=1&format=json&y", 200), ("format=xml&format=", 200), ("format=JSON", 404),
    ("format=xml", 404), ("form%61t=xml", 404), ("format=json&format=xml", 404), ("format=api", 404),
    ("format=json%00", 404), ("a&format=%6a", 404), ("format=json=", 404)])
def test_the_last_format_of_the_query_is_json_or_nothing(workers, query, status):
    got = ask(workers, URI + "?" + query)
    assert got[0] == status and (status == 200 or got[1] == NOT_FOUND)


@pytest.mark.parametrize("accept, status", [
    ("*/*", 200), ("application/json", 200), ("APPLICATION/JSON", 200), ("application/*;q=0", 200), ("*/json", 200),
    ("text/html, */*;q=0.1", 200), ("text/html ,\tapplication/json ; v=1", 200), ("application/json,", 200),
    ("text/html", 406), ("", 406), ("   ", 406), (",", 406), ("*", 406), ("application/jsonp", 406), ("json", 406),
    ("text/*", 406), ("application/vnd.api+json", 406), ("text/html;application/json", 406), ("a" * 20000, 406)])
def test_accept_names_json_in_one_of_its_members(workers, accept, status):
    got = ask(workers, headers=[("Accept", accept)])
    assert got[0] == status and (status == 200 or got[1] == NOT_ACCEPTABLE)


def test_several_accept_headers_are_one_list(workers):
    assert ask(workers, headers=[("Accept", "text/html"), ("Accept", "application/json")])[0] == 200
    assert ask(workers, headers=[("Accept", "text/html"), ("Accept", "text/plain")]) == (406, NOT_ACCEPTABLE)


@pytest.mark.parametrize("value, body", [
    (None, FORBIDDEN), (b"", FORBIDDEN), (b" \t ", FORBIDDEN), (b"Bearer", FORBIDDEN), (b"Bearer ", FORBIDDEN),
    (b"sample-key-admin", FORBIDDEN), (b"Bearer\tsample-key-admin", FORBIDDEN), (b"Basic c2FtcGxlOmtleQ==", FORBIDDEN),
    (b"Token sample-key-admin", FORBIDDEN), (b"Bearerx sample-key-admin", FORBIDDEN),
    ("Béarer x".encode(), FORBIDDEN), (b"\xff x", FORBIDDEN), (b"Bearer  sample-key-admin", BAD_KEY),
    (b"Bearer sample-key-admin x", BAD_KEY), (b"Bearer SAMPLE-KEY-ADMIN", BAD_KEY), ("Bearer ü".encode(), BAD_KEY),
    (b"Bearer x\ty", BAD_KEY), (b"Bearer nope", BAD_KEY), (b"Bearer ' OR 1=1 --", BAD_KEY), (b"Bearer NULL", BAD_KEY),
    (b'Bearer a","b', BAD_KEY), (b"Bearer }", BAD_KEY), (b"Bearer \\", BAD_KEY), (b"Bearer {}", BAD_KEY),
    (b"Bearer " + b"a" * 8192, BAD_KEY), (b"Bearer " + b"a" * 8193, BAD_KEY), (b"Bearer " + b"a" * 60000, BAD_KEY)])
def test_a_bad_authorization_is_told_what_is_wrong_with_it(workers, value, body):
    assert ask(workers, key=value) == (403, body)


@pytest.mark.parametrize("value", [b"Bearer sample-key-admin", b"bearer sample-key-admin", b"BEARER sample-key-admin",
                                   b"\t Bearer sample-key-admin \t"])
def test_a_good_key_is_found_behind_bearer_in_any_case(workers, value):
    assert ask(workers, key=value)[0] == 200


@pytest.mark.parametrize("key, own, other", [
    ("sample-key-admin", 200, 200), ("sample-key-operator", 200, 200), ("sample-key-auditor", 200, 200),
    ("sample-key-dashboard", 200, 200), ("sample-token-admin", 200, 200), ("sample-key-helpdesk", 200, 404),
    ("sample-key-outpost", 404, 404), ("sample-key-employee", 403, 403)])
def test_a_caller_sees_what_its_rights_allow(workers, key, own, other):
    one, two, none = (POLICIES[2], POLICY, MISSING)
    assert [ask(workers, fastcgi.URI.format(uuid), key)[0] for uuid in (one, two)] == [own, other]
    assert ask(workers, fastcgi.URI.format(none), key)[0] == (403 if other == 403 else 404)


@pytest.mark.parametrize("key", ["expired", "app-password", "former-admin"])
def test_a_key_that_is_expired_or_of_another_intent_or_user_is_invalid(workers, key):
    assert ask(workers, key="sample-key-" + key) == (403, BAD_KEY)


@pytest.mark.parametrize("token", ["no-scope", "expired"])
def test_an_access_token_without_scope_or_time_is_invalid(workers, token):
    assert ask(workers, key="sample-token-" + token) == (403, BAD_KEY)


@pytest.mark.parametrize("uri, key, status", [(URI, ADMIN, 200), (URI, "nope", 403), ("/x/", ADMIN, 404),
                                              (fastcgi.URI.format("x"), ADMIN, 400)])
def test_head_answers_as_get_without_the_body(workers, uri, key, status):
    get, head = (fastcgi.ask(workers.socket, uri, key, method=method) for method in ("GET", "HEAD"))
    assert head.status == status and head.headers == get.headers and head.body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO", "get", "Get", "HEADX", "G"])
def test_another_method_is_not_allowed(workers, method):
    reply = fastcgi.ask(workers.socket, URI, ADMIN, method=method, body=b"x" * 100000)
    assert reply.status == 405 and json.loads(reply.body) == {"detail": 'Method "%s" not allowed.' % method}
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS" and reply.headers["content-type"] == JSON


def test_options_is_answered_204_without_type_or_length(workers):
    reply = fastcgi.ask(workers.socket, URI, None, method="OPTIONS")
    assert reply.headers == {"status": "204 No Content", "allow": "GET, HEAD, OPTIONS", "cache-control": "no-store",
                             "vary": "Accept"} and reply.body == b""


def test_the_checks_come_in_the_contracts_order(workers):
    wrong = [("Accept", "text/html")]
    word = fastcgi.URI.format("abc")
    assert ask(workers, "/x/?format=xml", None, method="POST", headers=wrong)[0] == 404
    assert ask(workers, word + "?format=xml", None, method="POST", headers=wrong)[0] == 404
    assert ask(workers, word, None, method="OPTIONS", headers=wrong)[0] == 406
    assert ask(workers, word, "nope", method="POST")[0] == 405
    assert ask(workers, word, None)[0] == 403
    assert ask(workers, word, "nope")[0] == 400


@pytest.mark.parametrize("extra, sentence", [
    ([("HTTP_X", "a\x00b")], "A parameter has a control character."),
    ([("HTTP_X", "a\r\nb")], "A parameter has a control character."),
    ([("HTTP_X", "\x7f")], "A parameter has a control character."),
    ([("HTTP_\x01", "a")], "A parameter has a control character."),
    ([("SERVER_NAME", "a\tb")], "A parameter has a control character."),
    ([("HTTP_AUTHORIZATION", "Bearer " + ADMIN)] * 2, "There are two Authorization headers."),
    ([("HTTP_AUTHORIZATION", "Bearer " + ADMIN), ("HTTP_AUTHORIZATION", "x")], "There are two Authorization headers."),
    ([("REQUEST_URI", URI + "?")], "A parameter stands there twice with different values."),
    ([("REQUEST_METHOD", "HEAD")], "A parameter stands there twice with different values."),
    ([("N%d" % n, "v") for n in range(127)], "There are more than 128 parameters.")])
def test_ambiguous_or_malformed_parameters_are_refused(workers, extra, sentence):
    assert ask_parameters(workers, fastcgi.parameters(URI) + extra) == (400, invalid(sentence))


def test_a_tab_in_a_header_and_128_parameters_are_allowed(workers):
    given = sample.parameters() + [("HTTP_X_TAB", "a\tb")]
    assert ask_parameters(workers, given + [("N%d" % n, "v") for n in range(124)])[0] == 200


def test_parameters_over_64_kib_are_refused(workers):
    given = fastcgi.parameters(URI) + [("HTTP_X", "y" * 65536)]
    assert ask_parameters(workers, given) == (400, invalid("The parameters are larger than 64 KiB."))


def test_equal_parameters_of_two_included_files_are_harmless(workers):
    assert ask_parameters(workers, sample.parameters() + fastcgi.parameters(URI) * 2)[0] == 200


@pytest.mark.parametrize("start", ["http://host", "HTTPS://user@host:8443", "http://[::1]"])
def test_a_whole_uri_in_the_request_line_is_taken_for_its_path(workers, start):
    given = [("REQUEST_METHOD", "GET"), ("HTTP_AUTHORIZATION", "Bearer " + ADMIN)]
    assert ask_parameters(workers, given + [("REQUEST_URI", start + URI)])[0] == 200
    assert ask_parameters(workers, given + [("REQUEST_URI", start)]) == (404, NOT_FOUND)
    assert ask_parameters(workers, given + [("REQUEST_URI", start + URI + "?format=xml")]) == (404, NOT_FOUND)


def test_an_empty_request_uri_is_none(workers):
    given = [("REQUEST_METHOD", "GET"), ("HTTP_AUTHORIZATION", "Bearer " + ADMIN), ("REQUEST_URI", ""), ("PATH_INFO", URI)]
    assert ask_parameters(workers, given)[0] == 200


def test_what_http_allows_in_other_headers_is_taken(workers):
    others = [("HTTP_X_NAME", b"caf\xe9 \xff\x80"), ("HTTP_X_EMPTY", ""), ("HTTP_X-ODD.name", "x"), ("HTTP_COOKIE", "a=1"),
              ("HTTP_COOKIE", "b=2"), ("HTTP_X_FORWARDED_FOR", "::1"), ("HTTP_X_FORWARDED_FOR", "::2"), ("CONTENT_LENGTH", ""),
              ("CONTENT_TYPE", ""), ("REMOTE_USER", b"\xc3\xa9"), ("HTTP_ACCEPT", "text/html"), ("HTTP_ACCEPT", "*/*;q=0.1")]
    assert ask_parameters(workers, sample.parameters() + others)[0] == 200


def test_a_request_without_a_method_is_refused(workers):
    assert ask_parameters(workers, [("REQUEST_URI", URI)])[0] == 400
    assert ask_parameters(workers, [])[0] == 400


def test_without_request_uri_the_decoded_path_of_cgi_is_taken(workers):
    base = [("REQUEST_METHOD", "GET"), ("HTTP_AUTHORIZATION", "Bearer " + ADMIN)]
    for script, path in (("", URI), ("/api/v3", URI[7:]), (URI, "")):
        assert ask_parameters(workers, base + [("SCRIPT_NAME", script), ("PATH_INFO", path)])[0] == 200
    encoded = URI.replace("-", "%2d")
    assert ask_parameters(workers, base + [("PATH_INFO", encoded)]) == (400, BAD_UUID)
    assert ask_parameters(workers, base + [("PATH_INFO", URI), ("QUERY_STRING", "format=xml")])[0] == 404


def test_a_query_parameter_called_after_an_environment_variable_changes_nothing(workers):
    given = sample.parameters() + [("HTTP_PROXY", "http://evil")]
    assert ask_parameters(workers, given + [("PGHOST", "192.0.2.1"), ("EVENT_MATCHER_DATABASE", "x")])[0] == 200


def test_another_base_path_moves_the_route(start_workers, alone):
    moved = start_workers(alone, base_path="/authentik/api/v3")
    assert ask(moved, "/authentik" + URI)[0] == 200 and ask(moved, URI) == (404, NOT_FOUND)
