# SPDX-License-Identifier: MIT
"""The pool: workers that die are replaced, a drain loses nothing, settings and sockets are checked at the start."""
import grp
import os
import re
import select
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

import fastcgi
import openloop
import pools
import rawhttp
import sample
import servers
from fastcgi import Connection
from sample import ADMIN, KEY, URI


def get(nginx):
    try:
        return rawhttp.ask(nginx.socket, "GET", URI, KEY).status
    except OSError as error:
        return str(error)


def get_directly(workers):
    return fastcgi.ask(workers.socket, URI, ADMIN).status


class Load:
    """8 clients that ask through nginx without a pause until they are told to stop; their answers are kept."""

    def __init__(self, nginx):
        self.nginx, self.answers, self.over = nginx, [], False
        self.threads = [threading.Thread(target=self.run) for _ in range(8)]
        for thread in self.threads:
            thread.start()

    def run(self):
        deadline = time.monotonic() + 300
        while not self.over and time.monotonic() < deadline:
            self.answers.append(get(self.nginx))

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        return self.answers


def test_workers_killed_under_load_lose_no_request_and_are_replaced(start_workers, start_nginx, alone):
    workers = start_workers(alone, workers=2)
    nginx = start_nginx(workers.socket)
    assert get(nginx) == 200
    load = Load(nginx)
    for _ in range(5):
        victim, before = workers.worker_pids()[0], len(load.answers)
        os.kill(victim, signal.SIGKILL)
        servers.wait_until(lambda: len(set(workers.worker_pids()) - {victim}) == 2, "the worker's successor")
        servers.wait_until(lambda: len(load.answers) > before + 50, "requests to be served meanwhile")
    answers = load.stop()
    assert set(answers) == {200} and len(answers) > 50
    assert workers.log().count("was ended by signal 9") == 5


def test_a_worker_that_dies_at_once_is_replaced_with_growing_delay(start_workers, alone):
    workers = start_workers(alone, workers=1)
    births, seen = [], set()
    while len(births) < 5:
        servers.wait_until(lambda: set(workers.worker_pids()) - seen, "a new worker")
        births.append(time.monotonic())
        worker = (set(workers.worker_pids()) - seen).pop()
        seen.add(worker)
        os.kill(worker, signal.SIGKILL)
    gaps = [after - before for before, after in zip(births, births[1:])]
    assert gaps[1] >= 0.1 and gaps[2] >= 0.2 and gaps[3] >= 0.4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_drain_answers_what_is_open_and_then_ends(start_workers, alone, number):
    workers = start_workers(alone)
    with Connection(workers.socket) as busy, Connection(workers.socket) as idle:
        assert idle.ask(URI, ADMIN).status == 200
        data = sample.request()
        busy.send(data[:-8])
        workers.process.send_signal(number)
        assert idle.is_closed()
        busy.send(data[-8:])
        assert busy.reply().status == 200 and busy.is_closed()
    assert workers.process.wait(60) == 0 and not os.path.exists(workers.socket)


def test_a_successor_takes_the_socket_while_its_predecessor_drains(start_workers, alone):
    workers = start_workers(alone)
    with Connection(workers.socket) as busy:
        data = sample.request()
        busy.send(data[:-8])
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
        workers.process.send_signal(signal.SIGTERM)
        servers.wait_until(lambda: not os.path.exists(workers.socket), "the socket to be given up")
        successor = start_workers(alone, socket=workers.socket)
        busy.send(data[-8:])
        assert busy.reply().status == 200 and workers.process.wait(60) == 0
        assert fastcgi.ask(successor.socket, URI, ADMIN).status == 200


def test_without_descriptors_the_listener_rests_and_serves_again_later(start_workers, alone):
    workers = start_workers(alone, prefix=["prlimit", "--nofile=24:24"])
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    pid = workers.worker_pids()[0]
    connections = [Connection(workers.socket) for _ in range(20)]
    servers.wait_until(lambda: "accepting a connection: " in workers.log(), "the descriptors to be used up")
    before = cpu_ticks(pid)
    assert connections[0].ask(URI, ADMIN).status == 200
    time.sleep(1)
    assert cpu_ticks(pid) - before < 15, "the worker spins"  # where it does, it gets a third of a busy core at least
    for connection in connections:
        connection.socket.close()
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200


def cpu_ticks(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("signals", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGINT]])
def test_a_second_sigterm_or_sigint_ends_at_once(start_workers, alone, signals):
    workers = start_workers(alone, drain_timeout="5min")
    with Connection(workers.socket) as busy:
        busy.send(fastcgi.begin())
        fastcgi.ask(workers.socket, URI, ADMIN)
        for count, number in enumerate(signals, 1):
            workers.process.send_signal(number)
            servers.wait_until(lambda: workers.log().count("info %d " % workers.pid) >= count, "the signal to be heard")
        assert workers.process.wait(60) == 0 and busy.is_closed()


def test_signals_that_the_parent_ignores_or_blocks_are_heard_all_the_same(start_workers, alone):
    deaf = ["/usr/bin/python3", "-c", "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD]); os.execv(sys.argv[1], sys.argv[1:])"]
    workers = start_workers(alone, prefix=deaf)
    assert get_directly(workers) == 200
    killed = workers.worker_pids()
    os.kill(killed[0], signal.SIGKILL)
    servers.wait_until(lambda: workers.worker_pids() not in ([], killed), "a successor")
    os.kill(workers.worker_pids()[0], signal.SIGTERM)  # one worker alone is told to drain
    servers.wait_until(lambda: "ended with code 0" in workers.log(), "its end")
    assert workers.stop() == 0


def test_signals_in_a_row_do_not_put_off_the_end_of_a_stuck_worker(start_workers, alone):
    workers = start_workers(alone, drain_timeout="100ms")
    assert get_directly(workers) == 200
    os.kill(workers.worker_pids()[0], signal.SIGSTOP)
    started = time.monotonic()
    while workers.process.poll() is None and time.monotonic() - started < 60:
        workers.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert workers.process.wait(1) == 0


@pools.BUSY
def test_a_log_that_nobody_reads_holds_up_nobody(start_workers, directory, busy):
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    try:
        workers = start_workers("host=%s" % directory, has_database=False, database_wait="1s", log_level="debug", stderr_to=write_end)
        with openloop.Busy(busy):
            for _ in range(1500):  # each end of a connection is a line of the log: more than the pipe takes
                assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
        seen = b""
        while len(seen) < 50000:  # a pipe of 64 KiB takes whole lines only, a page after the other
            seen += os.read(read_end, 65536)
        assert get_directly(workers) == 503
        servers.wait_until(lambda: select.select([read_end], [], [], 0)[0], "the log to go on")
        assert b"lines before this one were lost" in os.read(read_end, 65536)
        assert all(len(line) < 4096 for line in seen.splitlines())
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_message_of_libpq_is_one_line_in_its_own_letters(start_workers):
    workers = start_workers("host=/nonexistent/ü,/nowhere", has_database=False)
    servers.wait_until(lambda: "/nowhere/" in workers.log(), "the failure in the log")
    line = next(line for line in workers.log().splitlines() if "/nonexistent/ü/" in line)
    assert "on that socket?; connection to server on socket" in line and "\\x" not in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_does_not_wait_for_a_database_that_does_not_let_in(start_workers, number):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        workers = start_workers("host=127.0.0.1 port=%d user=x" % silent.getsockname()[1], has_database=False)
        connection, _ = silent.accept()
        started = time.monotonic()
        assert workers.stop(number) == 0 and time.monotonic() - started < 20  # connecting may take 60
        assert " error " not in workers.log()
        connection.close()


def test_a_drain_ends_after_drain_timeout_whoever_is_still_there(start_workers, alone):
    workers = start_workers(alone, drain_timeout="300ms")
    with Connection(workers.socket) as busy:
        busy.send(fastcgi.begin())
        fastcgi.ask(workers.socket, URI, ADMIN)
        workers.process.send_signal(signal.SIGTERM)
        assert busy.is_closed() and workers.process.wait(60) == 0


def test_workers_of_a_supervisor_that_was_killed_end_and_free_the_socket(start_workers, alone, program, directory):
    path = str(directory / "orphans.sock")
    process = servers.Process([program, "--listen=unix:" + path, "--database=" + alone.dsn, "--workers=2"], directory, "orphans")
    process.wait_ready(lambda: servers.connects(path), "the workers")
    process.process.kill()
    process.process.wait()
    servers.wait_until(lambda: not servers.connects(path), "the orphans to end")


def run(program, *arguments, **environment):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], **environment})


@pytest.mark.parametrize("arguments, error", [
    (["--nonsense=1"], "--nonsense is no option"), (["--workers"], "--workers is no option, or its value is missing"),
    (["-x"], "-x is no option"), (["-xh"], "-xh is no option"), (["extra"], "argument 1 is no option"), (["--workers=x"], "command line: workers is to be a whole number"),
    (["--request-timeout=5"], "request_timeout is to be a duration with its unit"), ([], "nothing to listen on"),
    (["--listen-mode=999"], "listen_mode is to be an octal mode"), (["--max-unsent=64TB"], "max_unsent is to be a size"),
    (["--base-path=api"], "base_path is to be"), (["--config=/nonexistent"], "/nonexistent: No such file"),
    (["--log-level=loud"], "log_level is to be error, warning, info or debug"), (["--schema="], "schema is empty")])
def test_a_mistake_in_the_settings_is_named_and_exits_2(program, arguments, error):
    result = run(program, *arguments)
    assert result.returncode == 2 and error in result.stderr


@pytest.mark.parametrize("text, error", [("workers = 2\nworker = 3\n", ":2: unknown setting \"worker\""),
                                         ("workers\n", ":1: a line is to be"), ("# x\n\nworkers=-1\n", ":3: workers is")])
def test_a_mistake_in_the_file_is_named_with_its_line(program, tmp_path, text, error):
    (tmp_path / "conf").write_text(text)
    result = run(program, "--config=%s" % (tmp_path / "conf"))
    assert result.returncode == 2 and str(tmp_path / "conf") + error in result.stderr


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(program, tmp_path):
    (tmp_path / "conf").write_text("listen_mode = 1\nbase_path = file\nschema = from_file\n")
    environment = {"EVENT_MATCHER_CONFIG": str(tmp_path / "conf"), "EVENT_MATCHER_BASE_PATH": "environment"}
    assert '"environment"' in run(program, **environment).stderr
    assert '"argument"' in run(program, "--base-path=argument", **environment).stderr
    del environment["EVENT_MATCHER_BASE_PATH"]
    assert '"file"' in run(program, **environment).stderr


def test_variables_of_an_orchestrator_are_no_settings(program):
    assert run(program, "--version", EVENT_MATCHER_PORT="tcp://192.0.2.1:80").returncode == 0


@pytest.mark.parametrize("word, output", [("--version", "event-matcher-fcgi "), ("-V", "event-matcher-fcgi "),
                                          ("--help", "Usage: event-matcher-fcgi "), ("-h", "Usage: event-matcher-fcgi ")])
def test_version_and_help_exit_0(program, word, output):
    result = run(program, word)
    assert result.returncode == 0 and result.stdout.startswith(output) and result.stderr == ""


def test_the_socket_gets_its_mode_and_is_removed_at_the_end(start_workers, alone):
    workers = start_workers(alone, listen_mode="0640")
    assert stat.S_IMODE(os.stat(workers.socket).st_mode) == 0o640
    assert workers.stop() == 0 and not os.path.exists(workers.socket)


def another_group():
    """A group that our workers are in beside their own: given to them where we are root, else one of ours."""
    if os.getuid() == 0:
        return grp.getgrnam("www-data").gr_gid
    others = set(os.getgroups()) - {os.getegid()}
    return min(others) if others else pytest.skip("whoever runs this is in one group only")


def test_the_socket_gets_its_group(start_workers, alone):
    number = another_group()
    workers = start_workers(alone, listen_group=grp.getgrgid(number).gr_name, extra_groups=[number])
    assert os.stat(workers.socket).st_gid == number and get_directly(workers) == 200


def test_the_group_may_be_a_number(start_workers, alone):
    number = another_group()
    workers = start_workers(alone, listen_group=number, extra_groups=[number])
    assert os.stat(workers.socket).st_gid == number


def test_a_group_that_there_is_not_is_named_and_leaves_no_socket(program, directory):
    path = directory / "grouped.sock"
    result = run(program, "--listen=unix:%s" % path, "--listen-group=no-such-group")
    assert result.returncode == 1 and "no-such-group" in result.stderr and not path.exists()


def test_nobody_else_may_connect_before_the_socket_has_its_mode(start_workers, alone, directory):
    trace = directory / "socket.strace"
    leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # which cannot be looked for in a trace
    workers = start_workers(alone, environment=leaks, prefix=["strace", "-D", "-f", "-o", trace, "-e", "trace=umask,bind,chmod,fchmodat"])
    assert workers.stop() == 0
    calls = re.findall(r"(umask|bind|chmod)(?:at)?\((.*)\) += ", trace.read_text())
    bound = next(number for number, (name, given) in enumerate(calls) if name == "bind" and workers.socket in given)
    assert calls[bound - 1] == ("umask", "0177")
    assert [name for name, _ in calls[bound:bound + 3]] == ["bind", "umask", "chmod"] and calls[bound + 2][1].endswith("0660")


def test_a_left_over_socket_is_replaced_but_one_in_use_and_a_file_are_not(start_workers, alone, program):
    workers = start_workers(alone)
    listen = "--listen=unix:" + workers.socket
    result = run(program, listen)
    assert result.returncode == 1 and "Address already in use" in result.stderr
    workers.process.kill()
    servers.wait_until(lambda: not servers.connects(workers.socket), "the workers to end")
    workers.process.wait()
    assert os.path.exists(workers.socket)
    workers.expected_code = -signal.SIGKILL
    again = start_workers(alone, socket=workers.socket)
    assert fastcgi.ask(again.socket, URI, ADMIN).status == 200 and again.stop() == 0
    (workers.directory / "workers.sock").write_text("a file")
    assert run(program, listen).returncode == 1 and os.path.exists(workers.socket)


def test_a_pool_listens_on_several_addresses(start_workers, alone, directory):
    port, path = servers.free_port(), str(directory / "several.sock")
    workers = start_workers(alone, listen="unix:%s,127.0.0.2:%d" % (path, port), socket=path)
    assert [fastcgi.ask(where, URI, ADMIN).status for where in (path, ("127.0.0.2", port))] == [200, 200]
    assert workers.stop() == 0 and not os.path.exists(path)


@pytest.mark.parametrize("form", ["%d", ":%d"])
def test_a_port_alone_is_one_of_every_address(start_workers, alone, directory, form):
    port = servers.free_port()
    workers = start_workers(alone, listen=form % port)
    assert [fastcgi.ask((host, port), URI, ADMIN).status for host in ("127.0.0.1", "127.0.0.3")] == [200, 200]
    assert workers.stop() == 0


def test_of_several_sockets_one_whose_file_vanishes_is_made_anew(start_workers, alone, directory):
    port, path = servers.free_port(), str(directory / "vanishing.sock")
    workers = start_workers(alone, listen="127.0.0.2:%d unix:%s" % (port, path), socket=path)
    os.unlink(path)
    servers.wait_until(lambda: servers.connects(path), "the socket's file")
    assert [fastcgi.ask(where, URI, ADMIN).status for where in (path, ("127.0.0.2", port))] == [200, 200]
    assert workers.stop() == 0 and not os.path.exists(path)


@pytest.mark.parametrize("listen, code", [("nonsense", 2), ("unix:", 2), ("127.0.0.1:", 2), ("80x", 2), ("unix:/nonexistent/x.sock", 1),
                                          ("unix:/" + "x" * 200, 2), ("192.0.2.1:9000", 1)])
def test_an_address_that_cannot_be_listened_on_is_named(program, listen, code):
    """With 2 where its form is a mistake, with 1 where the machine has not what it names."""
    result = run(program, "--listen=" + listen)
    assert result.returncode == code and listen.replace("unix:", "")[:20] in result.stderr
