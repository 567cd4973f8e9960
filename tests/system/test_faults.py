# SPDX-License-Identifier: MIT
"""Faults of clients, of clocks and of memory, each provoked, with its figure beside its limit."""
import collections
import contextlib
import random
import re
import select
import socket
import statistics
import struct
import time

import psycopg
import pytest

import fastcgi
import rawhttp
import sample
import servers
from conftest import factory
from fastcgi import Connection, record
from load import Load
from sample import ADMIN, KEY, POLICIES, POLICY, URI

MIB = 1 << 20
OTHER = fastcgi.URI.format(POLICIES[1])
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def resident(pid):
    return int(open("/proc/%d/statm" % pid).read().split()[1]) * 4096


def sanitized(program):
    return b"libasan" in program.read_bytes()


def grow_replies(database, size=4 * MIB):
    database.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', %d) where policy_ptr_id = '%s'" % (size, POLICY))


# More than can be done
def seconds_of(connection, request):
    began = time.monotonic()
    connection.send(request)
    return connection.reply().status, time.monotonic() - began


def test_of_200_slow_requests_a_bounded_number_waits_and_the_others_are_told_503_at_once(start_workers, own, figure, program):
    workers = start_workers(own, max_requests=100, known_answers=0)
    pid, = workers.worker_pids()
    with contextlib.ExitStack() as stack, psycopg.connect(own.owner_dsn) as owner, Connection(workers.socket) as last:
        assert last.ask(URI, ADMIN).status == 200
        before = resident(pid)
        owner.execute("lock table authentik_policies_policy")
        crowd = [stack.enter_context(Connection(workers.socket)) for _ in range(200)]
        for connection in crowd:
            connection.send(sample.request())
        servers.wait_until(lambda: len(select.select(crowd, [], [], 0)[0]) >= 100, "those beyond the limit to be answered")
        shed = [connection for connection in crowd if connection in select.select(crowd, [], [], 0)[0]]
        assert {connection.reply().status for connection in shed} == {503}
        figure("waiting of 200 slow requests", 200 - len(shed), 100)
        times = [(seconds_of(last, sample.request()), seconds_of(last, fastcgi.request(fastcgi.parameters("/x/")))) for _ in range(200)]
        assert {(full[0], other[0]) for full, other in times} == {(503, 404)}
        # Beside what any answer takes here: a busy machine lengthens both.
        usual = statistics.median(other for _, (_, other) in times)
        figure("a shed request, median, ms", statistics.median(full for (_, full), _ in times) * 1000, max(1, 3 * usual * 1000))
        figure("memory that 200 slow requests take, MiB", max(0, resident(pid) - before) // MIB, 40 if sanitized(program) else 4)
        owner.rollback()
        assert {connection.reply().status for connection in crowd if connection not in shed} == {200}
        assert last.ask(URI, ADMIN).status == 200


def test_500_stuck_peers_hold_up_nobody_and_a_bounded_memory(start_workers, own, figure, program):
    grow_replies(own)
    workers = start_workers(own)
    pid, = workers.worker_pids()
    with contextlib.ExitStack() as stack, Connection(workers.socket) as other:
        assert other.ask(OTHER, ADMIN).status == 200
        before = resident(pid)
        stuck = [stack.enter_context(Connection(workers.socket)) for _ in range(500)]
        for number, connection in enumerate(stuck):  # one in eight never reads its reply, the others send a byte now and then
            connection.send(sample.request() if number % 8 == 0 else sample.request()[:20 + number % 40])
        deaf = stuck[::8]
        for turn in range(2):
            servers.wait_until(lambda: len(select.select(deaf, [], [], 0)[0]) == len(deaf), "each deaf peer's reply to begin")
            assert [other.ask(OTHER, ADMIN).status for _ in range(50)] == [200] * 50
            for number, connection in enumerate(stuck):
                if number % 8:
                    connection.send(sample.request()[20 + number % 40 + turn:][:1])
        figure("memory that 500 stuck peers take, MiB", (resident(pid) - before) // MIB, (64 + 500 * 64 / 1024) * (3 if sanitized(program) else 1))
        first = deaf[0].reply()
        assert first.status == 200 and len(first.body) > 4 * MIB
        assert [connection.reply().status for connection in deaf[1:]].count(503) > len(deaf) - 20


# Memory
def end_of(connection):
    """What became of a request: the status of its whole reply, "closed" without a byte of one, or "broken off"."""
    begun = False
    try:
        begun = bool(select.select([connection], [], [], 60)[0] and connection.socket.recv(1, socket.MSG_PEEK))
        reply = connection.reply()
        whole = reply.status != 200 or len(reply.body) == int(reply.headers["content-length"])
        return reply.status if whole else "broken off"
    except (EOFError, ConnectionResetError):
        return "broken off" if begun else "closed"


def test_with_64_mib_of_memory_each_reply_is_whole_or_503(start_plain, own, figure):
    grow_replies(own)
    workers = start_plain(own, prefix=["prlimit", "--data=%d" % (64 * MIB)], known_answers=0)  # whose 4 MiB would be missed here
    pids = workers.worker_pids()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Connection(workers.socket)) for _ in range(60)]
        for connection in crowd:
            connection.send(sample.request())
        ends = collections.Counter(end_of(connection) for connection in crowd)
    print(ends)
    assert ends[200] and ends[503] + ends["closed"] and set(ends) <= {200, 503, "closed", "broken off"}
    figure("replies of 60 broken off under a limit of 64 MiB", ends["broken off"], 0)
    servers.wait_until(lambda: fastcgi.ask(workers.socket, OTHER, ADMIN).status == 200, "it to serve again")
    assert workers.worker_pids() == pids


def test_lengths_of_2_gib_allocate_nothing(workers, figure, program):
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    pid, = workers.worker_pids()
    contents = [b"\xff\xff\xff\xf0\xff\xff\xff\xf0", b"\xbf\xff\xff\xff\x00", b"\x00\xff\xff\xff\xff" + b"x" * 3000, b"\xff" * 65000]
    requests = [fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, content, piece=piece) + record(fastcgi.STDIN)
                for content in contents for piece in (1, 3, 5, 65535) if len(content) < 9000 or piece > 5]
    before = None
    for turn in range(40):
        for request in requests:
            with Connection(workers.socket) as connection:
                connection.send(request)
                assert connection.reply().status == 400
        before = before or resident(pid)  # the first turn may take what is kept for any later request
    figure("growth by parameter lengths of 2 GiB, KiB", (resident(pid) - before) // 1024, 65536 if sanitized(program) else 256)


# Time
def test_a_clock_that_jumps_costs_no_request(start_plain, start_nginx, own, tmp_path, figure):
    clock = own.server.directory / "clock"
    clock.write_text("+0")
    workers = start_plain(own, sandbox="off", environment={"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    with Load(workers.socket, [(ADMIN, POLICIES[0]), (ADMIN, POLICIES[1])]) as load:
        for jump in ("+1d", "-1d", "+400d", "+0"):
            clock.write_text(jump)
            servers.wait_until(lambda n=len(load.answers): len(load.answers) > n + 100, "some answers", 120)
    figure("failed of %d while the clock jumps a day to and fro" % len(load.answers), sum(a.reply.status != 200 for a in load.answers), 0)
    clock.write_text("+400d")
    assert workers.stop() == 0 and workers.log()[:4] < workers.log().splitlines()[-1][:4]  # its clock did jump


def test_a_day_without_a_request_costs_none(start_plain, start_nginx, own, tmp_path, figure):
    """All clocks of the workers jump: their kept connections are closed, nginx opens new ones."""
    clock = own.server.directory / "clock"
    clock.write_text("+0")
    workers = start_plain(own, sandbox="off", environment={"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"})
    nginx, statuses = start_nginx(workers.socket), []
    for day in range(4):
        clock.write_text("+%dd" % day)
        statuses += [rawhttp.ask(nginx.socket, "GET", URI, KEY).status for _ in range(20)]
    figure("failed of %d requests, some after an idle day" % len(statuses), len(statuses) - statuses.count(200), 0)


def test_our_idle_limit_is_longer_than_that_of_nginx():
    minutes, = re.findall(r'SETTING\(idle_timeout, duration, "(\d+)min"', (servers.ROOT / "src" / "settings.def").read_text())
    assert int(minutes) > 1 and "keepalive_timeout" not in (servers.ROOT / "nginx" / "upstream.conf").read_text()  # its default is 60 s


# Identity
def stream_of_replies(connection):
    """(id, everything on STDOUT) of each reply, read in large pieces; padding is checked."""
    data, at, out = bytearray(), 0, b""
    while True:
        if len(data) - at < 8:
            data, at = data[at:] + connection.socket.recv(1 << 18), 0
            continue
        _, kind, id, size, padding = struct.unpack_from(">BBHHBx", data, at)
        if len(data) - at < 8 + size + padding:
            data, at = data[at:] + connection.socket.recv(1 << 18), 0
            continue
        content, rest = data[at + 8:at + 8 + size], data[at + 8 + size:at + 8 + size + padding]
        assert not any(rest), "padding leaks"
        at += 8 + size + padding
        if kind == fastcgi.END:
            yield id, out
            out = b""
        else:
            out += content


def test_100_000_requests_with_each_id_in_turn_get_their_own_replies(workers, figure):
    wrong, total = 0, 100000
    with Connection(workers.socket) as connection:
        replies = stream_of_replies(connection)
        for start in range(0, total, 500):
            numbers = range(start, start + 500)
            connection.send(b"".join(fastcgi.request(fastcgi.parameters(URI, "M%d" % number), 1 + number % 65535) for number in numbers))
            for number in numbers:
                id, out = next(replies)
                wrong += id != 1 + number % 65535 or b'"Method \\"M%d\\" not allowed."' % number not in out
    figure("wrong replies of %d with ids in turn" % total, wrong, 0)


# Paths
PATHS = ["", "/", "/api/v3/", URI, URI + "?", URI[:-1], URI + "/", "/" + URI, "//" + URI, URI.replace("/policies", "//policies"),
         URI.replace("policies/", "policies/./"), URI.replace("policies/", "policies/../policies/"), "/x/.." + URI,
         URI.replace("/policies/", "/policies%2F"), URI.replace("/policies/", "/policies%2f"), "/..%2f" + URI[1:], "/..%2f.." + URI,
         "/%2e%2e" + URI, "/%2e" + URI, URI.replace("-", "%2d"), URI.replace("-", "%252d"), URI.replace("a", "%61"), URI.replace("a", "%2561"),
         fastcgi.URI.format("%ff%c0%ae"), fastcgi.URI.format("%0d%0aX: y"), fastcgi.URI.format("%0d%0aX:y"), fastcgi.URI.format("%00"),
         fastcgi.URI.format(POLICY + "%00"), fastcgi.URI.format(POLICY + ";x"), URI + ";x", URI.replace("api", "api;x"),
         fastcgi.URI.format(POLICY + "%2f"), fastcgi.URI.format("%2f" + POLICY), fastcgi.URI.format(POLICY + "%20"), fastcgi.URI.format("+" + POLICY),
         fastcgi.URI.format("%zz"), fastcgi.URI.format("%"), fastcgi.URI.format("%2"), fastcgi.URI.format("{" + POLICY + "}"),
         fastcgi.URI.format("urn:uuid:" + POLICY), fastcgi.URI.format(POLICY.upper()), fastcgi.URI.format("a" * 8000), fastcgi.URI.format("a" * 8170),
         "/" + "%2e%2e%2f" * 2000, "/" + "x" * 9000, URI + "?format=json", URI + "?format=xml", URI + "?a=%0d%0a&format=json", URI + "?" + "b" * 9000,
         URI + "?x=/../..", URI.replace("v3", "V3"), URI.replace("/api", "\\api"), URI + "%3fformat=xml", URI + "%23x", "/API" + URI[4:]]
# What a web server answers by itself, and never asks us: nginx where a path leads out of the root or is no HTTP, HAProxy where a
# percent-encoding is bad (500) or it is no HTTP.
OWN = {"nginx": {400}, "haproxy": {400, 500}}


@pytest.fixture
def start_haproxy():
    yield from factory(servers.HAProxy)


def outcome(reply):
    return reply.status, getattr(reply, "content", getattr(reply, "body", None))


def agrees(path, got, direct):
    """HAProxy hands on the decoded path, too: a control character in it is what is wrong then, and else the id with it."""
    return got == direct or (re.search("%[01]", path) and got[0] == direct[0] == 400)


def test_nginx_haproxy_and_a_direct_request_agree_on_every_path(workers, nginx, start_haproxy, figure):
    haproxy, differences, asked = start_haproxy(workers.socket), [], {"nginx": 0, "haproxy": 0}
    for path in PATHS:
        direct = outcome(fastcgi.ask(workers.socket, path, ADMIN))
        for name, server in (("nginx", nginx), ("haproxy", haproxy)):
            got = outcome(rawhttp.ask(server.socket, "GET", path, KEY))
            if got[0] in OWN[name] and got[1].startswith(b"<html>"):
                print("%s itself says %d of %s" % (name, got[0], path[:99]))
                continue
            asked[name] += 1
            if not agrees(path, got, direct):
                differences.append((path[:99], name, got, direct))
    print("\n".join(map(str, differences)))
    assert min(asked.values()) > 40
    figure("paths of %d on which nginx, HAProxy and a direct request differ" % len(PATHS), len(differences), 0)


# What the database is asked
@pytest.fixture
def logged(own):
    """A database whose server logs each statement; said(): those of our role since the last call."""
    own.run("alter database %s set log_statement = 'all'; alter database %s set log_duration = off" % (own.name, own.name))
    at = [0]

    def said():
        time_stamp = "end of what was said %d" % random.getrandbits(60)
        own.run("do $$ begin raise log '%s'; end $$" % time_stamp)
        servers.wait_until(lambda: time_stamp in own.server.log(), "the server's log")
        log = own.server.log()
        new, at[0] = log[at[0]:], len(log)
        return {re.sub(r"\s+", " ", text.strip()) for text in re.findall(r"LOG:  (execute [^:]*: .*?)(?=\n\d{4}-\d\d-\d\d )", new + "\n2026-01-01 ", re.S)
                if not text.startswith("execute facts:")}  # asked every ten seconds

    own.said = said
    return own


BAD_IDS = [POLICY[:-1], POLICY + "1", "g" + POLICY[1:], "{" + POLICY, "{{%s}}" % POLICY, "URN:UUID:" + POLICY, POLICY.replace("-", "", 1),
           "%EF%BC%91" + POLICY[1:], "'%20OR%201=1", "abc", "0", "%zz", "%00", "x" * 2000]


def test_a_bad_uuid_or_key_costs_no_query(start_workers, logged, figure):
    workers = start_workers(logged)
    logged.said()
    for bad in BAD_IDS:
        assert fastcgi.ask(workers.socket, fastcgi.URI.format(bad), ADMIN).status == 400
    for bad in ("", b"\xff", "x" * 8193, "a\xe4"):
        assert fastcgi.ask(workers.socket, URI, bad).status == 403
    figure("statements for %d bad ids and keys" % (len(BAD_IDS) + 4), len(logged.said()), 0)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    assert len(logged.said()) > 0  # or the test saw nothing


QUERIES = ["?" + "&".join("k%d=v" % number for number in range(7000)), "?" + "%zz" * 5000, "?x=';drop table authentik_core_user;--",
           "?id=1%20or%201=1&format=json", "?" + "&" * 10000, "?" + "=" * 10000, "?order=(select+1)", "?%27;select+pg_sleep(9)--"]
KEYS = ["' or ''='", "';drop table authentik_core_token;--", "\\'; select 1; --", "$1", "{}", "NULL", '","', "a'b\\", "%(key)s", "sample-key-admin'--"]


def test_whatever_is_asked_the_database_sees_the_same_statements(start_workers, logged, figure):
    workers = start_workers(logged)
    ask = lambda uri, key: fastcgi.ask(workers.socket, uri, key).status
    for _ in range(2):  # what is guessed of a key is asked about in other words
        assert (ask(URI, ADMIN), ask(URI, "sample-key-helpdesk"), ask(URI, "nope"), ask(URI, "sample-token-admin")) == (200, 404, 403, 200)
    known = logged.said()
    with Connection(workers.socket) as connection:
        for query in QUERIES:
            assert connection.ask(URI + query, ADMIN).status == 200
        many = "&".join("k%d=v" % number for number in range(10000))
        assert connection.ask(URI + "?" + many, ADMIN).status == 400  # larger than all parameters may be
        assert [connection.ask(URI, key).status for key in KEYS] == [403] * len(KEYS)
    new = logged.said()
    assert len(new) >= 2
    figure("statements that %d hostile queries and keys added" % (len(QUERIES) + len(KEYS)), len(new - known), 0)


# Echoes
ODD = ["a\x80b", "\x9b31m", "é" * 40, "\xff\xfe", "x" * 500, "%0d%0a", "\u202e"]
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (error|warning|info|debug) \d+ \S[^\x00-\x1f\x7f-\x9f]*")


def test_what_a_client_or_the_database_says_is_one_line_of_the_log_and_no_header(start_workers, own, figure):
    sample.intercept(own, r"raise E'two\r\nlines \x1b[31m and more\t' using errcode = 'XX000'")
    workers = start_workers(own)
    for odd in ODD + ["a\r\nSet-Cookie: x=1", "\x1b[2J"]:
        raw = odd.encode("latin-1", "replace")
        for reply in (fastcgi.ask(workers.socket, URI, ADMIN, headers=[("X-Request-Id", raw)]), fastcgi.ask(workers.socket, URI, ADMIN, method=raw)):
            head = reply.raw.partition(b"\r\n\r\n")[0]
            assert reply.status in (400, 405, 500) and set(reply.headers) <= {"status", "content-type", "content-length", "allow", "vary", "cache-control"}, head
            assert b"Set-Cookie" not in head and all(0x20 <= byte < 0x7f or byte in b"\r\n" for byte in head)
            assert not any(byte < 0x20 for byte in reply.body)
    log = workers.log_path.read_bytes().decode("utf-8")  # an invalid byte is an error here
    figure("lines of the log that are no event", sum(not LINE.fullmatch(line) for line in log.splitlines()), 0)
    assert "\\x80" in log and "two lines" in log.replace("\\x0d", " ").replace("\\x0a", " ").replace("  ", " ")


def beside_large(workers):
    """Seconds that a small request takes that comes behind 200 for one large policy."""
    with Connection(workers.socket) as small, contextlib.ExitStack() as kept:
        many = [kept.enter_context(Connection(workers.socket)) for _ in range(200)]
        assert small.ask(OTHER, ADMIN).status == 200
        for connection in many:
            connection.send(sample.request())
        status, took = seconds_of(small, sample.request(OTHER))
        assert status == 200 and {connection.reply().status for connection in many} <= {200, 503, 504}
    return took


def test_one_large_policy_asked_for_200_times_at_once_holds_up_no_small_request(start_plain, own, figure):
    """It is rendered once for a batch, where it took 0.95 s, and what no client takes yet waits beside the others' replies."""
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('ä', 2 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_plain(own)
    took = min(beside_large(workers) for _ in range(3))
    figure("seconds that a small request takes beside 200 of 4 MiB each", took, 0.6)
