# SPDX-License-Identifier: MIT
"""What the log can say: one table, from which the lists in the documents are made, and a cause of each event."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import fastcgi
import pools
import sample
import servers
from sample import ADMIN, URI
from servers import ROOT

BUILD = pathlib.Path(os.environ.get("EVENT_MATCHER_FCGI", ROOT / "build" / "event-matcher-fcgi")).parent
ROWS = re.findall(r'^EVENT\((\w+), (ERROR|WARNING|INFO|DEBUG),\s*"([^"|\\]+)",\s*"([^"|\\]+)"\)$', (ROOT / "src/events.def").read_text(), re.M)
EVENTS = [row[0] for row in ROWS]


def test_the_list_in_the_documents_is_what_the_table_makes():
    text = ROOT / "docs/operations.md"
    made = subprocess.run(["awk", "-f", ROOT / "src/tables.awk", ROOT / "src/settings.def", ROOT / "src/events.def", text],
                          check=True, capture_output=True, text=True).stdout
    assert made == text.read_text(), "make docs writes it"
    assert [line for line in made.splitlines() if re.match(r"\| `\w+` \| (error|warning|info|debug) \|", line)] == [
        "| `%s` | %s | %s | %s |" % (name, level.lower(), meaning, remedy) for name, level, meaning, remedy in ROWS]


def test_the_manual_has_every_event_with_its_meaning():
    man = (BUILD / "event-matcher-fcgi.8").read_text()
    assert re.findall(r"^\.It Li (\w+) Pq (\w+)\n(.*)\.$", man, re.M) == [
        (name, level.lower(), meaning[0].upper() + meaning[1:]) for name, level, meaning, _ in ROWS]


def test_every_event_of_the_table_has_a_place_where_it_is_logged():
    """The other way round it does not compile."""
    sources = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.c")))
    assert len(EVENTS) == len(set(EVENTS)) == (ROOT / "src/events.def").read_text().count("\nEVENT(") > 40
    assert max(map(len, EVENTS)) <= 32 and [name for name in EVENTS if not re.search(r"&event_%s\b" % name, sources)] == []


# What causes each event

CAUSES = {}


def causes(*events):
    """The function has the program log each of them, and returns the log."""
    def note(function):
        assert not set(events) & set(CAUSES)
        CAUSES.update(dict.fromkeys(events, function))
        return function
    return note


def lines(log, event):
    """Those of the event, each as its level and the pid."""
    return re.findall(r"^[\d-]{10}T[\d:.]{12}Z (\w+) (\d+) %s \S" % event, log, re.M)


class Scene:
    """Where events are caused: the sample data, a database of one's own, pools, a program that is replaced."""

    def __init__(self, request):
        self.request, self.directories = request, []

    def __getattr__(self, name):
        return self.request.getfixturevalue(name)

    def start(self, database=None, **settings):
        return self.start_plain(database or self.alone, **settings)

    def directory(self):
        self.directories.append(servers.make_directory())
        return self.directories[-1]

    def run(self, *arguments, environment=None, **options):
        """What the program logs that ends by itself."""
        return subprocess.run([self.plain, *arguments], stderr=subprocess.PIPE, text=True, timeout=60,
                              **{"env": {**os.environ, **(environment or {})}, "stdin": subprocess.DEVNULL, **servers.unprivileged(), **options}).stderr

    def close(self):
        for path in self.directories:
            shutil.rmtree(path)


@pytest.fixture
def scene(request):
    scene = Scene(request)
    yield scene
    scene.close()


def wait_for(process, *events):
    """The log once it has them all."""
    servers.wait_until(lambda: all(lines(process.log(), event) for event in events), "the events " + " ".join(events))
    return process.log()


def status(workers, uri=URI, key=ADMIN):
    return fastcgi.ask(workers.socket, uri, key).status


QUIET = ["worker_serving", "worker_draining", "worker_drained", "pool_draining", "session_ready", "session_rests", "connection_closed"]


@causes(*QUIET)
def a_quiet_life(scene):
    """A key that nobody has is looked up among the access tokens, in a session of their own."""
    workers = scene.start(log_level="debug", token_session_idle="10ms")
    assert status(workers) == 200 and status(workers, key="nobody-has-it") == 403
    wait_for(workers, "session_rests")
    assert workers.stop() == 0
    return workers.log()


@causes("drain_late", "signal_ignored")
def a_client_that_outlasts_the_drain(scene):
    workers = scene.start(drain_timeout="300ms")
    with fastcgi.Connection(workers.socket) as busy:
        busy.send(fastcgi.begin())
        status(workers)
        for number in (signal.SIGTERM, signal.SIGHUP):
            workers.process.send_signal(number)
            wait_for(workers, "pool_draining")
        return wait_for(workers, "drain_late", "signal_ignored")


def kill_a_worker(scene, number, event, **settings):
    workers = scene.start(**settings)
    os.kill(workers.worker_pids()[0], number)
    return wait_for(workers, event)


@causes("worker_killed")
def a_killed_worker(scene):
    return kill_a_worker(scene, signal.SIGKILL, "worker_killed")


@causes("worker_failed")
def a_worker_that_ends(scene):
    return kill_a_worker(scene, signal.SIGINT, "worker_failed")


@causes("worker_silent")
def a_worker_that_stands_still(scene):
    return kill_a_worker(scene, signal.SIGSTOP, "worker_silent", watchdog_timeout="500ms")


@causes("worker_unstarted")
def no_process_to_be_had(scene):
    directory = scene.directory()
    pool = servers.Process(["prlimit", "--nproc=0", scene.plain, "--listen=unix:%s/socket" % directory], directory, "pool")
    log = wait_for(pool, "worker_unstarted")
    assert pool.stop() == 0
    return log


@causes("start_failed")
def nowhere_to_listen(scene):
    return scene.run("--listen=unix:/nonexistent/socket")


CGI = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": URI, "HTTP_AUTHORIZATION": "Bearer " + ADMIN,
       "EVENT_MATCHER_DATABASE": "host=/nowhere user=nobody dbname=none passfile=/dev/null", "EVENT_MATCHER_DATABASE_WAIT": "0ms"}


@causes("memory_short")
def an_allocation_that_fails(scene):
    """Which one of its first hundred it is, depends on libraries."""
    logs = (scene.run(environment={**CGI, "LD_PRELOAD": str(scene.fail_malloc), "FAIL_MALLOC": str(number)}, stdout=subprocess.DEVNULL)
            for number in range(1, 100))
    return next(log for log in logs if lines(log, "memory_short"))


@causes("pool_ending")
def sigint(scene):
    workers = scene.start()
    workers.process.send_signal(signal.SIGINT)
    return wait_for(workers, "pool_ending")


@causes("generation_serves")
def a_reload(scene):
    workers = scene.start()
    pools.reload(workers)
    return workers.log()


@causes("reload_failed")
def a_reload_with_a_fault(scene):
    workers = pools.configured(scene.start_plain, scene.alone, scene.directory())
    workers.file.write_text("nonsense = 1\n")
    workers.process.send_signal(signal.SIGHUP)
    return wait_for(workers, "reload_failed")


# In the program's place: does first what is filled in, where it is to take a pool over.
PROGRAM = '#!/bin/bash\nif [ -n "$EVENT_MATCHER_INHERIT" ]; then %s; fi\nexec -a "$0" %s "$@"\n'


@contextlib.contextmanager
def replaced(plain, database, instead):
    """A pool that is told to give place to a program that does that first."""
    directory = servers.make_directory()
    program = directory / "program"
    program.write_text(PROGRAM % (instead.format(directory), plain))
    program.chmod(0o755)
    pool = servers.Workers(program, directory, database)
    pool.process.send_signal(signal.SIGUSR2)
    yield pool
    assert pool.stop() in (0, -signal.SIGKILL)
    shutil.rmtree(directory)


@causes("upgrade_served")
def an_upgrade(scene):
    with replaced(scene.plain, scene.alone, "true") as pool:
        return wait_for(pool, "upgrade_served")


@causes("upgrade_failed")
def an_upgrade_to_a_program_that_ends(scene):
    with replaced(scene.plain, scene.alone, "exit 3") as pool:
        return wait_for(pool, "upgrade_failed")


@pytest.fixture(scope="module", autouse=True)
def hanging(plain, alone):
    """It takes ten seconds until that is seen: others go on meanwhile."""
    with replaced(plain, alone, "exec sleep 60") as pool:
        yield pool


@causes("upgrade_late")
def an_upgrade_to_a_program_that_hangs(scene):
    return wait_for(scene.hanging, "upgrade_late")


@causes("upgrade_unheard")
def an_upgrade_of_a_pool_that_is_killed_meanwhile(scene):
    with replaced(scene.plain, scene.alone, "echo $$ > {0}/pid.new; mv {0}/pid.new {0}/pid; until [ -e {0}/go ]; do sleep 0.02; done") as pool:
        servers.wait_until((pool.directory / "pid").exists, "the new program")
        successor = int((pool.directory / "pid").read_text())
        pool.process.kill()
        pool.process.wait()
        (pool.directory / "go").touch()
        try:
            return wait_for(pool, "upgrade_unheard")
        finally:
            os.kill(successor, signal.SIGTERM)
            servers.wait_until(lambda: not servers.is_there(successor), "its end")


@causes("socket_remade")
def a_socket_that_vanishes(scene):
    workers = scene.start()
    os.unlink(workers.socket)
    return wait_for(workers, "socket_remade")


@causes("socket_vanished")
def a_directory_that_vanishes(scene):
    directory = scene.directory()
    workers = scene.start(socket=str(directory / "socket"))
    away = directory.rename(directory.with_suffix(".away"))
    try:
        return wait_for(workers, "socket_vanished")
    finally:
        away.rename(directory)


@causes("socket_taken")
def another_socket_in_its_place(scene):
    workers = scene.start()
    os.unlink(workers.socket)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(workers.socket)
        return wait_for(workers, "socket_taken")


@causes("systemd_unreachable")
def nobody_at_the_notify_socket(scene):
    return wait_for(scene.start(environment={"NOTIFY_SOCKET": "/nonexistent/socket"}), "systemd_unreachable")


@causes("sandbox_off")
def no_sandbox(scene):
    return scene.start(sandbox="off").log()


def without(call, *conditions):
    """Runs a program that may not make a system call: where its arguments are so, each {place, comparison, value, unused}."""
    return [sys.executable, "-c", """if True:
        import ctypes, os, sys
        lib = ctypes.CDLL("libseccomp.so.2")
        lib.seccomp_init.restype = ctypes.c_void_p
        class Condition(ctypes.Structure):
            _fields_ = [("place", ctypes.c_uint), ("comparison", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
        conditions = %r
        rules = ctypes.c_void_p(lib.seccomp_init(0x7fff0000))
        number = lib.seccomp_syscall_resolve_name(%r)
        assert lib.seccomp_rule_add_array(rules, 0x50001, number, len(conditions), (Condition * len(conditions))(*conditions)) == 0
        assert lib.seccomp_load(rules) == 0
        os.execv(sys.argv[1], sys.argv[1:])""" % (conditions, call)]


@causes("sandbox_failed")
def a_kernel_without_seccomp(scene):
    directory = scene.directory()
    pool = servers.Process([*without(b"seccomp"), scene.plain, "--listen=unix:%s/socket" % directory, "--workers=1"], directory, "pool")
    log = wait_for(pool, "sandbox_failed")
    assert pool.stop() == 0
    return log


NOT_EQUAL, EQUAL = 1, 4


@causes("descriptors_limited")
def a_limit_that_cannot_be_set(scene):
    return scene.start(prefix=without(b"prlimit64", (1, EQUAL, resource.RLIMIT_NOFILE, 0), (2, NOT_EQUAL, 0, 0))).log()


@causes("log_unopened")
def a_log_file_in_no_directory(scene):
    return scene.run("--listen=unix:/nonexistent/socket", "--log-file=/nonexistent/log")


@causes("log_lost")
def a_log_that_becomes_too_long(scene):
    """Each request of it is a line."""
    workers = scene.start(log_level="debug", prefix=["prlimit", "--fsize=3000"])
    for _ in range(60):
        assert status(workers) == 200
    os.truncate(workers.log_path, 0)
    assert status(workers) == 200
    return wait_for(workers, "log_lost")


@causes("session_failed", "request_failed", "request_failed_too")
def no_database(scene):
    workers = scene.start("host=/nonexistent dbname=none", has_database=False, database_wait="0ms", log_level="debug")
    assert {status(workers) for _ in range(2)} == {503}
    return wait_for(workers, "session_failed")


@causes("session_lost")
def a_session_that_is_ended(scene):
    workers = scene.start(scene.own)
    scene.own.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'event_matcher'")
    return wait_for(workers, "session_lost")


@causes("session_remark", "database_notice")
def a_view_that_warns(scene):
    sample.intercept(scene.own, "raise warning 'of the database'")
    workers = scene.start(scene.own)
    assert status(workers) == 200
    return workers.log()


@causes("known_answers_off", "known_answers_on")
def a_view_that_comes_and_goes(scene):
    workers = scene.start(scene.own, known_answers="1MiB")
    sample.intercept(scene.own, "null")
    servers.wait_until(lambda: status(workers) == 200 and lines(workers.log(), "known_answers_off"), "the view to be met")
    scene.own.run("drop view authentik_policies_policy; alter table base rename to authentik_policies_policy")
    servers.wait_until(lambda: status(workers) == 200 and lines(workers.log(), "known_answers_on"), "its end to be met")
    return workers.log()


@causes("passfile_unread")
def a_password_file_that_all_may_read(scene):
    path = scene.directory() / "pgpass"
    path.write_text("*:*:*:*:secret\n")
    path.chmod(0o444)
    return scene.start(environment={"PGPASSFILE": str(path)}).log()


@causes("question_failed")
def a_statement_that_fails(scene):
    sample.fail(scene.own, "22012")
    workers = scene.start(scene.own)
    assert status(workers) == 500
    return workers.log()


@causes("row_twice")
def a_row_that_is_there_twice(scene):
    scene.own.run("alter table authentik_policies_policy rename to base; create view authentik_policies_policy as select * from base "
                  "union all select * from base; grant select on authentik_policies_policy to event_matcher")
    workers = scene.start(scene.own)
    assert status(workers) == 500
    return workers.log()


@causes("request_shed", "request_slow")
def a_slow_request_beside_another(scene):
    sample.intercept(scene.own, "perform pg_sleep(0.3)")
    workers = scene.start(scene.own, max_requests=1, slow_request="100ms")
    with fastcgi.Connection(workers.socket) as slow:
        slow.send(sample.request())
        servers.wait_until(lambda: status(workers, fastcgi.URI.format(sample.POLICIES[1])) == 503, "the first to wait")
        assert slow.reply().status == 200
    return workers.log()


@causes("response_unwritten")
def a_response_that_nobody_takes(scene):
    with open("/dev/full", "w") as full:
        return scene.run(environment=CGI, stdout=full)


@causes("key_withheld")
def ten_requests_without_a_header(scene):
    workers = scene.start()
    assert [fastcgi.ask(workers.socket, URI, None).status for _ in range(10)] == [403] * 10
    return workers.log()


@causes("reply_shed")
def a_reply_that_is_too_long(scene):
    scene.own.run("update authentik_policies_policy set name = repeat('x', 100000) where policy_uuid = '%s'" % sample.POLICY)
    workers = scene.start(scene.own, max_unsent="64KiB")
    assert status(workers) == 503
    return workers.log()


@causes("connection_shed")
def a_connection_too_many(scene):
    workers = scene.start(max_connections=1)
    with fastcgi.Connection(workers.socket) as first:
        assert first.ask(URI, ADMIN).status == 200 and status(workers) == 503
    return workers.log()


@causes("connection_unaccepted")
def more_connections_than_descriptors(scene):
    workers = scene.start(prefix=["prlimit", "--nofile=24:24"])
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(fastcgi.Connection(workers.socket))
        return wait_for(workers, "connection_unaccepted")


@causes("connection_foreign")
def a_peer_that_is_no_web_server(scene):
    port = servers.free_port()
    workers = scene.start(listen="127.0.0.1:%d" % port, environment={"FCGI_WEB_SERVER_ADDRS": "127.0.0.2"})
    with fastcgi.Connection(("127.0.0.1", port)) as foreign:
        assert foreign.is_closed()
    return wait_for(workers, "connection_foreign")


@pytest.fixture(scope="module")
def logs():
    """By cause, as some have several events."""
    return {}


@pytest.mark.parametrize("event", sorted(EVENTS, key="upgrade_late".__eq__))
def test_each_event_is_logged_at_its_level_by_what_causes_it(scene, logs, event):
    cause = CAUSES[event]
    if cause not in logs:
        logs[cause] = cause(scene)
    levels = {level for level, _ in lines(logs[cause], event)}
    assert levels == {dict((row[0], row[1].lower()) for row in ROWS)[event]}, logs[cause]


def test_there_is_no_cause_of_an_event_that_is_not_in_the_table():
    assert sorted(CAUSES) == sorted(EVENTS)


def test_every_line_has_an_event_and_a_quiet_life_no_other_than_its_own(scene, logs):
    log = logs.setdefault(a_quiet_life, logs.get(a_quiet_life) or a_quiet_life(scene))
    found = re.findall(r"^[\d-]{10}T[\d:.]{12}Z \w+ \d+ (\w+) \S.*$", log, re.M)
    assert len(found) == len(log.splitlines()) and set(found) == set(QUIET)
