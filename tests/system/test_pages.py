# SPDX-License-Identifier: MIT
"""metrics_listen: metrics and health over plain HTTP, on a socket of their own, and nothing else there."""
import re
import signal
import socket
import subprocess
import time

import pytest

import conftest
import fastcgi
import metrics
import rawhttp
import sample
import servers
from sample import ADMIN, URI

DOCUMENT = (servers.ROOT / "docs/operations.md").read_text()


@pytest.fixture
def start(start_workers, alone):
    """start(): a pool with such a socket at a port, which it is asked at."""

    def begin(database=alone, **settings):
        port = servers.free_port()
        workers = start_workers(database, metrics_listen="127.0.0.1:%d" % port, **settings)
        workers.pages = ("127.0.0.1", port)
        return workers

    return begin


def curl(workers, path, *options):
    result = subprocess.run(["curl", "-sS", "-m", "60", *options, "http://127.0.0.1:%d%s" % (workers.pages[1], path)],
                            capture_output=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_curl_gets_metrics_in_which_promtool_finds_no_fault(start):
    workers = start(workers=2)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    text = curl(workers, "/-/metrics/")
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60)
    assert result.returncode == 0 and result.stderr + result.stdout == b"", result.stderr + result.stdout
    assert set(metrics.read(text.decode())) == set(metrics.read(metrics.ask(workers)))
    assert b"event_matcher_requests_total" in curl(workers, "/metrics?from=prometheus")


def test_health_is_told_by_the_status(start):
    workers = start()
    for path, text in (("/-/health/live/", b"live\n"), ("/-/health/ready", b"ready\n")):
        assert curl(workers, path, "-f") == text
    reply = rawhttp.ask(workers.pages, "HEAD", "/-/health/ready/")
    assert reply.status == 200 and reply.getheader("Content-Length") == "6" and reply.getheader("Connection") == "close"


def test_without_a_database_it_is_not_ready(start, directory):
    workers = start("host=%s dbname=none" % directory, has_database=False)
    assert rawhttp.ask(workers.pages, "GET", "/-/health/ready/").status == 503
    assert rawhttp.ask(workers.pages, "GET", "/-/health/live/").status == 200


@pytest.mark.parametrize("method, path, status", [
    ("GET", URI, 404), ("GET", "/", 404), ("GET", "/-/", 404), ("GET", "//-/metrics/", 404), ("GET", "/-/metrics/../metrics/", 404),
    ("POST", "/-/metrics/", 405), ("OPTIONS", "/", 405), ("GET", "-/metrics/", 400), ("GET", "http://x/-/metrics/", 400), ("GET", "", 400)])
def test_nothing_else_is_served_there(start, method, path, status):
    reply = rawhttp.ask(start().pages, method, path, sample.KEY)
    assert reply.status == status and reply.content == b"" and (reply.getheader("Allow") == "GET, HEAD") == (status == 405)


@pytest.mark.parametrize("data, status", [
    (b"\r\n\r\n", b"400"), (b"GET\r\n\r\n", b"400"), (b"GET / HTTP/2.0\r\n\r\n", b"400"), (b"GET / HTTP/1.\r\n\r\n", b"400"),
    (b"GET /\0 HTTP/1.1\r\n\r\n", b"404"), (b"GET /-/health/live/ HTTP/1.0\r\n\r\n", b"200"), (fastcgi.begin() + b"\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 4096, b"431")])
def test_what_is_no_request_is_refused_and_the_next_one_answered(start, data, status):
    workers = start()
    with socket.create_connection(workers.pages, 60) as client:
        client.sendall(data)
        assert client.recv(100).startswith(b"HTTP/1.1 " + status)
    assert rawhttp.ask(workers.pages, "GET", "/-/health/live/").status == 200


def test_a_request_may_come_byte_by_byte(start):
    with socket.create_connection(start().pages, 60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /-/health/ready/ HTTP/1.1\r\nHost: x\r\n\r\n":
            client.send(bytes([byte]))
        assert client.makefile("rb").read().endswith(b"\r\n\r\nready\n")


def test_slow_clients_hold_up_nobody_and_are_closed(start):
    workers = start()
    slow = [socket.create_connection(workers.pages, 60) for _ in range(100)]
    for client in slow:
        client.send(b"GET /-/metrics/ HTTP/1.1\r\n")
    began = time.monotonic()
    assert rawhttp.ask(workers.pages, "GET", "/-/health/live/").status == 200
    assert time.monotonic() - began < 4  # far from the five seconds after which those are closed
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    for client in slow:
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass


def test_a_unix_socket_has_the_mode_and_outlives_a_reload_and_the_loss_of_its_file(start_workers, alone):
    path = alone.server.directory / "pages.sock"
    workers = start_workers(alone, metrics_listen="unix:%s" % path, listen_mode="0600")

    def ready():
        return rawhttp.ask(str(path), "GET", "/-/health/ready/").status == 200

    assert path.stat().st_mode & 0o777 == 0o600
    servers.wait_until(ready, "its workers to be ready")
    with rawhttp.Connection(str(path)):
        workers.process.send_signal(signal.SIGHUP)
        servers.wait_until(lambda: "generation 2 serves" in workers.log(), "the next workers")
    servers.wait_until(ready, "its workers to be ready")
    path.unlink()
    servers.wait_until(lambda: path.exists() and servers.connects(str(path)), "the socket to be made anew")
    servers.wait_until(ready, "its workers to be ready")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    assert workers.stop() == 0 and not path.exists()


def test_an_upgrade_hands_it_on(start):
    workers = start()
    workers.process.send_signal(signal.SIGUSR2)
    servers.wait_until(lambda: workers.successors(), "the upgrade")
    workers.process.wait(60)
    servers.wait_until(lambda: rawhttp.ask(workers.pages, "GET", "/-/health/ready/").status == 200, "the new workers to be ready")
    assert curl(workers, "/-/health/ready/", "-f") == b"ready\n" and fastcgi.ask(workers.socket, URI, ADMIN).status == 200


def test_while_the_pool_drains_nobody_is_told_that_it_is_ready(start):
    workers = start()
    with fastcgi.Connection(workers.socket) as client:
        client.send(sample.request()[:20])
        servers.wait_until(lambda: metrics.read(metrics.ask(workers))["event_matcher_connections"] == 2, "the request to have begun")
        workers.process.send_signal(signal.SIGTERM)
        servers.wait_until(lambda: not servers.connects(workers.pages), "nobody to listen")


def test_an_address_that_is_none_is_named_with_its_setting(program):
    result = subprocess.run([program, "--listen=9000", "--metrics-listen=999999"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "metrics_listen: the address 999999 has a port" in result.stderr


def documented(start):
    """The block of the document that begins so."""
    return re.search(r"^```\n(%s.*?)^```" % re.escape(start), DOCUMENT, re.M | re.S).group(1)


class Checking(servers.HAProxy):
    CONFIGURATION = """
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
fcgi-app event_matcher
    docroot /
    pass-header Authorization
frontend clients
    bind unix@{socket} mode 0666
    default_backend event_matcher
    monitor-uri /up
    monitor fail if {{ nbsrv(event_matcher) eq 0 }}
""" + documented("backend event_matcher").replace("/run/event-matcher-fcgi/event-matcher-fcgi.sock", "{workers}").replace("9145", "{port}")

    def __init__(self, directory, workers):
        self.CONFIGURATION = self.CONFIGURATION.replace("{port}", str(workers.pages[1]))
        super().__init__(directory, workers.socket)


@pytest.fixture
def start_haproxy():
    yield from conftest.factory(Checking)


def test_haproxy_asks_as_documented_and_takes_a_pool_that_is_not_ready_out(start, start_haproxy, own):
    workers = start(own)
    haproxy = start_haproxy(workers)

    def up():
        return rawhttp.ask(haproxy.socket, "GET", "/up").status == 200

    servers.wait_until(up, "HAProxy to see it ready")
    assert rawhttp.ask(haproxy.socket, "GET", URI, sample.KEY).status == 200
    own.run("alter table authentik_policies_policy rename to gone")
    own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = current_database()")
    servers.wait_until(lambda: not up(), "HAProxy to see it not ready")
    own.run("alter table gone rename to authentik_policies_policy")
    servers.wait_until(up, "HAProxy to see it ready again")


def test_the_documented_command_and_scrape_are_those_that_are_run():
    assert documented("event-matcher-fcgi --metrics-listen").split()[-1] == "http://127.0.0.1:9145/-/metrics/"
