# SPDX-License-Identifier: MIT
"""PostgreSQL's life: kills, restarts and the settings of others cost no answer."""
import contextlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import fastcgi
import load
import sample
import servers
from sample import ADMIN, POLICIES, URI

# The limits that the program has by itself: here they are what is tested.
DEFAULTS = {"request_timeout": "2s", "statement_timeout": "1500ms", "lock_timeout": "500ms", "connect_timeout": "2s", "database_wait": "1s"}
SLOW_TENTH = [(ADMIN, POLICIES[0])] + [(ADMIN, POLICIES[1 + n % 7]) for n in range(9)]
KILL = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'"


def status(workers, uri=URI, key=ADMIN):
    return fastcgi.ask(workers.socket, uri, key).status


def serves(workers):
    return status(workers) == 200


@pytest.fixture
def figure():
    """figure(name, value, limit, room) prints a measured value beside its limit, for who runs with -s, and holds it, or room
    times as much: so busy may the machine be."""
    def say(name, value, limit, room=1):
        print("\n%s: %s, limit %s" % (name, "%.3f" % value if isinstance(value, float) else value, limit))
        assert value <= limit * room, "%s: %s is over %s" % (name, value, limit * room)
    return say


@pytest.fixture(params=["idle", "busy"])
def busy(request):
    """Both: a machine with nothing else to do, and one whose processors are all kept busy by others."""
    spinning = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() if request.param == "busy" else 0)]
    yield request.param
    for process in spinning:
        process.kill()
        process.wait()


@pytest.fixture
def make_postgres():
    """make_postgres(*settings): a server of the test's own, with authentik's tables, the sample data and our role."""
    made = []

    def make(*settings):
        made.append(servers.Postgres(servers.make_directory(), *settings))
        servers.load_sample(made[-1])
        return made[-1]

    yield make
    for server in made:
        if server.process.poll() is None:
            server.stop()
        subprocess.run(["rm", "-r", str(server.directory)], check=True)


def failed(answers):
    """What was not answered as it should be: each question asks for a policy that its key may see."""
    wrong = []
    for answer in answers:
        body = json.loads(answer.reply.body) if answer.reply.status == 200 else {}
        if body.get("pk") != answer.question[1]:
            wrong.append((answer.reply.status, round(answer.answered - answer.sent, 3)))
    return wrong


# A session's beginning, and what it sets

class Proxy(threading.Thread):
    """Between a client and PostgreSQL; counts of each connection how often the client spoke after the server had."""

    def __init__(self, listener, server):
        super().__init__(daemon=True)
        self.turns, self.server, self.listener = [], str(server / ".s.PGSQL.5432"), listener
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.turns.append(0)
                threading.Thread(target=self.forward, args=(client, len(self.turns) - 1), daemon=True).start()

    def forward(self, client, number):
        server, last = socket.socket(socket.AF_UNIX), None
        server.connect(self.server)
        with client, server, contextlib.suppress(OSError):
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    self.turns[number] += end is client and last is not client
                    last = end
                    (server if end is client else client).sendall(data)


def test_a_lost_session_serves_again_after_one_round_trip(start_workers, own, tmp_path, figure):
    directory = servers.make_directory()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / ".s.PGSQL.5432"))
    os.chmod(directory / ".s.PGSQL.5432", 0o777)
    listener.listen()
    proxy = Proxy(listener, own.server.directory)
    try:
        workers = start_workers("host=%s user=event_matcher dbname=%s" % (directory, own.name))
        assert serves(workers)
        before, first = len(proxy.turns), proxy.turns[0]
        own.run(KILL % own.name)
        servers.wait_until(lambda: len(proxy.turns) > before and serves(workers), "another session")
        proxy.listener.close()
        turns = proxy.turns[before] - 2  # but for the connection's start and the request itself
        figure("round trips of the first session", first - 2, 2)
        figure("round trips of a session after a loss", turns, 1)
    finally:
        subprocess.run(["rm", "-r", str(directory)], check=True)


HOSTILE_SETTINGS = {
    "standard_conforming_strings": "off", "lock_timeout": "10ms", "statement_timeout": "50ms", "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on", "default_transaction_read_only": "off", "search_path": "pg_temp", "row_security": "off",
    "idle_in_transaction_session_timeout": "1ms", "idle_session_timeout": "200ms", "client_encoding": "latin1", "DateStyle": "german",
    "IntervalStyle": "iso_8601", "TimeZone": "Asia/Tokyo", "bytea_output": "escape", "extra_float_digits": "-15", "array_nulls": "off",
    "transform_null_equals": "on", "quote_all_identifiers": "on", "exit_on_error": "on", "enable_indexscan": "off", "enable_nestloop": "off",
    "enable_indexonlyscan": "off", "enable_sort": "off", "plan_cache_mode": "force_custom_plan", "jit": "on", "force_parallel_mode": "on",
    "from_collapse_limit": "1", "constraint_exclusion": "on", "client_min_messages": "debug5", "max_parallel_workers_per_gather": "4"}


@pytest.mark.parametrize("of", ["role", "database"])
def test_no_setting_of_a_role_or_a_database_changes_an_answer(start_workers, program, own, of):
    name = {"role": "role event_matcher in database %s" % own.name, "database": "database " + own.name}[of]
    own.run("update authentik_providers_oauth2_accesstoken set _scope = 'openid profile goauthentik.io/api offline_access' "
            "where token = 'sample-token-admin'; insert into authentik_policies_policy (policy_uuid, name) "
            "values ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'größe \\ €'); insert into "
            "authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id) values ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa')")
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:  # which has them not: they are of later sessions
        for setting, value in HOSTILE_SETTINGS.items():
            owner.execute("alter %s set %s = '%s'" % (name, setting, value))
    assert subprocess.run([program, "--check", "--database=" + own.dsn], capture_output=True).returncode == 0
    workers = start_workers(own)
    for key, statuses in sample.MIXED.items():
        for policy, expected in zip(sample.ASKED, statuses):
            assert status(workers, fastcgi.URI.format(policy), key) == expected, (key, policy)
    reply = fastcgi.ask(workers.socket, fastcgi.URI.format("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"), ADMIN)
    assert json.loads(reply.body)["name"] == "größe \\ €"
    time.sleep(0.5)  # longer than their idle_session_timeout
    assert serves(workers) and "is lost" not in workers.log()


def test_a_statement_that_fails_brings_no_key_into_the_servers_log(start_workers, own):
    """Its parameters stand there where a role, a database or the server says so."""
    sample.fail(own, "22012")
    own.run("alter role event_matcher in database %s set log_parameter_max_length_on_error = -1" % own.name)
    workers, since = start_workers(own), len(own.server.log())
    assert status(workers, URI, ADMIN) == 500
    servers.wait_until(lambda: "a secret of the database" in own.server.log()[since:], "the error in the server's log")
    own.run("do $$ begin raise log 'all has been said'; end $$")
    servers.wait_until(lambda: "all has been said" in own.server.log()[since:], "the rest of it")
    assert ADMIN not in own.server.log()[since:] and POLICIES[0] not in own.server.log()[since:]


def test_each_setting_of_the_hostile_list_is_one_that_we_set(own):
    set_by_us = servers.statement("session")
    assert [name for name in HOSTILE_SETTINGS if "('%s'," % name not in set_by_us] == []


def test_settings_that_a_version_lacks_are_left_out_and_all_others_take(own):
    with psycopg.connect(own.dsn, autocommit=True) as connection:
        connection.execute(servers.statement("session"))
        for name, value in (("row_security", "off"), ("TimeZone", "UTC"), ("quote_all_identifiers", "off"), ("idle_session_timeout", "0")):
            assert connection.execute("show " + name).fetchone()[0] == value


def test_tables_that_are_altered_again_and_again_cost_no_request(start_plain, own, figure):
    """So that what is prepared is stale once more by the time a question is asked again."""
    workers, columns = start_plain(own, workers=2, **DEFAULTS), itertools.count()
    assert serves(workers)
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        def alter():
            name = next(columns)
            for change in ("add column stale_%d int" % name, "drop column stale_%d" % name):
                owner.execute("alter table authentik_policies_event_matcher_eventmatcherpolicy " + change)

        answers = ask_while(workers, alter, 200, 0.01, seconds=4)
    assert "0A000" in workers.log()
    figure("failed of %d while tables are altered" % len(answers), len(failed(answers)), 0)


# Rows that are there twice

def test_a_row_twice_takes_its_own_question_and_no_other(start_workers, own):
    own.run("alter table authentik_policies_policy rename to base; create view authentik_policies_policy as select * from base "
            "union all select * from base where policy_uuid = '%s'; grant select on authentik_policies_policy to event_matcher" % sample.POLICY)
    workers = start_workers(own)
    assert status(workers, fastcgi.URI.format(POLICIES[1])) == 200
    with contextlib.ExitStack() as kept:
        clients = [kept.enter_context(fastcgi.Connection(workers.socket)) for _ in range(150)]
        for number, client in enumerate(clients):
            client.send(sample.request(URI if number == 70 else fastcgi.URI.format(POLICIES[1 + number % 7])))
        got = [client.reply().status for client in clients]
    assert got == [200] * 70 + [500] + [200] * 79
    assert "is lost" not in workers.log() and "a row twice" in workers.log()


def test_a_user_or_a_permission_twice_is_nobody_elses_loss(start_workers, own):
    own.run("alter table authentik_core_user rename to base; create view authentik_core_user as select * from base union all "
            "select * from base where id = 2; grant select on authentik_core_user to event_matcher; "
            "alter table auth_permission rename to permissions; create view auth_permission as select * from permissions union all "
            "select id + 1000, name, content_type_id, codename from permissions; grant select on auth_permission to event_matcher")
    workers = start_workers(own)
    assert [status(workers, key="sample-key-" + name) for name in ("admin", "operator", "auditor", "employee")] == [200, 500, 200, 403]


# Backends that are killed, servers that restart

def ask_while(workers, change, times, pause, seconds=10):
    """The answers of an open loop of 200 requests a second, a tenth of them slow, while something happens now and then."""
    with load.Load(workers.socket, SLOW_TENTH) as asking:
        for _ in range(times):
            change()
            time.sleep(pause)
        servers.wait_until(lambda: len(asking.answers) >= load.RATE * seconds * 0.95, "the load")
    return asking.answers


def test_backends_killed_each_200_ms_cost_no_request(start_plain, own, busy, figure):
    sample.intercept(own, "perform pg_sleep(0.05)")
    workers = start_plain(own, workers=2, **DEFAULTS)
    assert serves(workers)
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        answers = ask_while(workers, lambda: owner.execute(KILL % own.name), 25, 0.2)
    figure("failed of %d while all backends are killed each 200 ms, %s" % (len(answers), busy), len(failed(answers)), 0)
    figure("the slowest, seconds", max(answer.answered - answer.sent for answer in answers), 2)


def test_a_killed_backend_and_its_recovery_cost_no_request(start_plain, make_postgres, busy, figure):
    server = make_postgres()
    own = servers.Database(server, "postgres")
    sample.intercept(own, "perform pg_sleep(0.05)")
    workers = start_plain(own, workers=2, **DEFAULTS)
    assert serves(workers)

    def crash():
        servers.wait_until(server.answers, "the recovery")
        backend = own.run("select pid from pg_stat_activity where usename = 'event_matcher'")
        if backend:
            os.kill(backend[0][0], signal.SIGKILL)

    answers = ask_while(workers, crash, 3, 1.5)
    figure("failed of %d while a backend is killed three times, %s" % (len(answers), busy), len(failed(answers)), 0)


def test_restarts_cost_no_request(start_plain, make_postgres, busy, figure):
    server = make_postgres()
    own = servers.Database(server, "postgres")
    sample.intercept(own, "perform pg_sleep(0.05)")
    workers = start_plain(own, workers=2, **DEFAULTS)
    assert serves(workers)
    down, ready = [], []

    def restart():
        started = time.monotonic()
        server.stop()
        server.start_again()
        ready.append(time.monotonic())
        down.append(ready[-1] - started)

    answers = ask_while(workers, restart, 3, 1.5)
    if max(down) < 1:
        figure("failed of %d while PostgreSQL restarts three times, %s" % (len(answers), busy), len(failed(answers)), 0)
    first = max(min(a.answered for a in answers if a.answered > moment and a.reply.status == 200) - moment for moment in ready)
    figure("first success after it is ready, seconds, %s" % busy, first, 0.25, room=4)


def test_a_session_that_is_being_opened_when_database_wait_is_over_still_serves(start_workers, make_postgres):
    server = make_postgres()
    workers = start_workers(server.dsn(user="event_matcher"), database_wait="4s", request_timeout="20s", connect_timeout="20s")
    assert status(workers, key="sample-token-admin") == 200
    with contextlib.ExitStack() as kept:
        lock = kept.enter_context(psycopg.connect(server.dsn()))
        lock.execute("lock table authentik_providers_oauth2_accesstoken in access exclusive mode")
        by_key, by_token = (kept.enter_context(fastcgi.Connection(workers.socket)) for _ in range(2))
        by_token.send(sample.request(URI, "sample-token-admin"))
        servers.wait_until(lambda: server.run("select count(*) from pg_locks where not granted")[0][0], "the look for the token")
        backends = backends_of(server)
        os.kill(server.pid, signal.SIGSTOP)
        kept.callback(os.kill, server.pid, signal.SIGCONT)
        for pid in backends:
            os.kill(pid, signal.SIGTERM)
        servers.wait_until(lambda: "is lost" in workers.log(), "the loss")
        lost = time.monotonic()
        lock.rollback()
        by_key.send(sample.request(URI))
        time.sleep(4.3 - (time.monotonic() - lost))
        os.kill(server.pid, signal.SIGCONT)
        assert [client.reply().status for client in (by_key, by_token)] == [200, 200]


# Poolers

MODES = ["session", "transaction", "statement"]


def in_its_sessions(pooler, database):
    """What a client finds in each session of a pool of one: the settings that were made in it, the statements prepared."""
    with psycopg.connect(pooler.dsn(database), autocommit=True, prepare_threshold=None) as client:
        found = dict(client.execute("select name, setting from pg_settings where name not in ('application_name')").fetchall())
        return found, client.execute("select name from pg_prepared_statements").fetchall()


@pytest.mark.parametrize("mode", MODES)
def test_pgbouncer_in_each_mode_is_served_through(start_workers, start_pgbouncer, own, mode):
    pooler = start_pgbouncer(own.server, mode)
    workers = start_workers(pooler.dsn(own.name), workers=2)
    with contextlib.ExitStack() as kept:
        questions = [(key, policy, expected) for key, statuses in sample.MIXED.items() for policy, expected in zip(sample.ASKED, statuses)]
        for _ in range(3):
            clients = [kept.enter_context(fastcgi.Connection(workers.socket)) for _ in questions]
            for client, (key, policy, _) in zip(clients, questions):
                client.send(sample.request(fastcgi.URI.format(policy), key))
            assert [client.reply().status for client in clients] == [expected for _, _, expected in questions]
    assert workers.log().count("a pooler stands between") == 1 and " error " not in workers.log()


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_ours_is_left_in_a_poolers_session(start_workers, program, start_pgbouncer, own, mode):
    """With a forced user authentik's own sessions are those that we are lent; session mode is told not to clean up."""
    pooler = start_pgbouncer(own.server, mode, size=2 if mode == "session" else 1, forced="postgres", server_reset_query="")
    before = in_its_sessions(pooler, own.name)
    checked = subprocess.run([program, "--check", "--database=" + pooler.dsn(own.name)], capture_output=True, text=True)
    assert checked.returncode == 0 and "a pooler stands between" in checked.stdout, checked
    assert in_its_sessions(pooler, own.name) == before
    workers = start_workers(pooler.dsn(own.name))
    for key in (ADMIN, "sample-key-employee", "sample-token-admin", "nobody"):
        assert status(workers, key=key) == sample.MIXED.get(key, (403,))[0]
    assert workers.stop() == 0
    assert in_its_sessions(pooler, own.name) == before
    with psycopg.connect(pooler.dsn(own.name), autocommit=True, prepare_threshold=None) as authentik:
        authentik.execute("update authentik_core_user set is_active = is_active")


def test_a_kill_behind_a_pooler_costs_no_request(start_workers, start_pgbouncer, own, figure):
    pooler = start_pgbouncer(own.server, "transaction")
    workers = start_workers(pooler.dsn(own.name), workers=2, **DEFAULTS)
    assert serves(workers)
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        answers = ask_while(workers, lambda: owner.execute(KILL % own.name), 10, 0.3, seconds=4)
    figure("failed of %d while what is behind a pooler is killed each 300 ms" % len(answers), len(failed(answers)), 0)


def test_hostile_settings_change_no_answer_behind_a_pooler_either(start_workers, start_pgbouncer, own):
    for setting, value in HOSTILE_SETTINGS.items():
        own.run("alter role event_matcher in database %s set %s = '%s'" % (own.name, setting, value))
    workers = start_workers(start_pgbouncer(own.server, "transaction").dsn(own.name))
    for key, statuses in sample.MIXED.items():
        assert [status(workers, fastcgi.URI.format(policy), key) for policy in sample.ASKED] == list(statuses), key


# Several servers

@pytest.fixture
def black_hole():
    """A port where nothing ever answers: its queue of connections is full, and what comes is dropped."""
    with contextlib.ExitStack() as kept:
        listener = kept.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = kept.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def behind(black_hole, database, more=""):
    """A list whose first server is silent."""
    return "host=127.0.0.1,%s port=%d,5432 user=event_matcher dbname=%s %s" % (database.server.directory, black_hole, database.name, more)


def seconds(call, expected):
    started = time.monotonic()
    assert call() == expected
    return time.monotonic() - started


def count_waiting(listener):
    """How many connections wait to be accepted."""
    listener.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_only_the_first_request_pays_for_a_silent_first_server(start_workers, own, figure):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        workers = start_workers(behind(silent.getsockname()[1], own), has_database=False, **DEFAULTS)
        figure("the first answer behind a silent server, seconds", seconds(lambda: serves(workers), True), 1, room=3)
        with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
            answers = ask_while(workers, lambda: owner.execute(KILL % own.name), 10, 0.3, seconds=4)
        figure("connections to the silent server, for ten sessions that were killed", count_waiting(silent), 1)
    figure("failed of %d after it" % len(answers), len(failed(answers)), 0)
    figure("the slowest of them, seconds", max(answer.answered - answer.sent for answer in answers), 0.4, room=3)


def check_seconds(program, dsn, expected, *arguments, **environment):
    return seconds(lambda: subprocess.run([program, "--check", "--database=" + dsn, *arguments], capture_output=True,
                                          env={**os.environ, **environment}, timeout=60).returncode, expected)


def test_a_service_file_waits_no_longer_than_we_do(program, own, black_hole, tmp_path, figure):
    path = tmp_path / "services"
    for name, dsn in (("silent", "host=127.0.0.1 port=%d dbname=x user=x connect_timeout=60" % black_hole), ("list", behind(black_hole, own))):
        path.write_text(path.read_text() if path.exists() else "")
        path.write_text(path.read_text() + "[%s]\n%s\n" % (name, dsn.strip().replace(" ", "\n")))
    variables = {"PGSERVICEFILE": str(path)}
    figure("a service that is silent, seconds", check_seconds(program, "service=silent", 1, "--connect-timeout=1s", **variables), 1.2, room=3)
    figure("one by PGSERVICE, seconds", check_seconds(program, "", 1, "--connect-timeout=1s", PGSERVICE="silent", **variables), 1.2, room=3)
    figure("a service with a silent first server, seconds", check_seconds(program, "service=list", 0, **variables), 1.5, room=3)
    figure("a list in the environment, seconds", check_seconds(program, "dbname=%s user=event_matcher" % own.name, 0, PGPORT=
           "%d,5432" % black_hole, PGHOST="127.0.0.1,%s" % own.server.directory), 1.5, room=3)


def test_a_server_that_takes_connections_and_stays_silent_is_given_up_for_the_next(program, own, figure):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        took = check_seconds(program, behind(listener.getsockname()[1], own), 0)
    figure("behind a server that says nothing, seconds", took, 1.5, room=3)


LET_IN = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I"
ANSWERS = {"no rows": b"1\0\0\0\x042\0\0\0\x04T\0\0\0\x06\0\0C\0\0\0\x0dSELECT 1\0", "nothing": b"1\0\0\0\x042\0\0\0\x04n\0\0\0\x04C\0\0\0\x0dSELECT 0\0"}


def answer_always(listener, text):
    """Lets everybody in, and answers eight statements at each Sync as no PostgreSQL would."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(LET_IN)
                while data := connection.recv(1 << 16):
                    if b"S\0\0\0\x04" in data:
                        connection.sendall(text * 8 + b"Z\0\0\0\x05I")


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_server_whose_answers_do_not_fit_costs_its_session_and_no_worker(start_workers, program, kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_always, args=(listener, ANSWERS[kind]), daemon=True)
        thread.start()
        dsn = "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable gssencmode=disable" % listener.getsockname()[1]
        workers = start_workers(dsn, has_database=False, database_wait="0s")
        servers.wait_until(lambda: "an answer does not fit its question" in workers.log(), "the log to say so")
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503 and "signal" not in workers.log() and workers.stop() == 0
        result = subprocess.run([program, "--check", "--connect-timeout=1s", "--database=" + dsn], capture_output=True, text=True)
        assert result.returncode == 1, result
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a name two addresses")
def test_each_address_of_a_name_is_tried(program, own, tmp_path):
    """Whichever of the two comes first: one is silent, the other is a server."""
    (tmp_path / "hosts").write_text("127.0.0.2 two\n127.0.0.3 two\n")
    alone = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', tmp_path / "hosts"]
    for silent_address, address in (("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2")):
        with socket.socket() as silent, socket.socket() as listener:
            silent.bind((silent_address, 0))
            silent.listen(8)
            port = silent.getsockname()[1]
            listener.bind((address, port))
            listener.listen(8)
            Proxy(listener, own.server.directory)
            result = subprocess.run([*alone, program, "--check", "--database=host=two port=%d user=event_matcher dbname=%s" % (port, own.name)],
                                    capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result.stderr


@pytest.fixture
def pair(make_postgres):
    """pair(*settings): a primary, and a standby with these settings that follows it."""
    made = []

    def make(*settings):
        primary = make_postgres()
        sample.intercept(servers.Database(primary, "postgres"), "perform pg_sleep(0.05)")
        made.append(servers.add_standby(primary, servers.make_directory(), *settings))
        return primary, made[-1]

    yield make
    for standby in made:
        standby.stop(signal.SIGQUIT)
        subprocess.run(["rm", "-r", str(standby.directory)], check=True)


@pytest.mark.parametrize("attributes", ["any", "read-write"])
def test_a_standby_that_is_promoted_serves_at_once(start_plain, pair, attributes, busy, figure):
    primary, standby = pair("-c", "wal_retrieve_retry_interval=100ms")
    hosts = "host=%s,%s user=event_matcher dbname=postgres target_session_attrs=%s" % (primary.directory, standby.directory, attributes)
    workers = start_plain(hosts, workers=2, **DEFAULTS)
    assert serves(workers)

    moments = []

    def fail_over():
        moments.append(time.monotonic())
        primary.process.send_signal(signal.SIGQUIT)
        standby.run("select pg_promote()")
        moments.append(time.monotonic())

    answers = ask_while(workers, fail_over, 1, 3, seconds=4)
    died, promoted = moments
    if attributes == "read-write":  # while there is no primary, and until it is found
        answers = [answer for answer in answers if answer.answered < died or answer.sent > promoted + 1.5]
    figure("failed of %d while the primary dies, %s, %s" % (len(answers), attributes, busy), len(failed(answers)), 0)
    primary.process.wait(60)


def test_a_conflict_with_recovery_is_no_error(start_workers, pair, figure):
    primary, standby = pair("-c", "max_standby_streaming_delay=0", "-c", "hot_standby_feedback=off")
    workers = start_workers(standby.dsn(user="event_matcher"), workers=2, **DEFAULTS)
    assert serves(workers)
    with psycopg.connect(primary.dsn(), autocommit=True) as owner:
        answers = ask_while(workers, lambda: owner.execute("begin; lock table base in access exclusive mode; commit"), 20, 0.1, seconds=4)
    assert "conflict with recovery" in workers.log()
    figure("other than 200 or 503 of %d on a standby in conflict" % len(answers),
           len([answer for answer in failed(answers) if answer[0] != 503]), 0)
    figure("503 among them", len(failed(answers)), len(answers) // 50)


@pytest.mark.parametrize("through", ["directly", "transaction"])
def test_a_standby_serves_a_role_whose_transactions_are_serializable(start_workers, start_pgbouncer, program, pair, through):
    """A standby refuses such a transaction by its first snapshot."""
    primary, standby = pair()
    primary.run("alter role event_matcher set default_transaction_isolation = 'serializable'")
    with psycopg.connect(primary.dsn(), autocommit=True) as owner:
        end = owner.execute("select pg_current_wal_lsn()").fetchone()[0]
    servers.wait_until(lambda: standby.run("select pg_last_wal_replay_lsn() >= '%s'" % end)[0][0], "the standby to follow")
    dsn = standby.dsn(user="event_matcher") if through == "directly" else start_pgbouncer(standby, through).dsn("postgres")
    assert subprocess.run([program, "--check", "--database=" + dsn], capture_output=True).returncode == 0
    assert serves(start_workers(dsn, **DEFAULTS))


# What is held, and what is kept back

def sessions_of(database):
    return database.run("select count(*) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % database.name)[0][0]


def test_the_session_for_access_tokens_is_opened_when_it_is_needed_and_closed_when_not(start_workers, own):
    workers = start_workers(own, workers=2, token_session_idle="2s")
    assert serves(workers) and status(workers, key="sample-key-employee") == 403 and sessions_of(own) == 2
    for _ in range(2):
        assert status(workers, key="sample-token-admin") == 200 and sessions_of(own) >= 3
        servers.wait_until(lambda: sessions_of(own) == 2, "the session that nobody needs to be closed")
    assert " is lost" not in workers.log()


def test_a_pool_with_as_few_sessions_as_workers_serves(start_workers, start_pgbouncer, own):
    """The session for access tokens finds no room; all others are served, and who needs it is told to come again."""
    pooler = start_pgbouncer(own.server, "session", size=2)
    workers = start_workers(pooler.dsn(own.name), workers=2, **DEFAULTS)
    assert [status(workers, key=key) for key in (ADMIN, "sample-key-employee")] == [200, 403]
    assert status(workers, key="sample-token-admin") == 503
    assert serves(workers)


def test_descriptors_are_kept_back_for_sessions(start_workers, make_postgres, figure):
    server = make_postgres()
    workers = start_workers(server.dsn(user="event_matcher"), prefix=["prlimit", "--nofile=32"], **DEFAULTS)
    with contextlib.ExitStack() as kept:
        clients = [kept.enter_context(fastcgi.Connection(workers.socket, timeout=20)) for _ in range(100)]
        assert clients[0].ask(URI, ADMIN).status == 200
        server.stop()
        server.start_again()
        ready = time.monotonic()
        servers.wait_until(lambda: clients[0].ask(URI, ADMIN).status == 200, "the service", seconds=20)
        figure("back with all descriptors in use, seconds", time.monotonic() - ready, 0.5, room=4)
        used = len(os.listdir("/proc/%d/fd" % workers.worker_pids()[0])) if os.getuid() == 0 else 0
        figure("descriptors in use of 32", used, 26)
        assert clients[0].ask(URI, "sample-token-admin").status == 200
        before, started = processor_seconds(workers), time.monotonic()
        time.sleep(1)
        figure("share of a processor meanwhile", (processor_seconds(workers) - before) / (time.monotonic() - started), 0.05)
    assert serves(workers)


def processor_seconds(workers):
    fields = open("/proc/%d/stat" % workers.worker_pids()[0]).read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stand_still(pid):
    os.kill(pid, signal.SIGSTOP)
    servers.wait_until(lambda: open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] == "T", "the process to stand still")


def test_an_answer_that_came_while_the_worker_stood_still_is_read_before_it_is_judged(start_workers, own):
    sample.intercept(own, "perform pg_sleep(0.3)")
    workers = start_workers(own, watchdog_timeout="60s", **DEFAULTS)
    assert serves(workers)
    sleeping = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = '%s'" % own.name
    with fastcgi.Connection(workers.socket) as client:
        client.send(sample.request())
        servers.wait_until(lambda: own.run(sleeping)[0][0], "the question to be with the database")
        stand_still(workers.worker_pids()[0])
        time.sleep(3)  # the budget of the request, and what a batch may be out for, are over
        os.kill(workers.worker_pids()[0], signal.SIGCONT)
        assert client.reply().status == 200
    assert " is lost" not in workers.log()


# A server that is away, or stands still

class Doorstep(threading.Thread):
    """In a server's place: takes each connection and closes it; counts them."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.count, self.path, self.listener = 0, str(path), socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.listener.accept()[0].close()
                self.count += 1

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)


def shed_seconds(workers):
    """How long a 503 takes, and that it says when to come again."""
    started = time.monotonic()
    reply = fastcgi.ask(workers.socket, URI, ADMIN)
    assert reply.status == 503 and reply.headers["retry-after"] == "1"
    return time.monotonic() - started


def back_seconds(server, workers):
    server.start_again()
    ready = time.monotonic()
    servers.wait_until(lambda: serves(workers), "the service")
    return time.monotonic() - ready


def test_a_server_that_is_down_for_ten_seconds(start_workers, make_postgres, figure):
    server = make_postgres()
    workers = start_workers(server.dsn(user="event_matcher"), **DEFAULTS)
    assert serves(workers)
    server.stop()
    doorstep = Doorstep(server.directory / ".s.PGSQL.5432")
    doorstep.start()
    started = time.monotonic()
    figure("the first 503, seconds", shed_seconds(workers), 1.1, room=2)
    figure("each 503 after it, seconds", sorted(shed_seconds(workers) for _ in range(100))[50], 0.005, room=4)
    time.sleep(max(0, 10 - (time.monotonic() - started)))
    figure("connections tried in ten seconds", doorstep.count, 30)
    doorstep.end()
    figure("back after it is ready, seconds", back_seconds(server, workers), 0.5, room=3)


def test_a_start_before_the_server_serves_soon_after_it(start_workers, make_postgres, figure):
    server = make_postgres()
    server.stop()
    workers = start_workers(server.dsn(user="event_matcher"), has_database=False, **DEFAULTS)
    servers.wait_until(lambda: status(workers) == 503, "a 503")
    figure("serves after the server is ready, seconds", back_seconds(server, workers), 0.5, room=3)


def backends_of(server):
    return {pid for pid, in server.run("select pid from pg_stat_activity where usename = 'event_matcher'")}


def test_a_backend_and_a_postmaster_that_stand_still_cost_their_own_requests_only(start_workers, make_postgres, figure):
    server = make_postgres()
    workers = start_workers(server.dsn(user="event_matcher"), **DEFAULTS)
    assert serves(workers)
    stopped = backends_of(server) | {server.pid}
    others = start_workers(server.dsn(user="event_matcher"), **DEFAULTS)
    assert serves(others)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        took = seconds(lambda: status(workers), 504)
        figure("off the deadline of 2 seconds", abs(took - 2), 0.1, room=5)
        started = time.monotonic()
        while time.monotonic() < started + 2:
            assert serves(others)
        assert "it did not answer within statement_timeout" in workers.log() and "is lost" not in others.log()
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    servers.wait_until(lambda: serves(workers), "the service")
