# SPDX-License-Identifier: MIT
"""Each metric moves when what it counts is caused, and docs/metrics.md is the table of the source."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

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
def standby():
    """A server with the sample data that recovers, as a standby without a primary does."""
    server = servers.Postgres(servers.make_directory())
    for name in ("schema.sql", "sample.sql", "role.sql"):
        server.load(servers.ROOT / "sql" / name, "postgres")
    server.stop()
    (server.data / "standby.signal").touch()
    server.start_again()
    yield server
    server.stop()
    subprocess.run(["rm", "-r", str(server.directory)], check=True)


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


@moves('event_matcher_worker_ends_total{cause="signal"}', 'event_matcher_worker_ends_total{cause="exit"}',
       'event_matcher_worker_ends_total{cause="watchdog"}')
def test_each_end_of_a_worker_counts_by_its_cause(start_workers, alone, expect):
    workers = start_workers(alone, workers=2, watchdog_timeout="1s")
    with expect(workers):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
            victim = workers.worker_pids()[0]
            os.kill(victim, number)
            servers.wait_until(lambda: victim not in workers.worker_pids() and len(workers.worker_pids()) == 2, "its successor")


@moves(*('event_matcher_workers{state="%s"}' % state for state in ("starting", "serving", "draining")), "event_matcher_generation")
def test_workers_count_by_their_state(start_workers, own, expect):
    workers = start_workers(own, workers=2)
    assert of(workers, 'event_matcher_workers{state="serving"}') == 2
    with psycopg.connect(own.owner_dsn) as lock, Connection(workers.socket) as client, Connection(workers.socket) as asking:
        lock.execute("lock table authentik_policies_policy in access exclusive mode")
        client.send(sample.request())
        servers.wait_until(lambda: of(workers, "event_matcher_requests_in_flight"), "the request to wait")
        with expect(workers, "event_matcher_generation"):
            workers.process.send_signal(signal.SIGHUP)
        servers.wait_until(lambda: of(workers, 'event_matcher_workers{state="draining"}') == 1, "its worker to wait for it")
        lock.rollback()
        assert client.reply().status == 200

    def starting():
        workers.process.send_signal(signal.SIGHUP)
        return any(of(workers, 'event_matcher_workers{state="starting"}') for _ in range(30))

    servers.wait_until(starting, "workers that start")


@moves("event_matcher_last_reload_successful")
def test_a_reload_that_fails_is_told_and_one_that_takes_too(start_workers, alone, tmp_path, expect):
    path = alone.server.directory / ("reload-%d.conf" % os.getpid())
    path.write_text("max_requests = none\n")
    path.write_text("max_requests = 10\n")
    workers = start_workers(alone, config=path)
    path.write_text("max_requests = none\n")
    with expect(workers, "event_matcher_last_reload_successful"):
        workers.process.send_signal(signal.SIGHUP)
    assert of(workers, "event_matcher_last_reload_successful") == 0
    path.write_text("max_requests = 11\n")
    with expect(workers):
        workers.process.send_signal(signal.SIGHUP)


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
