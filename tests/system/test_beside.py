# SPDX-License-Identifier: MIT
"""Beside authentik in nginx: what is ours goes to the workers, all else is as before, our failures wait for authentik."""
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

import rawhttp
import servers
import standin
from conftest import factory
from sample import ADMIN, KEY, POLICIES, URI

REFUSED = b'{"detail":"Service temporarily unavailable."}'
SITES = {"documented": "", "hosts": "", "path": "/sso", "full": ""}  # and the path below which authentik is
PLACE = servers.ROOT / "tests" / "system" / "sites"
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT.check_hostname, CLIENT.verify_mode = False, ssl.CERT_NONE
FRAME = """worker_processes 2; daemon off; pid nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off; default_type application/octet-stream; keepalive_requests 100000;
    client_body_temp_path body; fastcgi_temp_path fastcgi; proxy_temp_path proxy; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
    include site.conf;
}
"""


class Site(servers.Process):
    """An nginx with one of sites/, with our two files in it or without; only where the workers listen is written into them."""

    end_signal = servers.signal.SIGQUIT

    def __init__(self, directory, name, authentik, certificate, workers=None, extra="", zone=""):
        self.tls, self.http = str(directory / "https.sock"), str(directory / "http.sock")
        (directory / "files").mkdir()
        (directory / "files" / "a.txt").write_text("a file\n")
        os.utime(directory / "files" / "a.txt", (0, 0))
        os.utime(directory / "files", (0, 0))
        for kind in ("http", "server"):
            text = (servers.ROOT / "nginx" / ("event-matcher.%s.conf" % kind)).read_text()
            (directory / ("event-matcher.%s.conf" % kind)).write_text(
                text.replace("/run/event-matcher-fcgi/event-matcher-fcgi.sock", workers or ""))
        site = (PLACE / (name + ".conf")).read_text()
        values = {r"HTTPS( ssl)": "unix:%s\\1" % self.tls, r"listen HTTP;": "listen unix:%s;" % self.http, "AUTHENTIK_HTTPS": authentik.https,
                  "AUTHENTIK_HTTP": authentik.http, "CERTIFICATE;": "%s;" % certificate[0], "KEY;": "%s;" % certificate[1], "DIRECTORY": str(directory)}
        for pattern, value in values.items():
            site = re.sub(pattern, value, site)
        if workers:
            site = re.sub(r"# (event-matcher\.(http|server)\.conf)\n", lambda found: (extra if found[2] == "server" else "") +
                          "include %s;\n" % found[1], site)
        (directory / "site.conf").write_text(zone + site)
        (directory / "nginx.conf").write_text(FRAME)
        for path in directory.glob("*.conf"):
            path.chmod(0o644)
        self.command = ["nginx", "-p", directory, "-c", directory / "nginx.conf"]
        super().__init__(self.command, directory, "nginx")
        self.wait_ready(lambda: os.path.exists(self.tls) and servers.connects(self.tls), "nginx")

    def connect(self):
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(60)
        plain.connect(self.tls)
        return CLIENT.wrap_socket(plain, server_hostname="sso.example")

    def ask(self, method, target, headers=(), body=None, host="sso.example"):
        """One request over TLS on a connection of its own."""
        connection = rawhttp.Connection.__new__(rawhttp.Connection)
        connection.socket = self.connect()
        with connection:
            return connection.ask(method, target, headers, body, host)


@pytest.fixture(scope="module")
def workers(plain, alone):
    """This is about web servers: one build is enough."""
    yield from map(lambda start: start(alone), factory(servers.Workers, plain))


@pytest.fixture(scope="module")
def certificate(directory):
    return standin.make_certificate(directory)


@pytest.fixture
def authentik(certificate):
    server = standin.Authentik(certificate)
    yield server
    server.stop()


@pytest.fixture
def start_site():
    yield from factory(Site)


@pytest.fixture(params=SITES)
def site(request, start_site, workers, authentik, certificate):
    site = start_site(request.param, authentik, certificate, workers.socket)
    site.base, site.name = SITES[request.param], request.param
    return site


@pytest.fixture
def stopped(start_site, authentik, certificate):
    """The documented site, its workers gone."""
    return start_site("documented", authentik, certificate, "/nowhere/workers.sock")


def ours(response):
    return response.getheader("Vary") == "Accept, Authorization"


def authentiks(response):
    return "Cookie" in response.getheader("Vary", "")


@pytest.mark.parametrize("name", SITES)
def test_nginx_takes_the_two_files_into_each_site_unchanged(name, start_site, authentik, certificate):
    site = start_site(name, authentik, certificate, "/run/event-matcher-fcgi/event-matcher-fcgi.sock")
    checked = subprocess.run([*site.command, "-t"], cwd=site.directory, capture_output=True, text=True, **servers.unprivileged())
    said = re.sub(r".*(could not open error log|\"listen ... http2\" directive is deprecated).*", "", checked.stderr)  # the site's own
    assert checked.returncode == 0 and "warn" not in said, checked.stderr
    for kind in ("http", "server"):
        shipped = servers.ROOT / "nginx" / ("event-matcher.%s.conf" % kind)
        assert (site.directory / shipped.name).read_text() == shipped.read_text()


def test_a_policy_asked_for_canonically_is_ours(site):
    for method in ("GET", "HEAD"):
        response = site.ask(method, site.base + URI, KEY)
        assert response.status == 200 and ours(response)
    assert json.loads(site.ask("GET", site.base + URI.upper().replace("/API/V3/POLICIES/EVENT_MATCHER", URI[:30]), KEY).content)["pk"] == POLICIES[0]
    refused = site.ask("GET", site.base + URI, [("Authorization", "bearer  nope")])
    assert refused.status == 403 and ours(refused)
    assert "Authorization" not in site.log() and ADMIN not in site.log()


def test_a_hundred_on_a_kept_connection_are_ours(site, authentik):
    connection = http.client.HTTPSConnection("sso.example")
    connection.sock = site.connect()
    for number in range(100):
        connection.request("GET", site.base + URI.replace(POLICIES[0], POLICIES[number % 8]), headers=dict(KEY))
        response = connection.getresponse()
        assert json.loads(response.read())["pk"] == POLICIES[number % 8] and response.status == 200
    connection.close()
    assert [target for _, target in authentik.asked if "event_matcher" in target] == []


# What is not ours, and what a site may do with it: the method, the path, the headers, the body.
OTHERS = [(method, URI, KEY, body) for method, body in (("PUT", b"{}"), ("POST", b"x" * 70000), ("PATCH", b""), ("DELETE", None),
                                                          ("OPTIONS", None), ("TRACE", None), ("TRACK", None), ("get", None))]
OTHERS += [("GET", URI, headers, None) for headers in ([], [("Authorization", "Basic x")], [("Authorization", "Bearer")],
                                                       [("Authorization", "Bearer ")], [("Authorization", "Token x")], [("Cookie", "a=b")])]
OTHERS += [("GET", target, KEY, None) for target in (
    URI + "?", URI + "?name=x", URI + "?a=/&b=%20", URI[:-1], URI + "x", URI + "/", URI.replace("-", ""), URI.replace("-", "_"),
    URI.replace("matcher/1", "matcher/%31"), URI.replace("/api", "//api"), URI.replace("/api", "/./api"), URI.replace("v3", "x/../v3"),
    URI.replace("/api/v3", "/api/V3"), URI.replace("event_matcher", "event%5Fmatcher"), URI + "used_by/", URI.replace("1111/", "111g/"),
    "/api/v3/policies/event_matcher/", "/api/v3/policies/all/" + POLICIES[0] + "/", "/other" + URI, "/sso" + URI, "/sso/sso" + URI,
    "http://sso.example" + URI + "?x", "/./event-matcher-fcgi", "/event-matcher-fcgi", "/%2e/event-matcher-fcgi", "/.%2fevent-matcher-fcgi",
    "//event-matcher-fcgi", "/x/.././event-matcher-fcgi", "/@event_matcher_failed", "/-/metrics/", "/-/health/live/", "/-/health/ready/",
    "/-/", "/metrics", "", "/", "/if/user/", "/if/admin/#/x", "/static/dist/a.css", "/static/dist/a.css", "/a.js?v=1", "/old/x", "/short",
    "/status/404", "/status/500", "/status/502", "/status/418", "/api/v3/status/404", "/api/v3/status/503", "/secret", "/robots.txt",
    "/files/a.txt", "/files/", "/files/none", "/x.php", "/sorry.html", "/verify", "/sso/", "/sso/if/user/", "/sso/status/404",
    "/a%2fb/%25?x=%2f%0a", "/%c3%a4", "/" + "x" * 9000)]


def exchange(site, host, base, asked):
    """The whole reply as it comes over the wire, but for its time."""
    method, target, headers, body = asked
    lines = ["%s %s HTTP/1.1" % (method, target if target.startswith("http") else base + target), "Host: " + host, "Connection: close"]
    lines += ["%s: %s" % pair for pair in headers] + (["Content-Length: %d" % len(body)] if body is not None else [])
    with site.connect() as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        reply = b""
        while more := connection.recv(65536):
            reply += more
    return re.sub(rb"\r\nDate: [^\r]*", b"", reply)


@pytest.mark.parametrize("name", SITES)
def test_every_page_that_is_not_ours_is_the_same_byte_for_byte(name, start_site, workers, authentik, certificate):
    before, with_ours = start_site(name, authentik, certificate), start_site(name, authentik, certificate, workers.socket)
    differ, told = [], []
    hosts = ["sso.example", *(["other.example", "www.sso.example", "nobody"] if name == "hosts" else [])]
    for host in hosts:
        for asked in OTHERS + ([("GET", URI, KEY, None), ("GET", "/sso" + URI, [], None)] if host != "sso.example" else []):
            for base in {"", SITES[name]} if asked[1] != URI or asked[2] != KEY or asked[0] != "GET" else {""}:
                if base + asked[1] == SITES["path"] + URI and name == "path" and asked[2] == KEY and asked[0] == "GET":
                    continue  # this one is ours
                replies = [exchange(site, host, base, asked).replace(str(site.directory).encode(), b"") for site in (before, with_ours)]
                told.append(replies[0])
                if replies[0] != replies[1]:
                    differ.append((host, base, asked[:3], *replies))
    assert differ == [] and len(set(told)) > 60 and all(told[number].startswith(b"HTTP/1.1 ") for number in range(0, len(told), 2))


def test_a_websocket_goes_to_authentik_and_stays_open(site):
    with site.connect() as connection:
        connection.sendall(("GET %s/ws/outpost/ HTTP/1.1\r\nHost: sso.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" % site.base).encode())
        stream = connection.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 101 ")
        while stream.readline() != b"\r\n":
            pass
        for word in (b"ping\n", b"pong\n"):
            connection.sendall(word)
            assert stream.readline() == word.upper()


def test_over_http_2_it_is_ours_too(start_site, workers, authentik, certificate):
    site = start_site("documented", authentik, certificate, workers.socket)
    said = subprocess.run(["curl", "-skI", "--http2", "--unix-socket", site.tls, "-H", "Authorization: Bearer " + ADMIN, "https://sso.example" + URI],
                          capture_output=True, text=True, check=True).stdout.lower()
    assert said.startswith("http/2 200") and "vary: accept, authorization" in said and "strict-transport-security: max-age=63072000" in said


def test_our_failure_goes_through_the_sites_own_location(site, start_site, certificate, authentik):
    gone = start_site(site.name, authentik, certificate, "/nowhere/workers.sock")
    for method in ("GET", "HEAD"):
        response = gone.ask(method, site.base + URI, KEY)
        assert response.status == 200 and authentiks(response) and (method, site.base + URI) in authentik.asked
    replies, asked = [], []
    for server in (gone, start_site(site.name, authentik, certificate)):
        authentik.asked.clear()
        replies.append(exchange(server, "sso.example", site.base, ("GET", URI, KEY, None)))
        asked.append(list(authentik.asked))
    assert replies[0] == replies[1] and asked[0] == asked[1]


def test_a_database_that_is_away_leads_to_authentik(start_plain, start_site, authentik, certificate, tmp_path):
    workers = start_plain("host=%s" % tmp_path, has_database=False, database_wait="0ms")
    assert authentiks(start_site("documented", authentik, certificate, workers.socket).ask("GET", URI, KEY))


def test_where_no_host_of_a_cluster_answers_authentik_does(start_site, authentik, certificate):
    """cluster.conf beside authentik, as it says; nobody listens there."""
    shipped = (servers.ROOT / "nginx" / "cluster.conf").read_text()
    chosen = re.search(r"^#     (set \$event_matcher_pool (\w+);\n)", shipped, re.M)
    hosts = shipped.replace("10.0.0.11:9000", "127.0.0.1:1").replace("10.0.0.12:9000", "127.0.0.2:1")
    hosts = re.sub(r"^(upstream|    zone) event_matcher ", r"\1 %s " % chosen[2], hosts, flags=re.M)
    site = start_site("documented", authentik, certificate, "/nowhere/workers.sock", chosen[1], hosts)
    assert [authentiks(site.ask("GET", URI, KEY)) for _ in range(6)] == [True] * 6
    assert "127.0.0.1:1" in site.log() and "127.0.0.2:1" in site.log() and "/nowhere" not in site.log()


def test_a_limit_of_the_sites_own_is_not_got_round(start_site, workers, authentik, certificate):
    site = start_site("documented", authentik, certificate, workers.socket, "limit_req zone=own;\n", "limit_req_zone own zone=own:64k rate=1r/m;\n")
    replies = [site.ask("GET", URI, KEY) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 503, 503] and json.loads(replies[1].content)["detail"] and authentik.asked == []


def test_what_authentik_refuses_after_us_is_the_sites_to_word(start_site, authentik, certificate, monkeypatch):
    monkeypatch.setattr(standin.Handler, "status", lambda handler: 404 if "event_matcher" in handler.path else 200)
    replies = [start_site("full", authentik, certificate, *workers).ask("GET", URI, KEY) for workers in ([], ["/nowhere/workers.sock"])]
    assert [(reply.status, reply.content) for reply in replies] == [(404, b"missing\n")] * 2


# What sites say in their http block, for programs, limits and pages of their own.
HABITS = """limit_req_status 429; limit_conn_status 429; limit_req_dry_run on; limit_conn_dry_run on; error_page 403 404 429 500 502 503 504 /own.html;
proxy_intercept_errors on; fastcgi_intercept_errors on; recursive_error_pages off; fastcgi_next_upstream off; fastcgi_connect_timeout 5s;
fastcgi_bind 127.0.0.1; fastcgi_store on; fastcgi_force_ranges on; fastcgi_buffering off; fastcgi_index index.php; fastcgi_pass_request_body off;
fastcgi_ignore_headers X-Accel-Redirect Cache-Control Vary; open_file_cache max=100; open_file_cache_errors on; disable_symlinks on;
limit_rate 100k; keepalive_timeout 0; add_header X-Own yes; gzip on; gzip_types *; gzip_min_length 1; charset utf-8; expires 1h;
client_header_buffer_size 512; large_client_header_buffers 2 1k; root /srv; index index.html; auth_basic off;
"""


def test_what_a_site_says_for_all_its_places_does_not_change_our_answers(start_site, workers, authentik, certificate):
    site = start_site("documented", authentik, certificate, workers.socket, zone=HABITS)
    for uri, key, status, content in ((URI, KEY, 200, POLICIES[0]), (URI.replace("1111/", "1112/"), KEY, 404, "No EventMatcherPolicy"),
                                      (URI, [("Authorization", "Bearer nope")], 403, "Token invalid")):
        response = site.ask("GET", uri, key)
        assert response.status == status and ours(response) and content in response.content.decode()


@pytest.mark.parametrize("count, most", [(120, 35), (60, 40)], ids=["as many at once as it does", "as many under way as it may have"])
def test_what_a_site_says_for_all_its_places_does_not_change_how_our_failures_go_on(count, most, start_site, authentik, certificate):
    site = start_site("documented", authentik, certificate, "/nowhere/workers.sock", zone=HABITS)
    authentik.pause = 0.08
    if most == 40:
        authentik.go.clear()
    crowd = Crowd(site, count)
    servers.wait_until(lambda: len(crowd.refused()) >= 20, "twenty to be refused")
    authentik.go.set()
    replies = crowd.all()
    assert {reply.status for reply in replies} == {200, 503} and authentik.most <= most
    assert {(reply.getheader("Retry-After"), reply.content) for reply in crowd.refused()} == {("5", REFUSED)}


def test_a_path_below_which_authentik_is_may_end_with_a_slash(start_site, workers, authentik, certificate):
    """As AUTHENTIK_WEB__PATH does. The site's own line stands before this one."""
    for base in ("/sso/", "/sso"):
        assert ours(start_site("path", authentik, certificate, workers.socket, "set $event_matcher_base %s;\n" % base).ask("GET", "/sso" + URI, KEY))


def test_a_server_may_have_a_pool_of_its_own(start_site, workers, authentik, certificate):
    """As the tenants' hosts have; by an upstream's name, and by an address."""
    upstream = "upstream event_matcher_two { server unix:%s; }\n" % workers.socket
    for pool, answers in (("event_matcher_two", ours), ("127.0.0.1:1", authentiks)):
        site = start_site("documented", authentik, certificate, "/nowhere/workers.sock", "set $event_matcher_pool %s;\n" % pool, upstream)
        assert answers(site.ask("GET", URI, KEY))


def test_no_answer_of_ours_is_kept_for_another_caller(start_site, workers, authentik, certificate):
    site = start_site("full", authentik, certificate, workers.socket)
    assert [site.ask("GET", URI, key).status for key in (KEY, [("Authorization", "Bearer nope")], KEY)] == [200, 403, 200]


class Crowd:
    """Many who ask at once: the replies in the order in which they come."""

    def __init__(self, site, count):
        self.replies, self.site = [], site
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        self.replies.append(self.site.ask("GET", URI, KEY))

    def all(self):
        for thread in self.threads:
            thread.join(60)
        return self.replies

    def refused(self):
        return [reply for reply in list(self.replies) if reply.status == 503]


def test_ten_at_once_without_the_workers_get_ten_answers_of_authentik(stopped, authentik, figure):
    authentik.pause, begun = 0.08, time.monotonic()
    replies = Crowd(stopped, 10).all()
    figure("ten at once, the pool stopped, s", time.monotonic() - begun, 30)
    assert [reply.status for reply in replies] == [200] * 10 and all(map(authentiks, replies))


def test_a_thousand_at_once_without_the_workers_do_not_take_authentik_down(stopped, authentik, figure):
    authentik.pause = 0.08
    crowd = Crowd(stopped, 1000)
    servers.wait_until(lambda: len(crowd.refused()) > 500, "the most to be refused")
    assert authentiks(stopped.ask("GET", "/if/user/"))
    replies = crowd.all()
    figure("a thousand at once, the pool stopped: at authentik at the same time", authentik.most, 41)
    refused = crowd.refused()
    assert len(replies) == 1000 and {reply.status for reply in replies} == {200, 503} and len(replies) - len(refused) >= 60
    for reply in refused:
        assert reply.content == REFUSED and reply.getheader("Retry-After") == "5"
        assert reply.getheader("Content-Type") == "application/json" and reply.getheader("Cache-Control") == "no-store"


def test_no_more_than_forty_are_with_an_authentik_that_does_not_answer(stopped, authentik):
    authentik.go.clear()
    crowd = Crowd(stopped, 60)
    servers.wait_until(lambda: len(crowd.refused()) == 20, "all but forty to be refused")
    assert authentik.busy == 40
    authentik.go.set()
    assert sorted(reply.status for reply in crowd.all()) == [200] * 40 + [503] * 20


def test_the_three_commands_switch_on_prove_who_answered_and_switch_back(start_site, workers, authentik, certificate):
    """As the document has them, with a site's directory in the place of nginx's own."""
    site = start_site("documented", authentik, certificate)
    text = (site.directory / "site.conf").read_text()
    (site.directory / "site.conf").write_text(text.replace("# event-matcher.http.conf", "include conf.d/*.conf;")
                                              .replace("# event-matcher.server.conf", "include event-matcher/*.conf;"))
    once, commands = re.findall(r"^```sh\n(.*?)^```", (servers.ROOT / "docs" / "web-servers.md").read_text(), re.M | re.S)[:2]
    switch_on, prove, switch_back = commands.splitlines()
    tools = site.directory / "tools"
    for path in (tools, site.directory / "conf.d", site.directory / "shipped"):
        path.mkdir()
    for kind in ("http", "server"):
        (site.directory / ("event-matcher.%s.conf" % kind)).rename(tools.parent / "shipped" / ("event-matcher.%s.conf" % kind))
    conf = tools.parent / "shipped" / "event-matcher.http.conf"
    conf.write_text(re.sub(r"unix:\S*", "unix:" + workers.socket, conf.read_text()))
    (tools / "nginx").write_text('#!/bin/sh\nexec %s "$@"\n' % " ".join([shutil.which("nginx"), *map(str, site.command[1:])]))
    (tools / "nginx").chmod(0o755)
    (tools / ".curlrc").write_text('unix-socket = "%s"\ninsecure\n' % site.tls)

    def run(command, check=True):
        for path, instead in (("/usr/share/event-matcher-fcgi/nginx", tools.parent / "shipped"), ("/etc/nginx", tools.parent)):
            command = command.replace(path, str(instead))
        found = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, env={
            **os.environ, "PATH": "%s:%s" % (tools, os.environ["PATH"]), "CURL_HOME": str(tools), "KEY": ADMIN, "UUID": POLICIES[0]})
        assert found.returncode == 0 or not check, found.stderr
        return found.stdout.strip()

    run(once)
    assert "Cookie" in run(prove)
    run(switch_on)
    # A connection that nginx closes as it reloads has no answer yet.
    servers.wait_until(lambda: run(prove, False).lower() == "vary: accept, authorization", "our answer", 10)
    run(switch_back)
    servers.wait_until(lambda: "cookie" in run(prove, False).lower(), "authentik's answer", 10)


def block(name, text):
    return re.search(r"^%s \{\n.*?^\}" % name, text, re.S | re.M).group()


def test_the_files_beside_authentik_say_the_same_as_those_for_it_alone():
    """No file of a site includes another of ours, so what both need stands in each."""
    text = {path.name: path.read_text() for path in (servers.ROOT / "nginx").glob("*.conf")}
    assert block("upstream event_matcher", text["event-matcher.http.conf"]) == block("upstream event_matcher", text["upstream.conf"])
    beside = text["event-matcher.server.conf"]
    directives = re.findall(r"^fastcgi\w+ .*;$", text["event-matcher.conf"], re.M)
    assert len(directives) > 8 and [line for line in directives if "    %s\n" % line not in beside] == [
        "fastcgi_pass event_matcher;", "fastcgi_param REQUEST_URI $request_uri;"]
    assert "include" not in text["event-matcher.http.conf"] + beside and "location / " not in beside
