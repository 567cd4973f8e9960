# SPDX-License-Identifier: MIT
"""Other web servers beside authentik, each with its file of contrib/: the same eight requests, and what becomes of a failure."""
import json
import re

import pytest

import fastcgi
import rawhttp
import servers
import standin
import webservers
from conftest import factory
from sample import ADMIN, KEY, POLICIES, URI


@pytest.fixture(scope="module")
def workers(plain, alone):
    """This is about web servers: one build is enough."""
    yield from map(lambda start: start(alone), factory(servers.Workers, plain))


@pytest.fixture(scope="module")
def authentik(directory):
    server = standin.Authentik(standin.make_certificate(directory))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=webservers.ALL.values(), ids=webservers.ALL)
def server(request, authentik, workers):
    yield from map(lambda start: start(authentik, workers.socket), factory(request.param))


@pytest.fixture
def start_server():
    yield from factory(lambda directory, name, *arguments: webservers.ALL[name](directory, *arguments))


def who(response):
    """Whose answer it is, as a client can tell it."""
    vary = response.getheader("Vary", "").replace(" ", "")
    return {"Accept,Authorization": "ours", "Accept-Language,Cookie": "authentik's"}.get(vary, vary)


def ask(server, method, target, headers=(), body=None):
    return rawhttp.ask(server.socket, method, target, headers, body, "sso.example")


def test_a_policy_by_its_id_is_ours(server):
    response = ask(server, "GET", URI, KEY)
    assert (response.status, who(response)) == (200, "ours") and json.loads(response.content)["pk"] == POLICIES[0]


def test_head_is_ours_and_has_no_body(server):
    response = ask(server, "HEAD", URI, KEY)
    assert (response.status, who(response), response.content) == (200, "ours", b"")


@pytest.mark.parametrize("method, target, headers", [
    ("GET", URI + "?name=x", KEY), ("PUT", URI, KEY), ("GET", "/if/user/", KEY), ("GET", URI[:-2] + "/", KEY), ("GET", URI, []),
    ("GET", URI, [("Authorization", "Basic x")]), ("GET", "/-/metrics/", KEY), ("DELETE", URI, KEY)])
def test_all_else_is_authentiks(server, authentik, method, target, headers):
    response = ask(server, method, target, headers, b"body" if method == "PUT" else None)
    assert (response.status, who(response)) == (200, "authentik's") and (method, target) == authentik.asked[-1]


def test_a_key_that_is_none_is_refused_by_us(server):
    response = ask(server, "GET", URI, [("Authorization", "bearer nope")])
    assert (response.status, who(response)) == (403, "ours") and b"Token invalid" in response.content


def connections(workers):
    """How many the workers have, beside the one that asks."""
    return int(re.search(r"^event_matcher_connections (\d+)$", fastcgi.ask(workers.socket, "/-/metrics/").body.decode(), re.M).group(1)) - 1


def test_300_on_a_kept_connection_are_ours(server, workers):
    with rawhttp.Connection(server.socket) as connection:
        for number in range(300):
            response = connection.ask("GET", URI.replace(POLICIES[0], POLICIES[number % 8]), KEY, host="sso.example")
            assert (response.status, who(response)) == (200, "ours") and json.loads(response.content)["pk"] == POLICIES[number % 8]
        if server.KEEPS:
            assert connections(workers) > 0
        servers.wait_until(lambda: server.KEEPS or connections(workers) == 0, "the connections to the workers to be closed")
    assert ADMIN not in server.log()


@pytest.mark.parametrize("name", ["haproxy", "apache", "caddy"])
def test_while_the_workers_are_gone_authentik_answers(name, start_server, start_plain, alone, authentik):
    workers = start_plain(alone)
    server = start_server(name, authentik, workers.socket)
    assert who(ask(server, "GET", URI, KEY)) == "ours"
    assert workers.stop() == 0
    answers = [ask(server, "GET", URI, KEY) for _ in range(20)]
    assert [(answer.status, who(answer)) for answer in answers] == [(200, "authentik's")] * 20
    start_plain(alone, socket=workers.socket)
    servers.wait_until(lambda: who(ask(server, "GET", URI, KEY)) == "ours", "the workers' answers again")


def test_where_no_host_of_a_cluster_answers_haproxy_asks_authentik(authentik):
    for start in factory(webservers.HAProxyCluster):
        server = start(authentik, "no pool here")
        answers = [ask(server, "GET", URI, KEY) for _ in range(20)]
        assert [(answer.status, who(answer)) for answer in answers] == [(200, "authentik's")] * 20


def test_lighttpd_says_503_while_the_workers_are_gone(start_server, authentik):
    assert ask(start_server("lighttpd", authentik, "/nowhere/workers.sock"), "GET", URI, KEY).status == 503


@pytest.mark.parametrize("name, status, whose", [("haproxy", 503, "ours"), ("apache", 503, "ours"), ("lighttpd", 503, "ours"),
                                                 ("caddy", 200, "authentik's")])
def test_while_the_database_is_away_it_is_answered_as_the_document_says(name, status, whose, start_server, start_plain, authentik, tmp_path):
    workers = start_plain("host=%s" % tmp_path, has_database=False, database_wait="0ms")
    response = ask(start_server(name, authentik, workers.socket), "GET", URI, KEY)
    assert (response.status, who(response)) == (status, whose) and response.getheader("Retry-After") == (None if status == 200 else "1")


@pytest.mark.parametrize("name, line", [("apache", "CGIPassAuth"), ("haproxy", "pass-header")])
def test_a_web_server_that_keeps_the_key_to_itself_is_named_in_the_log_once(name, line, start_server, start_plain, alone, authentik):
    workers = start_plain(alone)
    server = start_server(name, authentik, workers.socket, line)
    statuses = [ask(server, "GET", URI, KEY).status for _ in range(30)]
    assert statuses == [403] * 30 and workers.log().count(" key_withheld ") == 1 and line in workers.log()


def test_one_request_with_a_key_is_enough_for_no_hint(start_plain, alone):
    workers = start_plain(alone)
    for keys in ([None] * 9, ["nope"], [None] * 50):
        assert {fastcgi.ask(workers.socket, URI, key).status for key in keys} == {403}
    assert fastcgi.ask(workers.socket, "/-/health/live/").status == 200 and "key_withheld" not in workers.log()
