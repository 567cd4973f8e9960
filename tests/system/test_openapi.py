# SPDX-License-Identifier: MIT
"""openapi.yaml is a valid document of OpenAPI 3.0, and describes what authentik answers, and what the workers answer."""
import functools
import json
import pathlib
import re

import jsonschema
import pytest
import yaml

import conftest
import fastcgi
import sample
import servers
from sample import ADMIN, KEY, URI

OFFICIAL = pathlib.Path("/usr/share/openapi-specification/schemas/v3.0/schema.json")
DOCUMENT = yaml.safe_load((servers.ROOT / "openapi.yaml").read_text())
PATH = DOCUMENT["paths"]["/policies/event_matcher/{policy_uuid}/"]
SCHEMAS = DOCUMENT["components"]["schemas"]
POLICY = {"pk": "11111111-1111-4111-8111-111111111111", "name": "match-everything", "execution_logging": False,
          "component": "ak-policy-event-matcher-form", "verbose_name": "Event Matcher Policy",
          "verbose_name_plural": "Event Matcher Policies",
          "meta_model_name": "authentik_policies_event_matcher.eventmatcherpolicy", "bound_to": 0,
          "action": None, "client_ip": None, "app": None, "model": None, "query": None}
REQUIRED = ["bound_to", "component", "meta_model_name", "name", "pk", "verbose_name", "verbose_name_plural"]


def as_json_schema(node):
    """OpenAPI 3.0 says null by nullable, JSON Schema by a second type."""
    if isinstance(node, list):
        return [as_json_schema(member) for member in node]
    if not isinstance(node, dict):
        return node
    plain = {key: as_json_schema(value) for key, value in node.items() if key != "nullable"}
    return {**plain, "type": [node["type"], "null"]} if node.get("nullable") is True else plain


def conforms(value, schema):
    whole = {**as_json_schema(schema), "components": as_json_schema(DOCUMENT["components"])}
    checker = jsonschema.FormatChecker(["uuid"])
    return jsonschema.Draft4Validator(whole, format_checker=checker).is_valid(value)


def resolve(node):
    """What a $ref names; anything else is itself."""
    if "$ref" not in node:
        return node
    return functools.reduce(dict.__getitem__, node["$ref"].split("/")[1:], DOCUMENT)


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        node = node.values()
    if not isinstance(node, (str, int, bool, type(None))):
        for member in node:
            yield from references(member)


def body_schema(status):
    return resolve(PATH["get"]["responses"][str(status)])["content"]["application/json"]["schema"]


def test_the_official_schema_of_openapi_accepts_the_document():
    jsonschema.Draft4Validator(json.loads(OFFICIAL.read_text())).validate(DOCUMENT)


@pytest.mark.parametrize("reference", sorted(set(references(DOCUMENT))))
def test_a_reference_names_something(reference):
    assert resolve({"$ref": reference})


@pytest.mark.parametrize("name, count", [("EventActions", 38), ("AppEnum", 84), ("ModelEnum", 132)])
def test_the_choices_of_all_releases_stand_once_each(name, count):
    assert len(SCHEMAS[name]["enum"]) == len(set(SCHEMAS[name]["enum"])) == count


def test_the_policy_has_its_properties_in_order_and_requires_seven():
    assert list(SCHEMAS["EventMatcherPolicy"]["properties"]) == list(POLICY)
    assert SCHEMAS["EventMatcherPolicy"]["required"] == REQUIRED


def test_each_answer_is_described():
    assert list(PATH["get"]["responses"]) == ["200", "400", "403", "404", "405", "406", "500", "503", "504"]
    assert "204" in PATH["options"]["responses"]


@pytest.mark.parametrize("change", [
    {}, {"action": "login"}, {"action": ""}, {"action": "of another version"}, {"client_ip": "no address"},
    {"app": "authentik.core", "model": "authentik_core.user"}, {"app": "", "model": ""}, {"bound_to": 3},
    {"query": 'action = "login"'}, {"query": ""}])
def test_a_policy_as_it_is_stored_conforms(change):
    assert conforms({**POLICY, **change}, body_schema(200))


@pytest.mark.parametrize("change", [
    {"pk": None}, {"pk": "no uuid"}, {"name": None}, {"bound_to": "3"}, {"bound_to": None}, {"action": 1},
    {"client_ip": []}, {"app": {}}, {"model": False}, {"execution_logging": None},
    {"query": 1}])
def test_a_policy_of_other_types_does_not_conform(change):
    assert not conforms({**POLICY, **change}, body_schema(200))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_policy_without_a_required_property_does_not_conform(name):
    assert not conforms({key: value for key, value in POLICY.items() if key != name}, body_schema(200))


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["responses"]))
def test_the_example_of_an_error_conforms(name):
    content = DOCUMENT["components"]["responses"][name]["content"]["application/json"]
    assert conforms(content["example"], content["schema"])
    assert not conforms({"detail": 1, "code": 1}, content["schema"])


def test_a_policy_of_a_release_without_query_conforms():
    assert conforms({key: value for key, value in POLICY.items() if key != "query"}, body_schema(200))


@pytest.mark.recorded
@pytest.mark.parametrize("release, count", [("", 239), ("2025.10", 158), ("2025.12", 199), ("2026.8", 322)])
def test_every_recorded_answer_to_get_conforms(release, count):
    recordings = [json.loads(line) for line in conftest.shared(pathlib.Path(release, "recorded.jsonl")).open()]
    answers = [r for r in recordings if r["method"] == "GET" and "json" in r["response_headers"].get("content-type", "")]
    assert len(answers) == count
    assert [r["case"] for r in answers if not conforms(json.loads(r["response"]), body_schema(r["status"]))] == []


def stored(release):
    """The policies' columns, a list each, from the text of a recorded database."""
    text = conftest.shared(pathlib.Path(release, "database.sql")).read_text()
    names, rows = re.search(r"^COPY public\.authentik_policies_event_matcher_eventmatcherpolicy \((.*)\) FROM stdin;\n((?:.*\n)*?)\\\.$",
                            text, re.M).groups()
    return names.split(", "), [[None if value == "\\N" else value for value in row.split("\t")] for row in rows[:-1].split("\n")]


@pytest.mark.recorded
@pytest.mark.parametrize("release, count", [("", 141), ("2025.10", 201), ("2025.12", 201), ("2026.8", 197)])
def test_every_policy_of_a_recorded_database_conforms(release, count):
    names, rows = stored(release)
    policies = [{**POLICY, **dict(zip(names[1:], row[1:])), "pk": row[0]} for row in rows]
    assert len(policies) == count
    assert [policy for policy in policies if not conforms(policy, body_schema(200))] == []


def agrees(reply, operation="get"):
    """Compares what the workers say with what the document promises of that status: body, type, and every other header."""
    promised = resolve(PATH[operation]["responses"][str(reply.status)])
    (kind, media), = promised.get("content", {None: None}).items()
    assert reply.headers.get("content-type") == kind  # as of 2026.2 and later
    assert conforms(json.loads(reply.body), media["schema"]) if media else reply.body == b""
    headers = {name.lower(): resolve(header) for name, header in promised.get("headers", {}).items()}
    given = {name: value for name, value in reply.headers.items() if name not in ("status", "content-type", "content-length")}
    assert {name for name in headers if headers[name].get("required")} <= set(given) <= set(headers)
    for name, value in given.items():
        schema = headers[name]["schema"]
        assert conforms(int(value) if schema["type"] == "integer" else value, schema)


MISSING = fastcgi.URI.format(sample.MISSING)
WORD = fastcgi.URI.format("word")
TEXT = [("Accept", "text/html")]


@pytest.mark.parametrize("status, uri, key, options", [
    *((200, fastcgi.URI.format(policy), ADMIN, {}) for policy in sample.POLICIES), (200, URI + "?format=", ADMIN, {}),
    (400, WORD, ADMIN, {}), (400, URI, ADMIN, {"headers": KEY}), (400, fastcgi.URI.format("a" * 9000), ADMIN, {}),
    (403, URI, None, {}), (403, URI, b"Basic x", {}), (403, URI, "nope", {}), (403, URI, "sample-key-employee", {}),
    (404, MISSING, ADMIN, {}), (404, URI, "sample-key-helpdesk", {}), (404, URI + "?format=xml", ADMIN, {}),
    (404, "/", None, {}), (405, URI, ADMIN, {"method": "POST"}), (405, URI, None, {"method": "DELETE"}),
    (406, URI, ADMIN, {"headers": TEXT})])
def test_an_answer_of_the_workers_is_as_described(workers, status, uri, key, options):
    reply = fastcgi.ask(workers.socket, uri, key, **options)
    assert reply.status == status
    agrees(reply)


@pytest.mark.parametrize("status, uri, headers", [(204, URI, []), (204, WORD, []), (400, URI, KEY + KEY), (404, "/", []), (406, URI, TEXT)])
def test_an_answer_to_options_is_as_described(workers, status, uri, headers):
    reply = fastcgi.ask(workers.socket, uri, method="OPTIONS", headers=headers)
    assert reply.status == status
    agrees(reply, "options")


@pytest.mark.parametrize("status, sqlstate", [(500, "XX000"), (503, "53200"), (504, "57014")])
def test_an_answer_to_an_error_of_the_database_is_as_described(start_workers, own, status, sqlstate):
    sample.fail(own, sqlstate)
    reply = fastcgi.ask(start_workers(own).socket, URI, ADMIN)
    assert reply.status == status
    agrees(reply)


def test_an_answer_without_a_database_is_as_described(start_workers, tmp_path):
    reply = fastcgi.ask(start_workers("host=%s" % tmp_path, has_database=False, database_wait="0ms").socket, URI, ADMIN)
    assert reply.status == 503
    agrees(reply)


def test_every_described_answer_to_get_was_asked_for():
    answers = test_an_answer_of_the_workers_is_as_described, test_an_answer_to_an_error_of_the_database_is_as_described
    asked = {str(row[0]) for test in answers for row in test.pytestmark[0].args[1]}
    assert asked == set(PATH["get"]["responses"])


@pytest.mark.parametrize("change", [{"status": "200 OK"}, {"allow": "GET"}, {"content-type": "text/html"}])
def test_an_answer_that_is_not_as_described_would_be_seen(workers, change):
    reply = fastcgi.ask(workers.socket, URI, "nope")
    reply.headers.update(change)
    reply.status = int(reply.headers["status"][:3])
    with pytest.raises(AssertionError):
        agrees(reply)
