# SPDX-License-Identifier: MIT
"""Beside authentik: what is ours goes to the workers, all else goes on, and our failures fall back with a cap."""
import http.server
import socketserver
import threading

import pytest

import fastcgi
import rawhttp
import servers
from sample import ADMIN, KEY, URI


class Authentik(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """What stands behind nginx in authentik's place: an HTTP server that says what reached it, when it is let."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path):
        super().__init__(path, Handler)
        self.go, self.busy = threading.Event(), 0
        self.go.set()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.busy += 1
        self.server.go.wait(60)
        text = ("authentik %s %s %s" % (self.command, self.path, body.decode())).encode()
        self.send_response(418)
        for name in ("Upgrade", "Connection"):
            self.send_header(name + "-Seen", self.headers.get(name, ""))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = do_DELETE = answer

    def address_string(self):
        return "nginx"

    def log_message(self, *_):
        pass


@pytest.fixture
def authentik_stand_in():
    path = servers.make_directory()
    server = Authentik(str(path / "authentik.sock"))
    (path / "authentik.sock").chmod(0o777)
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()
    (path / "authentik.sock").unlink()
    path.rmdir()


@pytest.fixture
def beside(start_workers, start_nginx, alone, authentik_stand_in):
    workers = start_workers(alone)
    nginx = start_nginx(workers.socket, site="beside-authentik", authentik=authentik_stand_in.server_address)
    nginx.workers = workers
    return nginx


def test_a_policy_asked_for_canonically_is_ours(beside):
    for method in ("GET", "HEAD"):
        assert rawhttp.ask(beside.socket, method, URI, KEY).status == 200
    assert rawhttp.ask(beside.socket, "GET", URI, [("Authorization", "bearer nope")]).status == 403


@pytest.mark.parametrize("method, target, headers", [
    ("GET", URI + "?name=x", KEY), ("GET", URI, []), ("GET", URI, [("Authorization", "Basic x")]), ("PUT", URI, KEY),
    ("POST", URI, KEY), ("OPTIONS", URI, KEY), ("GET", URI.replace("-", ""), KEY), ("GET", URI[:-1], KEY), ("GET", "/", []),
    ("GET", URI.replace("matcher/1", "matcher/%31"), KEY), ("GET", "/api/v3/policies/event_matcher/", KEY),
    ("GET", "/if/user/", []), ("DELETE", URI, KEY)])
def test_all_else_goes_on_to_authentik_as_the_client_wrote_it(beside, method, target, headers):
    response = rawhttp.ask(beside.socket, method, target, headers, b"body" if method in ("PUT", "POST") else None)
    body = " body" if method in ("PUT", "POST") else " "
    assert response.status == 418 and response.content.decode() == "authentik %s %s%s" % (method, target, body)


def test_our_failure_falls_back_to_authentik(beside):
    assert beside.workers.stop() == 0
    for method in ("GET", "HEAD"):
        assert rawhttp.ask(beside.socket, method, URI, KEY).status == 418


def test_a_database_that_is_away_falls_back_to_authentik(start_workers, start_nginx, authentik_stand_in, tmp_path):
    workers = start_workers("host=%s" % tmp_path, has_database=False, database_wait="0ms")
    nginx = start_nginx(workers.socket, site="beside-authentik", authentik=authentik_stand_in.server_address)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
    assert rawhttp.ask(nginx.socket, "GET", URI, KEY).status == 418


def test_a_websocket_reaches_authentik_with_its_upgrade(beside):
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    response = rawhttp.ask(beside.socket, "GET", "/ws/outpost/", upgrade)
    assert response.getheader("Upgrade-Seen") == "websocket" and response.getheader("Connection-Seen") == "upgrade"


def test_no_more_than_four_requests_fall_back_at_once(beside, authentik_stand_in):
    assert beside.workers.stop() == 0
    authentik_stand_in.go.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(rawhttp.ask(beside.socket, "GET", URI, KEY).status))
               for _ in range(20)]
    for thread in threads:
        thread.start()
    servers.wait_until(lambda: len(answers) == 16, "all but four to be refused")
    assert answers == [503] * 16 and authentik_stand_in.busy == 4
    authentik_stand_in.go.set()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [418] * 4 + [503] * 16
