# SPDX-License-Identifier: MIT
"""Every recorded request gets authentik's own answer, or the one that stands in the table of differences."""
import json
import re

import pytest

import conftest
import fastcgi
import rawhttp

pytestmark = pytest.mark.recorded

INVALID = (400, {"policy_uuid": ["Enter a valid UUID."], "code": "invalid"})
NOT_FOUND = (404, {"detail": "Not found."})
BAD_KEY = (403, {"detail": "Token invalid/expired"})

# Where we differ on purpose: a pattern of the case's name, and our answer. None: only the status counts.
DIFFERENCES = [
    (r"id/(short|long|nothex|word|zero|space|leading-space|nul|quote|very-long)", INVALID),
    (r"id/(odd-hyphens|unicode-digits)", INVALID),
    (r"id-nobody/(word|short)", INVALID),
    (r"order/(TRACE|PROPFIND)-bad(-word)?", (405, None)),
    (r"order/OPTIONS-(none|bad|nobody|super)(-word)?", (204, None)),
    (r"auth(-missing-policy)?/utf8", BAD_KEY),
    (r"path/(no-trailing-slash|double-slash|double-trailing|dot-segments|upper-path|extra|fragment-like)", NOT_FOUND),
    (r"id/(encoded-slash|dot)", NOT_FOUND),
]
DIFFERING, REFUSED_BY_NGINX = 37, "id/nul"


def recordings():
    return [json.loads(line) for line in conftest.shared("recorded.jsonl").open()]


def replayed():
    """Those that nginx hands on; where there are no recordings, one parameter in their place, which skips or fails."""
    if not (conftest.SHARED / "recorded.jsonl").exists():
        return [pytest.param(None, id="no-recordings")]
    return [pytest.param(r, id=r["case"]) for r in recordings() if r["case"] != REFUSED_BY_NGINX]


@pytest.fixture(scope="module")
def recorded_answers():
    return recordings()


def difference(case):
    return next((answer for pattern, answer in DIFFERENCES if re.fullmatch(pattern, case)), None)


def expected(recorded):
    """Our answer: of a page only the status is authentik's."""
    body = recorded["response"]
    agreed = (recorded["status"], json.loads(body) if body and not recorded.get("html") else None)
    return difference(recorded["case"]) or agreed


@pytest.fixture(scope="module")
def workers(start_module_workers, authentik):
    return start_module_workers(authentik)


def same(status, body, recorded):
    want_status, want_body = expected(recorded)
    return status == want_status and (want_body is None or json.loads(body) == want_body)


@pytest.mark.parametrize("recorded", replayed())
def test_a_recorded_request_is_answered_as_by_authentik_through_nginx(nginx, recorded):
    response = rawhttp.ask(nginx.socket, recorded["method"], recorded["path"], recorded["headers"])
    assert same(response.status, response.content, recorded), (response.status, response.content, expected(recorded))


def test_every_recorded_request_is_answered_as_by_authentik_at_the_socket(workers, recorded_answers):
    wrong = []
    for recorded in recorded_answers:
        reply = fastcgi.ask(workers.socket, recorded["path"], method=recorded["method"], headers=recorded["headers"])
        if not same(reply.status, reply.body, recorded):
            wrong.append((recorded["case"], reply.status, reply.body, expected(recorded)))
    assert wrong == []


def test_all_279_recordings_are_replayed_and_37_of_them_differ_on_purpose(recorded_answers):
    cases = [recorded["case"] for recorded in recorded_answers]
    assert (len(cases), sum(1 for case in cases if difference(case))) == (279, DIFFERING)


def test_nginx_itself_refuses_a_path_with_a_nul(nginx, recorded_answers):
    recorded = next(recorded for recorded in recorded_answers if recorded["case"] == REFUSED_BY_NGINX)
    assert rawhttp.ask(nginx.socket, "GET", recorded["path"], recorded["headers"]).status == 400


def test_a_body_has_the_recorded_keys_and_values_in_their_order(workers, recorded_answers):
    for recorded in recorded_answers:
        if recorded["status"] == 200 and recorded["method"] == "GET" and not difference(recorded["case"]):
            reply = fastcgi.ask(workers.socket, recorded["path"], headers=recorded["headers"])
            ours, theirs = (list(json.loads(text).items()) for text in (reply.body, recorded["response"]))
            assert ours == theirs, recorded["case"]
