# SPDX-License-Identifier: MIT
"""Every recorded request of every recorded release gets authentik's own answer, or that of the table of differences."""
import json
import re

import pytest

import conftest
import fastcgi
import metrics
import rawhttp

pytestmark = pytest.mark.recorded

INVALID = (400, {"policy_uuid": ["Enter a valid UUID."], "code": "invalid"})
NOT_FOUND = (404, {"detail": "Not found."})
NO_POLICY = (404, {"detail": "No EventMatcherPolicy matches the given query."})
BAD_KEY = (403, {"detail": "Token invalid/expired"})
FORBIDDEN = (403, {"detail": "You do not have permission to perform this action."})
COUNTS = {"2024.8": 279, "2025.10": 181, "2025.12": 227, "2026.8": 346}
OLD, NEW = ("2024.8",), ("2025.10", "2025.12", "2026.8")

# Where we differ on purpose: a pattern of the case's name, our answer (a body of None: only the status counts), and the
# releases whose recordings have such a case. The README says why, for each kind.
DIFFERENCES = [
    (r"(corner/)?id/(short|long|nothex|word|zero|space|leading-space|nul|quote|very-long|tab|bad-percent)", INVALID, OLD + NEW),
    (r"(corner/)?id/(odd-hyphens|unicode-digits|brace-open-only|brace-double|underscore)", INVALID, OLD + NEW),
    (r"id-nobody/(word|short)", INVALID, OLD + NEW),
    (r"(corner/)?order/(TRACE|PROPFIND|POST)-bad(-word)?", (405, None), OLD + NEW),
    (r"(corner/)?order/OPTIONS-(none|bad|nobody|super)(-word)?", (204, None), OLD + NEW),
    (r"method(-missing)?/OPTIONS(-noauth)?", (204, None), NEW),
    (r"method(-missing)?/(BREW|get)", (405, None), NEW),
    (r"(auth(-missing-policy)?/utf8|corner/auth/key-utf8-latin1)", BAD_KEY, OLD + NEW),
    (r"corner/auth/two-different", (400, None), NEW),
    (r"path/(no-trailing-slash|double-slash|double-trailing|dot-segments|upper-path|extra|fragment-like)", NOT_FOUND, OLD + NEW),
    (r"(id/(encoded-slash|dot)|corner/path/encoded-last-slash)", NOT_FOUND, OLD + NEW),
    # The filters of a list, which authentik applies here, too; beside authentik nginx sends a query string there.
    (r"path/query-(name-other|action-other|action-bad|uuid-bad|search-other)", (200, None), NEW),
    # Grants whose object_pk is no canonical UUID count, or end in a 500; here they grant nothing, as up to 2025.10.
    (r"corner/(upperpk|hexpk)/.*", FORBIDDEN, ("2025.12", "2026.8")),
    (r"corner/junkpk/(102|180)", NO_POLICY, ("2025.12",)),
    (r"corner/junkpk/10f", (200, None), ("2026.8",)),
]
# What the web server answers itself: it hands on neither the request nor the answer.
OF_NGINX = {"id/nul": 400, "corner/id/bad-percent": 400, "method/get": 400, "method-missing/get": 400, "corner/auth/two-different": 400}


def recordings(release):
    found = [json.loads(line) for line in conftest.shared(conftest.RELEASES[release] + "recorded.jsonl").open()]
    for recorded in found:  # those of 2024.8 name the API's root, too
        recorded["path"] = re.sub(r"^(/api/v3)?", "/api/v3", recorded["path"], count=1)
    return found


def difference(release, case):
    return next((answer for pattern, answer, releases in DIFFERENCES if release in releases and re.fullmatch(pattern, case)), None)


def is_json(recorded):
    return bool(recorded["response"]) and "json" in recorded["response_headers"].get("content-type", "")


def expected(release, recorded):
    """Our answer: status, the body's members in their order, Content-Type. Of a page only the status is authentik's."""
    differs = difference(release, recorded["case"])
    if differs:
        return differs[0], differs[1], None
    if not is_json(recorded):
        return recorded["status"], None, None
    return recorded["status"], json.loads(recorded["response"]), recorded["response_headers"]["content-type"]


def agrees(release, recorded, status, body, kind):
    want, members, want_kind = expected(release, recorded)
    if status != want or want_kind not in (None, kind):
        return False
    return members is None or list(json.loads(body).items()) == list(members.items())


@pytest.fixture(scope="module", params=conftest.RELEASES)
def release(request):
    return request.param


@pytest.fixture(scope="module")
def workers(start_module_workers, recorded, release):
    """On that authentik's own database."""
    return start_module_workers(recorded(release))


def test_every_recorded_request_is_answered_as_by_authentik_at_the_socket_and_once_more(workers, release):
    """What is found the first time is known the second."""
    wrong = []
    for recorded in recordings(release) * 2:
        reply = fastcgi.ask(workers.socket, recorded["path"], method=recorded["method"], headers=recorded["headers"])
        if not agrees(release, recorded, reply.status, reply.body, reply.headers.get("content-type")):
            wrong.append((recorded["case"], reply.status, reply.body, expected(release, recorded)))
    assert wrong == []
    metrics.known_answers(workers, COUNTS[release] / 10)


def test_every_recorded_request_is_answered_as_by_authentik_through_nginx(nginx, release):
    wrong = []
    for recorded in recordings(release):
        response = rawhttp.ask(nginx.socket, recorded["method"], recorded["path"], recorded["headers"])
        kind = response.headers.get("content-type")
        refused = OF_NGINX.get(recorded["case"])
        if response.status != refused and not agrees(release, recorded, response.status, response.content, kind):
            wrong.append((recorded["case"], response.status, response.content, expected(release, recorded)))
    assert wrong == []


def test_no_recording_is_left_out_and_few_differ_on_purpose(release):
    cases = [recorded["case"] for recorded in recordings(release)]
    differing = sum(1 for case in cases if difference(release, case))
    assert (len(cases), differing) == (COUNTS[release], {"2024.8": 37, "2025.10": 27, "2025.12": 33, "2026.8": 32}[release])


def test_each_row_of_the_table_of_differences_is_met_by_a_recording_of_each_of_its_releases():
    cases = {release: [recorded["case"] for recorded in recordings(release)] for release in conftest.RELEASES}
    unmet = [pattern for pattern, _, releases in DIFFERENCES
             if not any(re.fullmatch(pattern, case) for release in releases for case in cases[release])]
    assert unmet == []
