# SPDX-License-Identifier: MIT
"""Each metric moves when what it counts is caused, and docs/metrics.md is the table of the source."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import conftest
import fastcgi
import metrics
import openloop
import sample
import servers
from fastcgi import Connection
from sample import ADMIN, POLICY, URI

CAUSED = {}  # by each metric the test that causes it


def moves(*keys):
    """The test moves these metrics: expect, asked for the pool, waits until each has another value than before."""

    def mark(test):
        for key in keys:
            CAUSED[key] = test.__name__
        test.moved = keys
        return test

    return mark


@pytest.fixture
def expect(request):
    """with expect(workers) as look: what is done in it moves each metric that the test names with moves, or those that are given.
    look gives the values; what was seen to have moved then may be back at the end."""

    @contextlib.contextmanager
    def watch(workers, *keys):
        before, left = metrics.read(metrics.ask(workers)), list(keys or request.function.moved)

        def look():
            """What has moved need not stay so."""
            now = metrics.read(metrics.ask(workers))
            left[:] = [key for key in left if now[key] == before[key]]
            return now

        yield look
        servers.wait_until(lambda: look() and not left, left)

    return watch


def of(workers, key):
    return metrics.read(metrics.ask(workers))[key]


def requests(code):
    return 'event_matcher_requests_total{code="%d"}' % code


def shed(reason):
    return 'event_matcher_shed_total{reason="%s"}' % reason


@moves(*map(requests, (200, 204, 400, 403, 404, 405, 406)), "event_matcher_request_duration_seconds", "event_matcher_queue_wait_seconds",
       "event_matcher_database_query_duration_seconds", "event_matcher_batch_questions")
def test_a_request_of_each_kind_counts(start_workers, alone, expect):
    workers = start_workers(alone)
    with expect(workers), Connection(workers.socket) as client:
        for uri, key, options in ((URI, ADMIN, {}), (URI, "no-such-key", {}), ("/api/v3/other/", ADMIN, {}),
                                  (URI.replace("-", "x", 1), ADMIN, {}), (URI, ADMIN, {"method": "PUT"}),
                                  (URI, ADMIN, {"method": "OPTIONS"}), (URI, ADMIN, {"headers": [("Accept", "text/html")]})):
            client.ask(uri, key, **options)


@moves(requests(500), 'event_matcher_database_lost_total{reason="stale"}', 'event_matcher_facts_total{how="asked"}')
def test_an_error_of_the_database_counts(start_workers, own, expect):
    sample.fail(own, "42P99")
    workers = start_workers(own)
    with expect(workers):
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 500


@moves('event_matcher_database_lost_total{reason="pooled"}')
def test_a_prepared_statement_that_is_gone_counts(start_workers, own, expect):
    sample.fail(own, "26000")
    workers = start_workers(own)
    with expect(workers):
        fastcgi.ask(workers.socket, URI, ADMIN)


@moves(requests(504), 'event_matcher_database_lost_total{reason="overdue"}')
def test_a_database_that_stands_still_counts(start_workers, own, expect):
    workers = start_workers(own, request_timeout="200ms", statement_timeout="100ms")
    backend, = own.run("select pid from pg_stat_activity where usename = 'event_matcher' and datname = current_database()")
    with expect(workers):
        os.kill(backend[0], signal.SIGSTOP)
        try:
            assert fastcgi.ask(workers.socket, URI, ADMIN).status == 504
            servers.wait_until(lambda: "did not answer within" in workers.log(), "the loss")
        finally:
            os.kill(backend[0], signal.SIGCONT)


@moves('event_matcher_database_lost_total{reason="broken"}', 'event_matcher_database_connects_total{result="good"}',
       'event_matcher_facts_total{how="known"}')
def test_a_session_that_is_ended_and_back_counts(start_workers, own, expect):
    workers = start_workers(own)
    with expect(workers):
        own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = current_database()")


@moves("event_matcher_requests_in_flight", "event_matcher_connections")
def test_what_waits_and_what_is_open_counts(start_workers, own, expect):
    workers = start_workers(own)
    with psycopg.connect(own.owner_dsn) as lock, Connection(workers.socket) as client:
        before = of(workers, "event_matcher_connections")
        lock.execute("lock table authentik_policies_policy in access exclusive mode")
        client.send(sample.request())
        servers.wait_until(lambda: of(workers, "event_matcher_requests_in_flight") == 1, "the request to wait")
        lock.rollback()
        assert client.reply().status == 200
        assert of(workers, "event_matcher_requests_in_flight") == 0 and before == of(workers, "event_matcher_connections") == 2


@moves(shed("max_connections"), shed("max_requests"), requests(503))
def test_what_is_beyond_a_limit_counts(start_workers, own, expect):
    openloop.slow_down(own, 0.5)
    workers = start_workers(own, max_requests=1, max_connections=4)
    with contextlib.ExitStack() as kept, expect(workers, shed("max_requests"), shed("max_connections"), requests(503)):
        clients = [kept.enter_context(Connection(workers.socket)) for _ in range(3)]
        for client in clients:
            client.send(sample.request())
        assert sorted(client.reply().status for client in clients)[-1] == 503
        fourth, fifth = kept.enter_context(Connection(workers.socket)), kept.enter_context(Connection(workers.socket))
        assert fourth.ask("/x/").status == 404 and fifth.ask("/x/").status == 503
        kept.close()


@moves(shed("max_token_lookups"), 'event_matcher_database_sessions{kind="access_tokens",state="ready"}')
def test_lookups_of_access_tokens_count(start_workers, own, expect):
    workers = start_workers(own, max_token_lookups=2)
    with expect(workers), psycopg.connect(own.owner_dsn) as lock, contextlib.ExitStack() as kept:
        assert fastcgi.ask(workers.socket, URI, "sample-token-admin").status == 200
        lock.execute("lock table authentik_providers_oauth2_accesstoken in access exclusive mode")
        for number in range(4):
            kept.enter_context(Connection(workers.socket)).send(sample.request(key="nobody-%d" % number))
        servers.wait_until(lambda: of(workers, shed("max_token_lookups")), "the one that is too much")


@moves(shed("max_unsent"))
def test_a_reply_that_nobody_reads_counts(start_workers, own, expect):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 4 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own, max_unsent="6MiB")
    with expect(workers), Connection(workers.socket) as deaf, Connection(workers.socket) as other:
        deaf.send(sample.request())
        servers.wait_until(lambda: other.ask(URI, ADMIN).status == 503, "the refusal")


@pytest.fixture
def silent(directory):
    """A server's directory where connections are taken and nothing is ever said."""
    path = servers.make_directory()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path / ".s.PGSQL.5432"))
        (path / ".s.PGSQL.5432").chmod(0o666)
        listener.listen(100)
        yield path
    subprocess.run(["rm", "-r", str(path)], check=True)


@moves(shed("no_database"), 'event_matcher_database_connects_total{result="failed"}', 'event_matcher_database_connects_total{result="timeout"}',
       'event_matcher_database_sessions{kind="common",state="opening"}', 'event_matcher_database_sessions{kind="common",state="down"}')
def test_servers_that_are_away_or_silent_count_by_their_names(start_workers, silent, directory, expect):
    workers = start_workers("host=%s/away,%s port=5432,5432 dbname=none" % (directory, silent), has_database=False, database_wait="0ms",
                            connect_timeout="1s")
    with expect(workers, 'event_matcher_database_sessions{kind="common",state="opening"}', 'event_matcher_database_sessions{kind="common",state="down"}',
                'event_matcher_database_connects_total{result="failed"}', 'event_matcher_database_connects_total{result="timeout"}'):
        pass
    with expect(workers, shed("no_database")):
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
    text = metrics.ask(workers)
    counts = {(host, result): int(value) for host, result, value in re.findall(r'connects_total{host="(.*)",result="(\w+)"} (\d+)', text)}
    away, silent = "%s/away:5432" % directory, "%s:5432" % silent
    assert {host for host, _ in counts} == {away, silent} and counts[away, "failed"] and not counts[away, "timeout"]
    assert counts[silent, "timeout"] and not counts[silent, "failed"] and 'database_up{host="%s",role="primary"} 0' % away in text


@moves('event_matcher_database_connects_total{result="unfit"}', 'event_matcher_database_sessions{kind="access_tokens",state="down"}',
       'event_matcher_database_sessions{kind="access_tokens",state="opening"}')
def test_a_database_that_is_not_fit_counts(start_workers, own, expect):
    workers = start_workers(own)
    own.run("alter table authentik_providers_oauth2_accesstoken rename to gone")
    with expect(workers) as look, Connection(workers.socket) as client:
        client.send(sample.request(key="nobody"))
        for state in ("down", "opening"):
            servers.wait_until(lambda: look()['event_matcher_database_sessions{kind="access_tokens",state="%s"}' % state], "a session that is %s" % state)
        own.run("alter table gone rename to authentik_providers_oauth2_accesstoken")
        client.reply()


@pytest.fixture
def make_postgres():
    """make_postgres(): a server of the test's own, with authentik's tables, the sample data and our role."""
    made = []

    def make():
        made.append(servers.Postgres(servers.make_directory()))
        for name in ("schema.sql", "sample.sql", "role.sql"):
            made[-1].load(servers.ROOT / "sql" / name, "postgres")
        return made[-1]

    yield make
    for server in made:
        server.stop()
        subprocess.run(["rm", "-r", str(server.directory)], check=True)


@pytest.fixture
def standby(make_postgres):
    """One that recovers, as a standby without a primary does."""
    server = make_postgres()
    server.stop()
    (server.data / "standby.signal").touch()
    server.start_again()
    return server


@moves('event_matcher_database_up{role="standby"}', 'event_matcher_database_up{role="primary"}')
def test_a_promotion_is_seen(start_workers, standby, expect):
    workers = start_workers(standby.dsn(user="event_matcher"))
    host = "%s:5432" % standby.directory
    text = metrics.ask(workers)
    assert 'database_up{host="%s",role="standby"} 1' % host in text and 'database_up{host="%s",role="primary"} 0' % host in text
    with expect(workers):
        standby.run("select pg_promote()")
    assert 'database_up{host="%s",role="primary"} 1' % host in metrics.ask(workers)


class Pooler(threading.Thread):
    """Stands before a server, and keeps its role to itself, as a pooler may."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.directory, self.connections = server, servers.make_directory(), []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / ".s.PGSQL.5432"))
        (self.directory / ".s.PGSQL.5432").chmod(0o666)
        self.listener.listen(100)

    def pass_on(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data.replace(b"in_hot_standby", b"in_what_standb"))
            target.shutdown(socket.SHUT_WR)

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, server = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
                server.connect(str(self.server.directory / ".s.PGSQL.5432"))
                self.connections += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    def stop(self):
        for end in (self.listener, *self.connections):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)


@moves('event_matcher_database_up{role="unknown"}', 'event_matcher_database_sessions{kind="common",state="ready"}')
def test_a_role_that_a_pooler_keeps_to_itself_is_unknown(start_workers, own, expect):
    pooler = Pooler(own.server)
    pooler.start()
    try:
        workers = start_workers("host=%s user=event_matcher dbname=%s" % (pooler.directory, own.name))
        assert of(workers, 'event_matcher_database_up{role="unknown"}') == 1 and not of(workers, 'event_matcher_database_up{role="primary"}')
        with expect(workers):
            pooler.stop()
    finally:
        pooler.stop()


def known_state(state):
    return 'event_matcher_known_answers_state{state="%s"}' % state


STATES = ("used", "off", "commits", "standby", "forbidden", "obstacle", "pooler")


def told(workers):
    """The states that the one worker is in, once it has been asked; what is out of date may be asked about no more than once."""
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    values = metrics.read(metrics.ask(workers))
    return [state for state in STATES if values[known_state(state)]]


@moves("event_matcher_known_answers_total", "event_matcher_known_changes_total")
def test_known_answers_are_given_where_there_is_room_for_them(start_workers, own, expect):
    for size in ("1MiB", 0):
        workers = start_workers(own, known_answers=size)
        with contextlib.ExitStack() as moving:
            moving.enter_context(expect(workers)) if size else None
            for _ in range(20):
                assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
            own.run("update authentik_core_user set username = username")
            assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
        assert (of(workers, "event_matcher_known_answers_total") > 0) == bool(size)


@moves(*map(known_state, ("used", "off", "obstacle", "forbidden")))
def test_why_answers_are_not_known_is_told(start_workers, own):
    assert told(start_workers(own, known_answers="1MiB")) == ["used"]
    assert told(start_workers(own, known_answers=0)) == ["off"]
    sample.intercept(own, "null")
    assert told(start_workers(own, known_answers="1MiB")) == ["obstacle"]
    own.run("revoke execute on function pg_current_snapshot() from public")
    assert told(start_workers(own, known_answers="1MiB")) == ["forbidden"]


@moves(known_state("pooler"))
def test_that_a_poolers_session_is_lent_is_told(start_workers, start_pgbouncer, own):
    workers = start_workers(start_pgbouncer(own.server, "transaction").dsn(own.name), known_answers="1MiB")
    servers.wait_until(lambda: told(workers) == ["pooler"], "the pooler")


@moves(known_state("standby"))
def test_that_the_server_is_a_standby_is_told_until_it_is_promoted(start_workers, standby):
    workers = start_workers(standby.dsn(user="event_matcher"), known_answers="1MiB")
    assert told(workers) == ["standby"]
    standby.run("select pg_promote()")
    servers.wait_until(lambda: told(workers) == ["used"], "the promotion")


@moves(known_state("commits"))
def test_that_commits_are_too_many_is_told_until_they_are_fewer(start_workers, own):
    workers = start_workers(own, known_answers="1MiB")

    def told_after_a_commit():
        own.run("update authentik_core_user set username = username")
        return told(workers)

    servers.wait_until(lambda: told_after_a_commit() == ["commits"], "it to be too many")
    servers.wait_until(lambda: told(workers) == ["used"], "the end of the rest")


LAYOUTS = {"tree": "tree_template", "roles_user_groups": "alone_template", "roles_ak_groups": "alone_template"}


@moves(*('event_matcher_database_layout{layout="%s"}' % name for name in LAYOUTS))
def test_the_layout_of_the_tables_is_told(start_workers, postgres, request):
    for name, template in LAYOUTS.items():
        for database in conftest.make_database(postgres, template, request):
            if name == "roles_ak_groups":
                database.run("alter table authentik_core_user_groups rename to authentik_core_user_ak_groups")
                postgres.load(servers.ROOT / "sql/role.sql", database.name)
            workers = start_workers(database)
            assert {other: of(workers, 'event_matcher_database_layout{layout="%s"}' % other) for other in LAYOUTS} == {
                other: float(other == name) for other in LAYOUTS}
            assert workers.stop() == 0


@moves("event_matcher_log_lines_lost_total")
def test_a_line_that_the_log_does_not_take_counts(start_workers, alone, expect):
    with open("/dev/full", "w") as full:
        workers = start_workers(alone, stderr_to=full, log_level="debug")
    with expect(workers):
        fastcgi.ask(workers.socket, URI, ADMIN)


SIGNALS = ("SIGABRT", "SIGBUS", "SIGKILL", "SIGSEGV", "SIGSYS")


def end_one(workers, number):
    servers.wait_until(lambda: of(workers, 'event_matcher_workers{state="serving"}') == 2, "two that serve")
    victim = workers.worker_pids()[0]
    os.kill(victim, number)
    servers.wait_until(lambda: victim not in workers.worker_pids() and len(workers.worker_pids()) == 2, "its successor")


@moves(*('event_matcher_worker_ends_total{cause="signal",signal="%s"}' % name for name in (*SIGNALS, "another")))
def test_a_worker_that_is_killed_counts_by_the_signal(start_plain, alone, expect):
    workers = start_plain(alone, workers=2)
    with expect(workers):
        for name in (*SIGNALS, "SIGILL"):
            end_one(workers, getattr(signal, name))
    workers.faults = ()  # these ends are the subject


@moves(*('event_matcher_worker_ends_total{cause="%s",signal="none"}' % cause for cause in ("exit", "watchdog")))
def test_a_worker_that_ends_or_hangs_counts_by_the_cause(start_workers, alone, expect):
    workers = start_workers(alone, workers=2, watchdog_timeout="1s")
    with expect(workers):
        for number in (signal.SIGTERM, signal.SIGSTOP):
            end_one(workers, number)
    assert of(workers, 'event_matcher_worker_ends_total{cause="signal",signal="SIGKILL"}') == 0  # that one is counted once


@moves(*('event_matcher_workers{state="%s"}' % state for state in ("starting", "serving", "draining")), "event_matcher_generation",
       "event_matcher_descriptors_limit")
def test_workers_count_by_their_state(start_workers, own, expect):
    workers = start_workers(own, workers=2, prefix=["prlimit", "--nofile=300:300"])
    assert of(workers, "event_matcher_descriptors_limit") == 600
    assert of(workers, 'event_matcher_workers{state="serving"}') == 2
    with psycopg.connect(own.owner_dsn) as lock, Connection(workers.socket) as client, Connection(workers.socket) as asking:
        lock.execute("lock table authentik_policies_policy in access exclusive mode")
        client.send(sample.request())
        servers.wait_until(lambda: of(workers, "event_matcher_requests_in_flight"), "the request to wait")
        with expect(workers, "event_matcher_generation"):
            workers.process.send_signal(signal.SIGHUP)
        servers.wait_until(lambda: of(workers, 'event_matcher_workers{state="draining"}') == 1, "its worker to wait for it")
        assert of(workers, "event_matcher_descriptors_limit") == 900
        lock.rollback()
        assert client.reply().status == 200

    def starting():
        workers.process.send_signal(signal.SIGHUP)
        return any(of(workers, 'event_matcher_workers{state="starting"}') for _ in range(30))

    servers.wait_until(starting, "workers that start")


@moves("event_matcher_last_reload_successful", "event_matcher_last_reload_success_timestamp_seconds")
def test_a_reload_that_fails_is_told_and_one_that_takes_too(start_workers, alone, tmp_path, expect):
    path = alone.server.directory / ("reload-%d.conf" % os.getpid())
    path.write_text("max_requests = none\n")
    path.write_text("max_requests = 10\n")
    workers = start_workers(alone, config=path)
    path.write_text("max_requests = none\n")
    with expect(workers, "event_matcher_last_reload_successful"):
        workers.process.send_signal(signal.SIGHUP)
    assert of(workers, "event_matcher_last_reload_successful") == 0
    loaded = of(workers, "event_matcher_last_reload_success_timestamp_seconds")
    assert 0 <= time.time() - loaded < 600
    servers.wait_until(lambda: int(time.time()) > loaded, "the next second")
    path.write_text("max_requests = 11\n")
    with expect(workers):
        workers.process.send_signal(signal.SIGHUP)


def fastcgi_error(kind):
    return 'event_matcher_fastcgi_errors_total{kind="%s"}' % kind


@moves(*map(fastcgi_error, ("protocol", "unknown_role", "multiplexed", "unknown_type", "aborted", "gone")))
def test_what_a_web_server_does_wrong_counts_by_its_kind(start_workers, alone, expect):
    workers = start_workers(alone)
    with expect(workers):
        with Connection(workers.socket) as client:
            client.send(fastcgi.record(99, version=2))
            assert client.is_closed()
        with Connection(workers.socket) as client:
            client.send(fastcgi.begin(role=3))
            assert client.record()[2][4] == fastcgi.UNKNOWN_ROLE
            client.send(fastcgi.record(77, id=0))
            assert client.record()[0] == fastcgi.UNKNOWN_TYPE
            client.send(fastcgi.begin(1) + fastcgi.begin(2))
            assert client.record()[2][4] == fastcgi.CANT_MPX
            client.send(fastcgi.record(fastcgi.ABORT, id=1))
            assert client.record()[0] == fastcgi.END
            client.send(fastcgi.begin(1))
    assert all(of(workers, fastcgi_error(kind)) == 1 for kind in ("unknown_role", "unknown_type", "multiplexed", "aborted", "protocol"))


@moves(*map(fastcgi_error, ("receive_timeout", "body_timeout", "send_timeout")))
def test_a_web_server_that_is_slow_counts_by_what_it_is_slow_with(start_workers, own, expect):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 4 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own, receive_timeout="500ms", body_timeout="300ms", send_timeout="500ms")
    with expect(workers), Connection(workers.socket) as deaf, Connection(workers.socket) as mute, Connection(workers.socket) as slow:
        deaf.send(sample.request())
        mute.send(fastcgi.begin())
        slow.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(sample.parameters())))
        with contextlib.suppress(OSError):
            while not of(workers, fastcgi_error("body_timeout")):
                slow.send(fastcgi.record(fastcgi.STDIN, b"x"))
        servers.wait_until(lambda: of(workers, fastcgi_error("send_timeout")) and of(workers, fastcgi_error("receive_timeout")), "the other two")


@moves(fastcgi_error("not_allowed"))
def test_who_is_not_let_in_counts(start_workers, alone, expect):
    port = servers.free_port()
    workers = start_workers(alone, {"FCGI_WEB_SERVER_ADDRS": "127.0.0.9"}, listen="unix:%s,127.0.0.1:%d" % (alone.server.directory / "allowed.sock", port),
                            socket=str(alone.server.directory / "allowed.sock"))
    with expect(workers), Connection(("127.0.0.1", port)) as stranger:
        assert stranger.is_closed()


def waits(reason):
    return 'event_matcher_waits_total{reason="%s"}' % reason


@moves(waits("busy"), waits("asked_again"), waits("no_session"))
def test_a_question_that_waits_counts_by_the_reason(start_workers, make_postgres, expect):
    server = make_postgres()
    workers = start_workers(server.dsn(user="event_matcher"))
    with expect(workers), contextlib.ExitStack() as kept:
        lock = psycopg.connect(server.dsn())
        lock.execute("lock table authentik_policies_policy in access exclusive mode")
        clients = [kept.enter_context(Connection(workers.socket)) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(sample.request())
            if number == 0:
                servers.wait_until(lambda: server.run("select count(*) from pg_locks where not granted")[0][0], "the first to wait")
        servers.wait_until(lambda: of(workers, waits("busy")) >= 2, "the others to wait for it")
        server.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher'")
        servers.wait_until(lambda: of(workers, waits("asked_again")), "the first to be asked again")
        server.stop()
        lock.close()
        with Connection(workers.socket) as late:
            servers.wait_until(lambda: of(workers, 'event_matcher_database_sessions{kind="common",state="ready"}') == 0, "the loss")
            late.send(sample.request())
            servers.wait_until(lambda: of(workers, waits("no_session")), "it to wait")
            server.start_again()
            assert late.reply().status == 200
        assert [client.reply().status for client in clients] == [200] * 3


@moves(waits("no_descriptor"), "event_matcher_open_descriptors")
def test_connections_without_descriptors_wait_and_count(start_workers, alone, expect):
    workers = start_workers(alone, prefix=["prlimit", "--nofile=40:40"])
    assert of(workers, "event_matcher_descriptors_limit") == 40
    with Connection(workers.socket) as asking, contextlib.ExitStack() as kept:
        def values():
            return metrics.read(asking.ask("/-/metrics/").body.decode())

        before = values()
        for _ in range(60):
            kept.enter_context(Connection(workers.socket))
        servers.wait_until(lambda: values()[waits("no_descriptor")] > before[waits("no_descriptor")], "one that waits")
        servers.wait_until(lambda: values()["event_matcher_open_descriptors"] >= 30, "the descriptors to be counted")
    servers.wait_until(lambda: of(workers, "event_matcher_open_descriptors") < 25, "them to be closed")
    pid, = workers.worker_pids()
    if os.getuid() == 0:  # nobody else may look
        servers.wait_until(lambda: of(workers, "event_matcher_open_descriptors") == len(os.listdir("/proc/%d/fd" % pid)), "the count to be what there is")


@moves('event_matcher_resident_memory_bytes{role="workers"}')
def test_a_worker_that_takes_memory_is_seen(start_workers, own, expect):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 16 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own)
    memory = of(workers, 'event_matcher_resident_memory_bytes{role="workers"}')
    with expect(workers), Connection(workers.socket) as deaf:
        deaf.send(sample.request())
        servers.wait_until(lambda: of(workers, 'event_matcher_resident_memory_bytes{role="workers"}') > memory + (12 << 20), "the reply in its memory")


@moves('event_matcher_resident_memory_bytes{role="supervisor"}')
def test_the_memory_of_the_supervisor_is_told(start_workers, alone):
    workers = start_workers(alone)

    def agrees():
        told = of(workers, 'event_matcher_resident_memory_bytes{role="supervisor"}')
        pages = int(open("/proc/%d/statm" % workers.pid).read().split()[1])
        return told and abs(told - pages * os.sysconf("SC_PAGESIZE")) < 4 << 20

    servers.wait_until(agrees, "what /proc says")


@moves("event_matcher_listen_queue", "event_matcher_listen_queue_limit")
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_listen_queue_is_told_with_its_limit(start_workers, alone, expect, kind):
    port, other = servers.free_port(), str(alone.server.directory / ("queue-%s.sock" % kind))
    where = {"unix": other, "tcp": ("127.0.0.1", port)}[kind]
    workers = start_workers(alone, listen="unix:%s,127.0.0.1:%d" % (other, port), socket=other, listen_backlog=77, watchdog_timeout="1h")
    assert of(workers, "event_matcher_listen_queue") == 0 and of(workers, "event_matcher_listen_queue_limit") == 77
    pid, = workers.worker_pids()
    with Connection(other) as asking, contextlib.ExitStack() as kept:
        assert asking.ask(URI, ADMIN).status == 200

        def told():
            """The supervisor looks once a second, and the worker cannot be asked meanwhile."""
            os.kill(pid, signal.SIGSTOP)
            asking.send(fastcgi.request(fastcgi.parameters("/-/metrics/")))
            for _ in range(30):
                kept.enter_context(Connection(where))
            time.sleep(1.2)
            os.kill(pid, signal.SIGCONT)
            return metrics.read(asking.reply().body.decode())["event_matcher_listen_queue"] >= 30

        servers.wait_until(told, "the queue of thirty")
    servers.wait_until(lambda: of(workers, "event_matcher_listen_queue") == 0, "an empty queue")


@moves("event_matcher_build_info")
def test_the_version_is_that_of_the_program(start_workers, alone, program):
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    assert 'event_matcher_build_info{version="%s"} 1\n' % version in metrics.ask(start_workers(alone))


@pytest.mark.once
def test_each_metric_of_the_table_has_a_test_that_causes_it():
    """One that is added without a cause is missed here, and so is a cause of what is no metric any more."""
    assert sorted(CAUSED) == metrics.keys()


@pytest.mark.once
def test_a_metric_without_a_cause_would_be_missed(monkeypatch):
    row = metrics.Row("NEW", "COUNTER", "event_matcher_new_total", "", "Something.")
    found = metrics.rows() + [row]
    monkeypatch.setattr(metrics, "rows", lambda: found)
    assert set(metrics.keys()) - set(CAUSED) == {"event_matcher_new_total"}


@pytest.mark.once
def test_the_document_of_metrics_is_made_from_their_table():
    text = metrics.DOCUMENT.read_text()
    assert text.split("<!-- metrics -->\n")[1] == metrics.document() + "\n"
    assert set(re.findall(r"\b(event_matcher_\w+)", text.split("<!-- metrics -->\n")[2])) <= {
        row.family + suffix for row in metrics.rows() for suffix in ("", "_sum", "_count", "_bucket")}


@pytest.mark.once
def test_the_help_of_a_family_is_one_sentence_and_the_same_in_each_row():
    helps = {}
    for row in metrics.rows():
        helps.setdefault(row.family, set()).add(row.help)
    assert [found for found in helps.values() if len(found) > 1 or not re.fullmatch(r"[A-Z0-9].*[.:]", min(found)) or "|" in min(found)] == []
