# SPDX-License-Identifier: MIT
"""The life of processes and sockets: drains, reloads, a worker that hangs, a socket that vanishes lose no request."""
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
import rawhttp
import sample
import servers
from openloop import Busy, OpenLoop, figure
from sample import ADMIN, URI
from servers import is_there

BUSY = pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])


def status(workers):
    return fastcgi.ask(workers.socket, URI, ADMIN).status


def said(workers, text):
    servers.wait_until(lambda: text in workers.log(), "the log to say: " + text)


def configured(start_workers, database, directory, **settings):
    """Workers with a file of settings, to be written anew; it is removed with them."""
    path = directory / ("%d.conf" % time.monotonic_ns())
    path.write_text("workers = 2\n")
    path.chmod(0o644)
    workers = start_workers(database, workers=2, environment={"EVENT_MATCHER_CONFIG": str(path)}, **settings)
    workers.file = path
    return workers


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
    assert status(workers) == 200 and workers.worker_pids() == before


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
    said(process, "nothing is done")
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


def test_a_worker_that_hangs_is_replaced(start_workers, alone):
    workers = start_workers(alone, workers=2, watchdog_timeout="2s")
    victim, stopped = stop_one(workers)
    servers.wait_until(lambda: victim not in workers.worker_pids() and len(workers.worker_pids()) == 2, "its successor")
    took = time.monotonic() - stopped
    figure("a stopped worker is replaced after, s", round(took, 2), 3)
    assert 1.5 < took < 3 + 3 and "gave no sign of life" in workers.log()
    assert [status(workers) for _ in range(20)] == [200] * 20


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
    assert [status(workers) for _ in range(20)] == [200] * 20
    assert workers.worker_pids() == before and "sign of life" not in workers.log()


def generation(workers):
    return max(map(int, re.findall(r"generation (\d+) serves", workers.log())), default=1)


def reload(workers):
    before = generation(workers)
    workers.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: generation(workers) > before, "the new generation")


def test_a_reload_takes_new_settings_with_new_workers(start_workers, alone, directory):
    workers = configured(start_workers, alone, directory)
    old = workers.worker_pids()
    workers.file.write_text("base_path = /other\nworkers = 2\n")
    reload(workers)
    servers.wait_until(lambda: not set(old) & set(workers.worker_pids()), "the old workers to end")
    assert status(workers) == 404 and fastcgi.ask(workers.socket, URI.replace("/api/v3", "/other"), ADMIN).status == 200
    assert len(workers.worker_pids()) == 2


@BUSY
def test_reloads_in_a_row_lose_no_request(start_workers, start_nginx, own, busy):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    nginx = start_nginx(workers.socket)
    expected = openloop.bodies(workers.socket)
    with Busy(busy):
        load = OpenLoop(nginx.socket, expected)
        load.wait_for(100)
        for number in range(20):
            workers.process.send_signal(signal.SIGHUP)
            time.sleep(number % 6 * 0.005)  # the times between the signals are the subject: 0 to 25 ms
        servers.wait_until(lambda: generation(workers) > 1, "a new generation")
        load.wait_for(400)
        servers.wait_until(lambda: len(workers.worker_pids()) == 2, "one generation")
        load.wait_for(100)
        answers = load.stop()
    figure("20 reloads, %d requests, failed" % len(answers), len(load.failed()), 0)
    assert load.failed() == [] and "goes on as it was" not in workers.log()


@pytest.mark.parametrize("text, error", [("workers = 2\nnonsense = 1\n", ':2: unknown setting "nonsense"'),
                                         ("# x\n\nrequest_timeout = 5\n", ":3: request_timeout is to be a duration"),
                                         ("listen_mode = 0600\nlisten_backlog = 5\n", "kept until a restart, and changed: listen_mode, listen_backlog"),
                                         ("schema =\n", "schema is empty")])
def test_a_reload_with_a_fault_in_the_settings_leaves_all_as_it_was(start_workers, alone, directory, text, error):
    workers = configured(start_workers, alone, directory)
    before = workers.worker_pids()
    workers.file.write_text(text)
    workers.process.send_signal(signal.SIGHUP)
    said(workers, "reload: ")
    lines = [line for line in workers.log().splitlines() if "reload: " in line]
    assert len(lines) == 1 and error in lines[0] and lines[0].endswith("the pool goes on as it was")
    assert (str(workers.file) in lines[0]) == error.startswith(":")
    assert status(workers) == 200 and workers.worker_pids() == before


def test_a_connection_string_with_a_fault_is_refused_at_a_reload_and_not_told(program, alone, directory):
    path = directory / "strings.conf"
    path.write_text("listen = unix:%s\ndatabase = %s\nworkers = 1\n" % (directory / "strings.sock", alone.dsn))
    path.chmod(0o644)
    pool = servers.Process([program, "--config=%s" % path], directory, "strings")
    pool.wait_ready(lambda: "is serving" in pool.log(), "the pool")
    path.write_text(path.read_text().replace(alone.dsn, "password=two secretwords"))
    pool.process.send_signal(signal.SIGHUP)
    said(pool, "the pool goes on as it was")
    assert "secretword" not in pool.log() and fastcgi.ask(str(directory / "strings.sock"), URI, ADMIN).status == 200
    assert pool.stop() == 0


def test_a_reload_whose_workers_cannot_start_leaves_all_as_it_was(start_plain, alone, directory):
    """Without sanitizers, which report memory that they do not get."""
    workers = configured(start_plain, alone, directory)
    before = workers.worker_pids()
    workers.file.write_text("workers = 2\nmax_connections = 1000000\nmax_requests = 65536\n")
    limit = int(pathlib.Path("/proc/%d/statm" % workers.pid).read_text().split()[0]) * os.sysconf("SC_PAGESIZE") + (8 << 20)
    subprocess.run(["prlimit", "--pid=%d" % workers.pid, "--as=%d" % limit], check=True,
                   **servers.unprivileged())
    workers.process.send_signal(signal.SIGHUP)
    said(workers, "a new worker did not start; the pool goes on as it was")
    assert status(workers) == 200 and set(before) <= set(workers.worker_pids())


def test_a_socket_that_vanished_is_made_anew(start_workers, alone):
    workers = start_workers(alone, listen_mode="0640")
    with fastcgi.Connection(workers.socket) as kept:
        assert kept.ask(URI, ADMIN).status == 200
        os.unlink(workers.socket)
        removed = time.monotonic()
        servers.wait_until(lambda: os.path.exists(workers.socket) and servers.connects(workers.socket), "the socket to be there again")
        figure("a socket's file that vanished is back after, s", round(time.monotonic() - removed, 2), 1.5)
        assert kept.is_closed()
    said(workers, "is made anew")
    assert status(workers) == 200 and oct(os.stat(workers.socket).st_mode)[-3:] == "640"
    assert workers.stop() == 0 and not os.path.exists(workers.socket)


def test_a_pool_leaves_the_socket_of_another_alone(start_workers, alone):
    first = start_workers(alone)
    os.kill(first.pid, signal.SIGSTOP)  # it is not to make its own anew first
    os.unlink(first.socket)
    second = start_workers(alone, socket=first.socket)
    os.kill(first.pid, signal.SIGCONT)
    said(first, "another's now")
    assert first.stop() == 0
    assert status(second) == 200


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
        servers.wait_until(lambda: served(port) == 200, "the slow one to have been accepted")
        pool.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        servers.wait_until(lambda: refused(port), "a new connection to be refused")
        figure("a new TCP connection is refused after SIGTERM, s", round(time.monotonic() - started, 3), 0.5)
        slow.sendall(data[-8:])
        assert b"Status: 200" in slow.recv(65536)
    assert pool.process.wait(60) == 0


def served(port):
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(sample.request(flags=0))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(data.split(b"Status: ")[1].split()[0])


def refused(port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def upgradable(program):
    """start(database, **settings): a pool whose program is its own copy, to be replaced; what took over is ended too."""
    pools = []

    def start(database, **settings):
        path = servers.make_directory()
        copy = path / "program"
        shutil.copy(program, copy)
        copy.chmod(0o755)
        pools.append(servers.Workers(copy, path, database, **settings))
        pools[-1].file = copy
        return pools[-1]

    yield start
    for pool in pools:
        pool.stop()
        shutil.rmtree(pool.directory)


def put_in_place(pool, text=None, source=None):
    """Another file under the program's name: a script, or a copy of a program."""
    new = pool.file.with_suffix(".new")
    new.write_text(text) if text else shutil.copy(source, new)
    new.chmod(0o755)
    os.rename(new, pool.file)


def upgrade(pool):
    pool.process.send_signal(signal.SIGUSR2)
    servers.wait_until(lambda: pool.successors(), "the new program to serve")
    return pool.successors()[0]


@BUSY
def test_an_upgrade_in_place_loses_no_request(upgradable, start_nginx, own, program, busy):
    openloop.slow_down(own)
    pool = upgradable(own, workers=2)
    nginx = start_nginx(pool.socket)
    expected = openloop.bodies(pool.socket)
    put_in_place(pool, source=program)
    with Busy(busy):
        load = OpenLoop(nginx.socket, expected)
        load.wait_for(100)
        successor = upgrade(pool)
        assert pool.process.wait(60) == 0
        load.wait_for(200)
        load.stop()
    figure("upgrade, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and is_there(successor)
    assert os.readlink("/proc/%d/exe" % successor) == str(pool.file)
    os.kill(successor, signal.SIGTERM)
    servers.wait_until(lambda: not is_there(successor), "its end")
    assert not os.path.exists(pool.socket)


@pytest.mark.parametrize("text, reason", [("#!/bin/sh\nexit 3\n", "ended with code 3 before it served"),
                                          ("#!/bin/sh\nkill -9 $$\n", "was ended by signal 9 before it served"),
                                          ("no program\n", "ended with code 1 before it served"),
                                          ("#!/bin/sh\nexec sleep 60\n", "does not serve within 10 s")], ids=["ends", "dies", "none", "hangs"])
def test_an_upgrade_that_fails_changes_nothing(upgradable, start_nginx, own, text, reason):
    openloop.slow_down(own)
    pool = upgradable(own, workers=2)
    nginx = start_nginx(pool.socket)
    load = OpenLoop(nginx.socket, openloop.bodies(pool.socket))
    before = pool.worker_pids()
    put_in_place(pool, text)
    pool.process.send_signal(signal.SIGUSR2)
    said(pool, reason)
    said(pool, "the pool goes on as it was")
    load.wait_for(100)
    load.stop()
    figure("upgrade that fails, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and pool.worker_pids() == before and not pool.successors()


def test_an_upgrade_that_fails_can_be_tried_again_and_a_reload_works_after_it(upgradable, alone, program):
    pool = upgradable(alone)
    put_in_place(pool, "#!/bin/sh\nexit 3\n")
    pool.process.send_signal(signal.SIGUSR2)
    said(pool, "the pool goes on as it was")
    reload(pool)
    put_in_place(pool, source=program)
    upgrade(pool)
    assert pool.process.wait(60) == 0 and status(pool) == 200


def test_an_upgrade_refuses_another_socket_in_words(upgradable, alone, directory):
    path = directory / "upgrade.conf"
    path.write_text("listen_mode = 0660\n")
    path.chmod(0o644)
    pool = upgradable(alone, environment={"EVENT_MATCHER_CONFIG": str(path)})
    path.write_text("listen_mode = 0600\n")
    pool.process.send_signal(signal.SIGUSR2)
    said(pool, "the pool goes on as it was")
    assert "a change of these takes a restart" in pool.log() and status(pool) == 200


def test_an_upgrade_takes_every_socket_along(program, alone, directory):
    """Two of systemd's, TCP and unix: systemd keeps them, so none is shut and no file is removed."""
    path, ends = str(directory / "given.sock"), []
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as tcp:
        unix.bind(path)
        os.chmod(path, 0o666)
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        for listening in (unix, tcp):
            listening.listen(50)
        script = "import os, sys; [os.dup2(int(fd), 3 + n) for n, fd in enumerate(sys.argv[1].split(','))];" \
                 "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2'); os.execv(sys.argv[2], sys.argv[2:])"
        high = [os.dup(0) for _ in range(8)]
        given = [os.dup(listening.fileno()) for listening in (unix, tcp)]
        pool = servers.Process(["/usr/bin/python3", "-c", script, "%d,%d" % tuple(given), program, "--workers=2", "--database=" + alone.dsn],
                               directory, "given", pass_fds=given)
        for descriptor in high + given:
            os.close(descriptor)
        pool.wait_ready(lambda: pool.log().count("is serving") == 2, "the pool")
        assert served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        reload(pool)
        assert served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        successor = upgrade(pool)
        assert pool.process.wait(60) == 0
        assert served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        os.kill(successor, signal.SIGTERM)
        servers.wait_until(lambda: not is_there(successor), "its end")
        with socket.create_connection(("127.0.0.1", port), 5), socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(path)  # both wait for the next start


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
    assert [status(workers) for _ in range(5)] == [503] * 5
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


@BUSY
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


def test_a_worker_killed_behind_a_bare_fastcgi_pass_loses_only_what_it_had(start_workers, own):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    nginx = BareNginx(servers.make_directory(), workers.socket, site="bare", authentik=workers.socket)
    try:
        load = OpenLoop(nginx.socket, openloop.bodies(workers.socket))
        load.wait_for(200)
        before = len(load.outcomes)
        in_flight = load.next - before
        os.kill(workers.worker_pids()[0], signal.SIGKILL)
        load.wait_for(200)
        load.stop()
    finally:
        nginx.stop()
        shutil.rmtree(nginx.directory)
    figure("a worker killed behind a bare fastcgi_pass, failed", len(load.failed()), "%d in flight" % in_flight)
    assert len(load.failed()) <= openloop.CONNECTIONS


@BUSY
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


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_worker_that_crashes_at_each_start_costs_few_forks_and_lines(program, tmp_path, count):
    with crashing(program, tmp_path, count) as pool:
        time.sleep(7)  # the time is the subject: all delays of the first 7 s but the last are over; each seat starts twice at most in the rest
        forks, lines = pool.log().count("was ended by signal"), len(pool.log().splitlines())
    figure("forks of %d workers in 7 s of crashes; in 30 s two a worker more" % count, forks, 20 - 2 * count)
    figure("lines", lines, 40 - 4 * count)
    assert 4 <= forks <= 20 - 2 * count and lines <= 40 - 4 * count


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
        assert status(successor) == 200
        servers.wait_until(lambda: not any(map(is_there, orphans)), "the orphans to end")
        figure("no orphan is left after, s", round(time.monotonic() - killed, 2), 11)
    assert status(successor) == 200


class TwoPools(servers.Nginx):
    """nginx/two-pools.conf in place of upstream.conf."""

    @staticmethod
    def use_site(directory, site, authentik):
        conf = (directory / "two-pools.conf").read_text()
        for name, path in zip(("one", "two"), authentik):
            conf = conf.replace("/run/event-matcher-fcgi/%s.sock" % name, path)
        (directory / "upstream.conf").write_text(conf)


@BUSY
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
        said(workers, "draining")
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
    said(workers, "Too many open files")
    before, started = ticks(worker), time.monotonic()
    time.sleep(2)  # the time is the subject: what it costs to have no descriptor
    share = (ticks(worker) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - started)
    assert connections[0].ask(URI, ADMIN).status == 200
    for connection in connections:
        connection.socket.close()
    figure("processor time without descriptors, %", round(100 * share, 1), 5)
    assert share < 0.05 and [status(workers) for _ in range(50)] == [200] * 50 and workers.worker_pids() == [worker]
    assert workers.log().count("Too many open files") <= 2
