# SPDX-License-Identifier: MIT
"""The life of processes and sockets: drains, a worker that hangs, a socket that vanishes lose no request."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import fastcgi
import openloop
import pools
import rawhttp
import sample
import servers
from openloop import Busy, OpenLoop, figure
from sample import ADMIN, URI
from servers import is_there


def test_a_signal_to_the_whole_group_is_a_drain(start_workers, own):
    """Which each worker gets twice then, and a third time here, once it drains."""
    openloop.slow_down(own, 1)
    workers = start_workers(own, workers=2, prefix=["setsid"])
    pids = workers.worker_pids()
    pending = [fastcgi.Connection(workers.socket) for _ in range(100)]
    for connection in pending:
        connection.send(sample.request())
    assert os.getpgid(workers.pid) == workers.pid
    os.killpg(workers.pid, signal.SIGTERM)
    servers.wait_until(lambda: workers.log().count(" draining ") >= 2, "both workers to drain")
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one that had few of them has drained already
            os.kill(pid, signal.SIGTERM)
    statuses = [connection.reply().status for connection in pending]
    figure("in flight at SIGTERM to the group, cut off", statuses.count(0), 0)
    assert statuses == [200] * 100 and workers.process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_worker_of_a_pool_outlives_a_signal_that_is_the_supervisors(start_workers, alone, number):
    workers = start_workers(alone)
    before = workers.worker_pids()
    os.kill(before[0], number)
    assert pools.status(workers) == 200 and workers.worker_pids() == before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_worker_alone_outlives_signals_too(program, directory, alone, number):
    path = str(directory / ("lone%d.sock" % number))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o666)
        listening.listen(5)
        process = servers.Process([program, "--database=" + alone.dsn], directory, "lone%d" % number, stdin=listening)
    process.wait_ready(lambda: "is serving" in process.log(), "the worker")
    process.process.send_signal(number)
    pools.said(process, "nothing is done")
    assert fastcgi.ask(path, URI, ADMIN).status == 200 and process.stop() == 0


def test_signals_that_come_before_anything_else_end_nothing(program, directory, alone):
    """Stopped at its first instruction, it has them pending when it goes on: as early as a signal can be."""
    path = str(directory / "early.sock")
    script = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {1, 10, 12}); [os.kill(os.getpid(), n) for n in (1, 10)];" \
             "os.execv(sys.argv[1], sys.argv[1:])"
    process = servers.Process(["/usr/bin/python3", "-c", script, program, "--listen=unix:" + path, "--database=" + alone.dsn,
                               "--workers=1"], directory, "early")
    process.wait_ready(lambda: "generation 2 serves" in process.log(), "the reload that was asked for early")
    assert fastcgi.ask(path, URI, ADMIN).status == 200 and process.stop() == 0


@pytest.mark.parametrize("number", ["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_a_signal_that_comes_while_the_settings_are_read_ends_nothing(program, directory, alone, number):
    path, settings = str(directory / ("early-%s.sock" % number)), directory / ("early-%s.conf" % number)
    settings.write_text("workers = 1\n")
    settings.chmod(0o644)
    trace = ["strace", "-D", "-o", "/dev/null", "-P", settings, "-e", "inject=openat:signal=%s:when=1" % number]  # not of what it starts
    leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # which cannot be looked for in a trace
    process = servers.Process([*trace, program, "--config=%s" % settings, "--listen=unix:" + path, "--database=" + alone.dsn],
                              directory, "early-" + number, leaks)
    process.wait_ready(lambda: servers.connects(path), "the pool")
    assert fastcgi.ask(path, URI, ADMIN).status == 200
    process.stop()


def test_a_fork_that_fails_is_tried_again_with_growing_delay(program, tmp_path):
    """A preloaded fork that fails as that of a user with too many processes."""
    (tmp_path / "fork.c").write_text("#include <errno.h>\n#include <sys/types.h>\nint fork(void) { errno = EAGAIN; return -1; }\n")
    library = servers.make_directory() / "fork.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "fork.c"], check=True)
    library.chmod(0o755)
    directory = library.parent
    process = servers.Process([program, "--listen=unix:%s/x.sock" % directory, "--workers=1"], directory, "forkless",
                              {"LD_PRELOAD": str(library), "ASAN_OPTIONS": "verify_asan_link_order=0"})
    process.wait_ready(lambda: process.log().count("starting a worker") >= 4, "four tries")
    times = [line[11:23] for line in process.log().splitlines() if "starting a worker" in line]
    seconds = [int(t[:2]) * 3600 + int(t[3:5]) * 60 + float(t[6:]) for t in times]
    gaps = [(after - before) % 86400 for before, after in zip(seconds, seconds[1:])]
    assert process.stop() == 0
    shutil.rmtree(directory)
    figure("delays after forks that fail, s", gaps, "growing")
    assert gaps[1] >= 0.09 and gaps[2] >= 0.19


def stop_one(workers):
    victim = workers.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    return victim, time.monotonic()


def test_a_worker_that_hangs_is_replaced(start_plain, alone):
    workers = start_plain(alone, workers=2)
    victim, stopped = stop_one(workers)
    servers.wait_until(lambda: victim not in workers.worker_pids() and len(workers.worker_pids()) == 2, "its successor")
    took = time.monotonic() - stopped
    figure("a stopped worker is replaced after, s", round(took, 2), 3)
    assert 1.5 < took < 3 and "gave no sign of life" in workers.log()
    assert [pools.status(workers) for _ in range(20)] == [200] * 20


@pytest.mark.parametrize("damage", ["unwritable", "gone"])
def test_a_worker_is_replaced_though_its_log_file_cannot_be_opened_any_more(program, alone, damage):
    """By who rotates logs, or cleans directories up; a reload says so, as it would serve without its log."""
    place = servers.make_directory()
    path, log = str(place / "s"), place / "logs" / "workers.log"
    log.parent.mkdir()
    os.chown(log.parent, *(servers.unprivileged().get(name, -1) for name in ("user", "group")))
    pool = servers.Process([program, "--listen=unix:" + path, "--workers=1", "--log-file=%s" % log, "--database=" + alone.dsn], place, "pool")
    try:
        pool.wait_ready(lambda: log.exists() and "a worker is serving" in log.read_text(), "the pool")
        descriptor = os.open(log, os.O_RDONLY)
        if damage == "gone":
            shutil.rmtree(log.parent)
        else:
            log.parent.chmod(0)
        worker = int(pathlib.Path("/proc/{0}/task/{0}/children".format(pool.pid)).read_text())
        os.kill(worker, signal.SIGKILL)
        assert fastcgi.ask(path, URI, ADMIN).status == 200
        pool.process.send_signal(signal.SIGHUP)
        said = lambda: os.pread(descriptor, 1 << 20, 0).decode()
        servers.wait_until(lambda: "the pool goes on as it was" in said(), "the reload to be refused")
        assert "opening the log file %s: " % log in said() and fastcgi.ask(path, URI, ADMIN).status == 200
    finally:
        os.close(descriptor)
        assert pool.stop() == 0
        shutil.rmtree(place)


def test_a_supervisor_that_was_stopped_itself_kills_nobody(start_workers, alone):
    workers = start_workers(alone, workers=2, watchdog_timeout="1s")
    before = workers.worker_pids()
    everybody = [workers.pid, *before]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2)  # the time is the subject: longer than watchdog_timeout
    os.kill(workers.pid, signal.SIGCONT)
    time.sleep(0.3)  # the supervisor looks first
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    assert [pools.status(workers) for _ in range(20)] == [200] * 20
    assert workers.worker_pids() == before and "sign of life" not in workers.log()


def held_by(workers):
    """How many descriptors the supervisor and its workers have, each."""
    return [len(os.listdir("/proc/%d/fd" % pid)) for pid in (workers.pid, *workers.worker_pids())]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look at another user's descriptors")
def test_a_socket_that_vanished_is_made_anew(start_workers, alone):
    workers = start_workers(alone, listen_mode="0640")
    descriptors = held_by(workers)
    with fastcgi.Connection(workers.socket) as kept:
        assert kept.ask(URI, ADMIN).status == 200
        os.unlink(workers.socket)
        removed = time.monotonic()
        servers.wait_until(lambda: os.path.exists(workers.socket) and servers.connects(workers.socket), "the socket to be there again")
        figure("a socket's file that vanished is back after, s", round(time.monotonic() - removed, 2), 1.5)
        assert kept.is_closed()
    pools.said(workers, "is made anew")
    servers.wait_until(lambda: held_by(workers) == descriptors, "as many descriptors as before: nobody keeps the old socket")
    assert pools.status(workers) == 200 and oct(os.stat(workers.socket).st_mode)[-3:] == "640"
    assert workers.stop() == 0 and not os.path.exists(workers.socket)


def test_a_pool_leaves_the_socket_of_another_alone(start_workers, alone):
    first = start_workers(alone)
    os.kill(first.pid, signal.SIGSTOP)  # it is not to make its own anew first
    os.unlink(first.socket)
    second = start_workers(alone, socket=first.socket)
    os.kill(first.pid, signal.SIGCONT)
    pools.said(first, "another's now")
    assert first.stop() == 0
    assert pools.status(second) == 200


def test_of_starts_at_once_on_one_path_one_serves(program, alone, directory):
    """A left-over socket lies there, so each start finds it, removes it and binds."""
    path = directory / "contended.sock"
    for attempt in range(5):
        with socket.socket(socket.AF_UNIX) as left_over:
            path.unlink(missing_ok=True)
            left_over.bind(str(path))
        own = servers.unprivileged()
        os.chown(path, own.get("user", -1), own.get("group", -1))
        pools = [servers.Process([program, "--listen=unix:%s" % path, "--workers=1", "--database=" + alone.dsn], directory,
                                 "contended%d_%d" % (attempt, n)) for n in range(6)]
        servers.wait_until(lambda: sum(pool.process.poll() is None for pool in pools) == 1, "all but one to be refused")
        winner, = [pool for pool in pools if pool.process.poll() is None]
        assert {pool.process.returncode for pool in pools if pool is not winner} == {1}
        servers.wait_until(lambda: servers.connects(str(path)), "the one to serve")
        assert winner.stop() == 0 and not path.exists()


def test_a_drain_on_tcp_refuses_at_once_and_serves_who_is_there(program, alone, directory):
    port = servers.free_port()
    pool = servers.Process([program, "--listen=127.0.0.1:%d" % port, "--workers=2", "--database=" + alone.dsn], directory, "tcp%d" % port)
    pool.wait_ready(lambda: servers.connects(("127.0.0.1", port)), "the pool")
    with socket.create_connection(("127.0.0.1", port), 60) as slow:
        data = sample.request()
        slow.sendall(data[:-8])
        servers.wait_until(lambda: pools.served(port) == 200, "the slow one to have been accepted")
        pool.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        servers.wait_until(lambda: pools.refused(port), "a new connection to be refused")
        figure("a new TCP connection is refused after SIGTERM, s", round(time.monotonic() - started, 3), 0.5)
        slow.sendall(data[-8:])
        assert b"Status: 200" in slow.recv(65536)
    assert pool.process.wait(60) == 0


def failures(log):
    """How many failures the log accounts for: those it names, and those it counts."""
    return log.count(": answered 50") + sum(map(int, re.findall(r"answered 50\d .* beside the one named: (\d+)", log)))


def test_a_lost_database_is_no_line_a_request(start_workers, directory):
    workers = start_workers("host=%s" % directory, has_database=False, database_wait="0ms")
    with fastcgi.Connection(workers.socket) as connection:
        assert {connection.ask(URI, ADMIN).status for _ in range(500)} == {503}
    lines = workers.log().count(": answered 503")
    figure("lines for 500 requests without a database", lines, 2)
    assert 1 <= lines <= 2
    assert workers.stop() == 0 and failures(workers.log()) == 500


def test_what_is_shed_at_max_requests_is_said_and_counted(start_workers, own):
    openloop.slow_down(own, 1)
    workers = start_workers(own, max_requests=2)
    connections = [fastcgi.Connection(workers.socket) for _ in range(40)]
    for connection in connections:
        connection.send(sample.request())
    shed = [connection.reply().status for connection in connections].count(503)
    assert shed >= 30 and "max_requests wait for the database already" in workers.log()
    assert workers.stop() == 0 and failures(workers.log()) == shed


def test_connections_beyond_max_connections_are_said_and_counted(start_workers, alone):
    workers = start_workers(alone, max_connections=2)
    kept = [fastcgi.Connection(workers.socket) for _ in range(2)]
    assert [connection.ask(URI, ADMIN).status for connection in kept] == [200, 200]
    assert [pools.status(workers) for _ in range(5)] == [503] * 5
    assert workers.log().count("are open, max_connections") == 1
    servers.wait_until(lambda: "beyond max_connections, answered 503: 4 times more" in workers.log(), "the count")


def test_an_answer_that_came_while_the_worker_was_stopped_is_no_late_one(start_workers, own):
    openloop.slow_down(own, 0.3)
    workers = start_workers(own, request_timeout="1s", watchdog_timeout="0ms")
    assert fastcgi.ask(workers.socket, fastcgi.URI.format(sample.POLICIES[1]), ADMIN).status == 200
    worker, = workers.worker_pids()
    with fastcgi.Connection(workers.socket) as connection:
        connection.send(sample.request())
        servers.wait_until(lambda: own.run("select count(*) from pg_stat_activity where state = 'active' and usename = 'event_matcher' and datname = current_database()")[0][0], "the question to be out")
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5)  # the time is the subject: longer than the request's budget
        os.kill(worker, signal.SIGCONT)
        assert connection.reply().status == 200


@pools.BUSY
def test_workers_killed_under_load_lose_no_request_behind_nginx_as_shipped(start_workers, start_nginx, own, busy):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    nginx, delays = start_nginx(workers.socket), []
    with Busy(busy):
        load = OpenLoop(nginx.socket, openloop.bodies(workers.socket))
        for _ in range(5):
            load.wait_for(400)  # two seconds: a worker that dies sooner is replaced later
            victim, killed = workers.worker_pids()[0], time.monotonic()
            os.kill(victim, signal.SIGKILL)
            servers.wait_until(lambda: len(set(workers.worker_pids()) - {victim}) == 2, "the worker's successor")
            delays.append(round(time.monotonic() - killed, 3))
        load.wait_for(100)
        load.stop()
    figure("5 workers killed, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    figure("respawn, s", max(delays), 0.1)
    assert load.failed() == [] and min(delays) < 0.1


class BareNginx(servers.Nginx):
    """A fastcgi_pass to the socket and nothing else of ours."""

    @staticmethod
    def use_site(directory, site, authentik):
        conf = (directory / "event-matcher.conf").read_text()
        kept = [line for line in conf.splitlines() if "fastcgi_param" in line]
        (directory / "event-matcher.conf").write_text("\n".join(["fastcgi_pass unix:%s;" % authentik, *kept]) + "\n")


@pytest.fixture
def start_bare():
    """start_bare(path of the workers): nginx with a bare fastcgi_pass to it."""
    started = []

    def start(path):
        started.append(BareNginx(servers.make_directory(), path, site="bare", authentik=path))
        return started[-1]

    yield start
    for nginx in started:
        nginx.stop()
        shutil.rmtree(nginx.directory)


def test_a_worker_killed_behind_a_bare_fastcgi_pass_loses_only_what_it_had(start_workers, start_bare, own):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    load = OpenLoop(start_bare(workers.socket).socket, openloop.bodies(workers.socket))
    load.wait_for(200)
    in_flight = load.next - len(load.outcomes)
    os.kill(workers.worker_pids()[0], signal.SIGKILL)
    load.wait_for(200)
    load.stop()
    figure("a worker killed behind a bare fastcgi_pass, failed", len(load.failed()), "%d in flight" % in_flight)
    assert len(load.failed()) <= openloop.CONNECTIONS


def waiting_at(pid):
    """How many of its connections a worker has open, to PostgreSQL and from nginx."""
    return sum("socket" in os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid))


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look at another user's descriptors")
def test_all_that_a_killed_worker_had_is_told_502_and_nothing_else(start_workers, start_bare, own):
    openloop.slow_down(own, 2)
    workers = start_workers(own, workers=2)
    nginx, before = start_bare(workers.socket), {pid: waiting_at(pid) for pid in workers.worker_pids()}
    with concurrent.futures.ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(ask_over_http, nginx) for _ in range(20)]
        had = lambda pid: waiting_at(pid) - before[pid]
        servers.wait_until(lambda: sum(map(had, before)) == 20, "all to have been accepted")
        victim = max(before, key=had)
        lost = had(victim)
        os.kill(victim, signal.SIGKILL)
        statuses = [answer.result() for answer in asked]
    figure("of 20 in flight, told 502 after a worker with %d of them was killed" % lost, statuses.count(502), lost)
    assert statuses.count(502) == lost >= 10 and statuses.count(200) == 20 - lost


@pools.BUSY
def test_a_worker_that_is_stopped_under_load_loses_no_request(start_workers, start_nginx, own, busy):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    nginx = start_nginx(workers.socket)
    with Busy(busy):
        load = OpenLoop(nginx.socket, openloop.bodies(workers.socket))
        load.wait_for(200)
        victim, stopped = stop_one(workers)
        servers.wait_until(lambda: victim not in workers.worker_pids() and len(workers.worker_pids()) == 2, "its successor")
        took = time.monotonic() - stopped
        load.wait_for(600)
        load.stop()
    slowest = max(outcome.took for outcome in load.outcomes)
    figure("a worker stopped, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    figure("the slowest of them, s", round(slowest, 2), 6)
    figure("the stopped worker is replaced after, s", round(took, 2), 3)
    assert load.failed() == [] and slowest < 6


@contextlib.contextmanager
def crashing(program, tmp_path, count):
    """A pool whose workers crash at each start."""
    (tmp_path / "crash.c").write_text("#include <signal.h>\nint uv_loop_init(void *loop) { (void)loop; return raise(SIGKILL); }\n")
    directory = servers.make_directory()
    library = directory / "crash.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "crash.c"], check=True)
    library.chmod(0o755)
    pool = servers.Process([program, "--listen=unix:%s/x.sock" % directory, "--workers=%d" % count], directory, "crashing",
                           {"LD_PRELOAD": str(library), "ASAN_OPTIONS": "verify_asan_link_order=0"})
    pool.socket = "%s/x.sock" % directory
    pool.wait_ready(lambda: "was ended by signal" in pool.log(), "a crash")
    yield pool
    assert pool.stop() == 0
    shutil.rmtree(directory)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_a_worker_that_crashes_at_each_start_costs_few_forks_and_lines(program, tmp_path, count):
    with crashing(program, tmp_path, count) as pool:
        time.sleep(7)  # the time is the subject; the delays after the first 7 s are of 6.4 and 10 s: three starts more in 30 s
        forks, lines = pool.log().count("was ended by signal"), len(pool.log().splitlines())
    figure("forks of %d workers in 7 s of crashes; in 30 s three more" % count, forks, 20 - 3)
    figure("lines", lines, 40 - 6)
    assert count + 5 <= forks <= 20 - 3 and lines <= 40 - 6


def test_while_workers_crash_nginx_says_504_and_ready_says_no(program, tmp_path, start_nginx):
    """The socket takes connections, which nobody answers: nginx waits for both of its tries."""
    with crashing(program, tmp_path, 2) as pool:
        assert rawhttp.ask(start_nginx(pool.socket).socket, "GET", URI).status == 504
        asked = subprocess.run([program, "--ready", "--listen=unix:" + pool.socket], capture_output=True, text=True, timeout=60)
        assert asked.returncode == 1 and "Connection timed out" in asked.stderr


def test_a_pool_whose_supervisor_is_killed_leaves_no_orphan_and_frees_the_socket_at_once(program, start_workers, alone, directory):
    path = str(directory / "killed.sock")
    pool = servers.Process([program, "--listen=unix:" + path, "--database=" + alone.dsn, "--workers=2"], directory, "killed")
    pool.wait_ready(lambda: pool.log().count("is serving") == 2, "the pool")
    orphans = [int(pid) for pid in pathlib.Path("/proc/%d/task/%d/children" % (pool.pid, pool.pid)).read_text().split()]
    with fastcgi.Connection(path) as slow:
        slow.send(fastcgi.begin())
        fastcgi.ask(path, URI, ADMIN)
        pool.process.kill()
        pool.process.wait()
        killed = time.monotonic()
        servers.wait_until(lambda: not servers.connects(path), "the socket to be free")
        successor = start_workers(alone, socket=path)
        figure("a successor serves after the supervisor's death after, s", round(time.monotonic() - killed, 2), 11)
        assert pools.status(successor) == 200
        servers.wait_until(lambda: not any(map(is_there, orphans)), "the orphans to end")
        figure("no orphan is left after, s", round(time.monotonic() - killed, 2), 11)
    assert pools.status(successor) == 200


class TwoPools(servers.Nginx):
    """nginx/two-pools.conf in place of upstream.conf."""

    @staticmethod
    def use_site(directory, site, authentik):
        conf = (directory / "two-pools.conf").read_text()
        for name, path in zip(("one", "two"), authentik):
            conf = conf.replace("/run/event-matcher-fcgi/%s.sock" % name, path)
        (directory / "upstream.conf").write_text(conf)


@pools.BUSY
def test_two_pools_are_replaced_one_after_the_other_without_a_lost_request(start_workers, own, busy):
    openloop.slow_down(own)
    pools = [start_workers(own, workers=2) for _ in range(2)]
    nginx, ends = TwoPools(servers.make_directory(), pools[0].socket, site="two", authentik=[pool.socket for pool in pools]), []
    try:
        with Busy(busy):
            load = OpenLoop(nginx.socket, openloop.bodies(pools[0].socket))
            load.wait_for(100)
            for pool in pools:
                begun = time.monotonic()
                assert pool.stop() == 0
                ends.append(round(time.monotonic() - begun, 2))
                load.wait_for(100)
                start_workers(own, workers=2, socket=pool.socket)
                load.wait_for(400)
            load.stop()
    finally:
        nginx.stop()
        shutil.rmtree(nginx.directory)
    figure("two pools replaced, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    figure("a drain under load took, s", max(ends), 10)
    assert load.failed() == [] and max(ends) < 10


def test_a_second_sigterm_ends_a_busy_pool_at_once(start_workers, own):
    openloop.slow_down(own, 20)
    workers = start_workers(own, workers=2, drain_timeout="5min")
    with fastcgi.Connection(workers.socket) as busy:
        busy.send(sample.request())
        assert fastcgi.ask(workers.socket, fastcgi.URI.format(sample.POLICIES[1]), ADMIN).status == 200
        workers.process.send_signal(signal.SIGTERM)
        pools.said(workers, "draining")
        again = time.monotonic()
        workers.process.send_signal(signal.SIGTERM)
        assert workers.process.wait(60) == 0
        took = time.monotonic() - again
    figure("end after the second SIGTERM, s", round(took, 3), 0.2)
    assert took < 0.2 + 1  # a second for a busy machine: without it, it would be minutes


def test_a_full_listen_queue_is_no_end_and_soon_over(start_workers, start_nginx, alone):
    workers = start_workers(alone, workers=2, listen_backlog=100, watchdog_timeout="0ms")
    nginx = start_nginx(workers.socket)
    stopped, waiting = workers.worker_pids(), []
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(600):
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(workers.socket)
    refusal = ask_over_http(nginx)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for connection in waiting:
        connection.close()
    resumed = time.monotonic()
    servers.wait_until(lambda: ask_over_http(nginx) == 200, "an answer")
    figure("first answer after SIGCONT, s", round(time.monotonic() - resumed, 2), 1)
    statuses = [ask_over_http(nginx) for _ in range(100)]
    figure("a listen queue was full: nginx said %d; failed afterwards" % refusal, 100 - statuses.count(200), 0)
    assert refusal == 502 and statuses == [200] * 100 and workers.worker_pids() == stopped


def ask_over_http(nginx):
    return rawhttp.ask(nginx.socket, "GET", URI, sample.KEY).status


def ticks(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_without_descriptors_a_worker_rests_and_recovers(start_workers, alone):
    workers = start_workers(alone, prefix=["prlimit", "--nofile=32:32"])
    worker, = workers.worker_pids()
    connections = [fastcgi.Connection(workers.socket) for _ in range(100)]
    pools.said(workers, "Too many open files")
    before, started = ticks(worker), time.monotonic()
    time.sleep(2)  # the time is the subject: what it costs to have no descriptor
    share = (ticks(worker) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - started)
    assert connections[0].ask(URI, ADMIN).status == 200
    for connection in connections:
        connection.socket.close()
    figure("processor time without descriptors, %", round(100 * share, 1), 5)
    assert share < 0.05 and [pools.status(workers) for _ in range(50)] == [200] * 50 and workers.worker_pids() == [worker]
    assert workers.log().count("Too many open files") <= 2
