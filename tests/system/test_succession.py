# SPDX-License-Identifier: MIT
"""One crew takes the place of another: reloads and upgrades lose no request, and those that fail change nothing."""
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
import sample
import servers
from openloop import Busy, OpenLoop, figure
from sample import ADMIN, URI
from servers import is_there


def test_a_reload_takes_new_settings_with_new_workers(start_workers, alone, directory):
    workers = pools.configured(start_workers, alone, directory)
    old = workers.worker_pids()
    workers.file.write_text("base_path = /other\nworkers = 2\n")
    pools.reload(workers)
    servers.wait_until(lambda: not set(old) & set(workers.worker_pids()), "the old workers to end")
    assert pools.status(workers) == 404 and fastcgi.ask(workers.socket, URI.replace("/api/v3", "/other"), ADMIN).status == 200
    assert len(workers.worker_pids()) == 2


def numbers(workers):
    """The metrics of the pool."""
    return dict(re.findall(rb"^(\w+(?:\{.*\})?) (\S+)$", fastcgi.ask(workers.socket, "/-/metrics/").body, re.M))


def is_one_generation(workers):
    """Whose workers all serve, while none of another drains."""
    states = {state: numbers(workers).get(b'event_matcher_workers{state="%s"}' % state) for state in (b"starting", b"serving", b"draining")}
    return states == {b"starting": b"0", b"serving": b"2", b"draining": b"0"} and len(workers.worker_pids()) == 2


def reload_often(workers, load):
    """Twenty signals, 0 to 25 ms apart, and what is answered meanwhile."""
    before = pools.generation(workers)
    for number in range(20):
        workers.process.send_signal(signal.SIGHUP)
        time.sleep(number % 6 * 0.005)  # the times between the signals are the subject
    servers.wait_until(lambda: pools.generation(workers) > before, "a new generation")
    load.wait_for(400)


@pools.BUSY
def test_reloads_in_a_row_lose_no_request(start_workers, start_nginx, own, busy):
    openloop.slow_down(own)
    workers = start_workers(own, workers=2)
    nginx = start_nginx(workers.socket)
    with Busy(busy):
        load = OpenLoop(nginx.socket, openloop.bodies(workers.socket))
        while len(load.outcomes) < 2000:
            reload_often(workers, load)
        servers.wait_until(lambda: is_one_generation(workers), "one generation")
        load.stop()
    figure("reloads, 20 at a time, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and "goes on as it was" not in workers.log()
    assert int(numbers(workers)[b"event_matcher_generation"]) == pools.generation(workers) > 5


def on_tcp(start, database, directory):
    """A pool that listens on a port, too, and its address."""
    port = servers.free_port()
    path = str(directory / ("tcp%d.sock" % port))
    return start(database, workers=2, socket=path, listen="unix:%s 127.0.0.1:%d" % (path, port)), "127.0.0.1:%d" % port


def test_reloads_lose_no_request_on_tcp(start_workers, start_nginx, own, directory):
    openloop.slow_down(own)
    workers, address = on_tcp(start_workers, own, directory)
    load = OpenLoop(start_nginx(address).socket, openloop.bodies(workers.socket))
    reload_often(workers, load)
    load.stop()
    figure("reloads on TCP, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and pools.generation(workers) > 1


@pytest.mark.parametrize("text, error", [("workers = 2\nnonsense = 1\n", ':2: unknown setting "nonsense"'),
                                         ("# x\n\nrequest_timeout = 5\n", ":3: request_timeout is to be a duration"),
                                         ("listen_mode = 0600\nlisten_backlog = 5\n", "kept until a restart, and changed: listen_mode, listen_backlog"),
                                         ("schema =\n", "schema is empty")])
def test_a_reload_with_a_fault_in_the_settings_leaves_all_as_it_was(start_workers, alone, directory, text, error):
    workers = pools.configured(start_workers, alone, directory)
    before = workers.worker_pids()
    workers.file.write_text(text)
    workers.process.send_signal(signal.SIGHUP)
    pools.said(workers, "reload: ")
    lines = [line for line in workers.log().splitlines() if "reload: " in line]
    assert len(lines) == 1 and error in lines[0] and lines[0].endswith("the pool goes on as it was")
    assert (str(workers.file) in lines[0]) == error.startswith(":")
    assert pools.status(workers) == 200 and workers.worker_pids() == before


@pools.BUSY
def test_a_reload_with_a_fault_loses_no_request_and_a_metric_says_so(start_workers, start_nginx, own, directory, busy):
    openloop.slow_down(own)
    workers = pools.configured(start_workers, own, directory)
    nginx, before = start_nginx(workers.socket), workers.worker_pids()
    with Busy(busy):
        load = OpenLoop(nginx.socket, openloop.bodies(workers.socket))
        workers.file.write_text("workers = two\n")
        workers.process.send_signal(signal.SIGHUP)
        pools.said(workers, "the pool goes on as it was")
        load.wait_for(200)
        assert numbers(workers)[b"event_matcher_last_reload_successful"] == b"0" and workers.worker_pids() == before
        workers.file.write_text("workers = 2\n")
        pools.reload(workers)
        load.wait_for(100)
        load.stop()
    figure("a reload with a fault and one without, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and numbers(workers)[b"event_matcher_last_reload_successful"] == b"1"


def test_a_connection_string_with_a_fault_is_refused_at_a_reload_and_not_told(program, alone, directory):
    path = directory / "strings.conf"
    path.write_text("listen = unix:%s\ndatabase = %s\nworkers = 1\n" % (directory / "strings.sock", alone.dsn))
    path.chmod(0o644)
    pool = servers.Process([program, "--config=%s" % path], directory, "strings")
    pool.wait_ready(lambda: "is serving" in pool.log(), "the pool")
    path.write_text(path.read_text().replace(alone.dsn, "password=two secretwords"))
    pool.process.send_signal(signal.SIGHUP)
    pools.said(pool, "the pool goes on as it was")
    assert "secretword" not in pool.log() and fastcgi.ask(str(directory / "strings.sock"), URI, ADMIN).status == 200
    assert pool.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_settings_that_came_through_a_pipe_are_kept_in_words(program, alone, directory, number):
    """A shell's <(...), or a FIFO: read again it is empty, or nobody writes to it and who opens it waits."""
    path, socket_path = directory / ("fifo%d" % number), str(directory / ("fifo%d.sock" % number))
    os.mkfifo(path, 0o666)
    path.chmod(0o666)
    pool = servers.Process([program, "--config=%s" % path], directory, "fifo%d" % number)
    path.write_text("listen = unix:%s\ndatabase = %s\nworkers = 1\n" % (socket_path, alone.dsn))
    try:
        pool.wait_ready(lambda: "is serving" in pool.log(), "the pool")
        pool.process.send_signal(number)
        pools.said(pool, "is a pipe, which ")
        pools.said(pool, "the pool goes on as it was")
        assert fastcgi.ask(socket_path, URI, ADMIN).status == 200 and pool.stop() == 0
    finally:
        pool.process.kill()


def test_a_reload_whose_workers_cannot_start_leaves_all_as_it_was(start_plain, alone, directory):
    """Without sanitizers, which report memory that they do not get."""
    workers = pools.configured(start_plain, alone, directory)
    before = workers.worker_pids()
    workers.file.write_text("workers = 2\nmax_connections = 1000000\nmax_requests = 65536\n")
    limit = int(pathlib.Path("/proc/%d/statm" % workers.pid).read_text().split()[0]) * os.sysconf("SC_PAGESIZE") + (8 << 20)
    subprocess.run(["prlimit", "--pid=%d" % workers.pid, "--as=%d" % limit], check=True,
                   **servers.unprivileged())
    workers.process.send_signal(signal.SIGHUP)
    pools.said(workers, "a new worker did not start; the pool goes on as it was")
    assert pools.status(workers) == 200 and set(before) <= set(workers.worker_pids())


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


@pools.BUSY
def test_an_upgrade_in_place_loses_no_request(upgradable, start_nginx, own, program, busy):
    openloop.slow_down(own)
    pool = upgradable(own, workers=2)
    nginx = start_nginx(pool.socket)
    expected = openloop.bodies(pool.socket)
    pools.put_in_place(pool, source=program)
    with Busy(busy):
        load = OpenLoop(nginx.socket, expected)
        load.wait_for(100)
        successor = pools.upgrade(pool)
        assert pool.process.wait(60) == 0
        load.wait_for(200)
        load.stop()
    figure("upgrade, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and is_there(successor)
    assert os.readlink("/proc/%d/exe" % successor) == str(pool.file)
    os.kill(successor, signal.SIGTERM)
    servers.wait_until(lambda: not is_there(successor), "its end")
    assert not os.path.exists(pool.socket)


def test_an_upgrade_loses_no_request_on_tcp(upgradable, start_nginx, own, directory, program):
    openloop.slow_down(own)
    pool, address = on_tcp(upgradable, own, directory)
    pools.put_in_place(pool, source=program)
    load = OpenLoop(start_nginx(address).socket, openloop.bodies(pool.socket))
    load.wait_for(100)
    pools.upgrade(pool)
    assert pool.process.wait(60) == 0
    load.wait_for(200)
    load.stop()
    figure("upgrade on TCP, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == []


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
    pools.put_in_place(pool, text)
    pool.process.send_signal(signal.SIGUSR2)
    pools.said(pool, reason)
    pools.said(pool, "the pool goes on as it was")
    load.wait_for(100)
    load.stop()
    figure("upgrade that fails, %d requests, failed" % len(load.outcomes), len(load.failed()), 0)
    assert load.failed() == [] and pool.worker_pids() == before and not pool.successors()


@pytest.mark.parametrize("text", ["exec sleep 60", "trap '' INT TERM; while :; do sleep 1; done"], ids=["hangs", "is deaf"])
def test_an_end_during_an_upgrade_leaves_no_program_behind(upgradable, alone, text):
    """It would hold the listening sockets."""
    pool = upgradable(alone)
    note = pool.directory / "new"
    pools.put_in_place(pool, "#!/bin/sh\necho $$ > %s.tmp; mv %s.tmp %s; %s\n" % (note, note, note, text))
    pool.process.send_signal(signal.SIGUSR2)
    servers.wait_until(note.exists, "the new program to run")
    new = int(note.read_text())
    try:
        pool.process.send_signal(signal.SIGTERM)
        assert pool.process.wait(60) == 0 and not is_there(new) and not os.path.exists(pool.socket)
    finally:
        if is_there(new):
            os.kill(new, signal.SIGKILL)


def test_an_upgrade_that_fails_can_be_tried_again_and_a_reload_works_after_it(upgradable, alone, program):
    pool = upgradable(alone)
    pools.put_in_place(pool, "#!/bin/sh\nexit 3\n")
    pool.process.send_signal(signal.SIGUSR2)
    pools.said(pool, "the pool goes on as it was")
    pools.reload(pool)
    pools.put_in_place(pool, source=program)
    pools.upgrade(pool)
    assert pool.process.wait(60) == 0 and pools.status(pool) == 200


def test_a_signal_to_the_group_after_an_upgrade_cuts_nothing_off(upgradable, own):
    """It reaches the old supervisor, which drains already, and the new one, each once."""
    openloop.slow_down(own, 2)
    pool = upgradable(own, workers=2, prefix=["setsid"])
    pending = [fastcgi.Connection(pool.socket) for _ in range(20)]
    for connection in pending:
        connection.send(sample.request())
    servers.wait_until(lambda: own.server.run("select count(*) from pg_stat_activity where datname = '%s' and query like '%%policy%%' "
                                              "and state = 'active'" % own.name)[0][0] > 0, "the questions to be asked")
    pools.upgrade(pool)
    os.killpg(pool.pid, signal.SIGTERM)
    statuses = [connection.reply().status for connection in pending]
    assert statuses == [200] * 20 and pool.process.wait(60) == 0


def test_an_upgrade_refuses_another_socket_in_words(upgradable, alone, directory):
    path = directory / "upgrade.conf"
    path.write_text("listen_mode = 0660\n")
    path.chmod(0o644)
    pool = upgradable(alone, environment={"EVENT_MATCHER_CONFIG": str(path)})
    path.write_text("listen_mode = 0600\n")
    pool.process.send_signal(signal.SIGUSR2)
    pools.said(pool, "the pool goes on as it was")
    assert "a change of these takes a restart" in pool.log() and pools.status(pool) == 200


def test_process_1_of_a_container_refuses_an_upgrade_in_words(start_workers, alone):
    """With its end all others of the container would end."""
    workers = start_workers(alone, prefix=["unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child"], sandbox="off")
    one, = map(int, pathlib.Path("/proc/{0}/task/{0}/children".format(workers.pid)).read_text().split())
    os.kill(one, signal.SIGUSR2)
    pools.said(workers, "process 1 of a container takes the others along at its end")
    assert pools.status(workers) == 200 and is_there(one)
    os.kill(one, signal.SIGTERM)
    assert workers.process.wait(60) == 0


@pytest.mark.parametrize("name, before, after", [("listen_backlog", "511", "512"), ("listen", "", " 127.0.0.1:1"), ("listen_group", "nogroup", "")])
def test_an_upgrade_compares_every_word_of_what_the_sockets_are_made_from(upgradable, alone, directory, name, before, after):
    """Also behind a list of addresses that is long."""
    path, many = directory / ("kept-%s.conf" % name), " ".join("unix:%s/%s-%d.sock" % (directory, "x" * 60, n) for n in range(8))
    first = {"listen": many, "listen_backlog": "511", "listen_group": "nogroup"}
    write = lambda value: path.write_text("".join("%s = %s\n" % pair for pair in {**first, name: value}.items() if pair[1]))
    write(many + before if name == "listen" else before)
    path.chmod(0o644)
    pool = upgradable(alone, environment={"EVENT_MATCHER_CONFIG": str(path)}, listen=None)
    write(many + after if name == "listen" else after)
    pool.process.send_signal(signal.SIGUSR2)
    pools.said(pool, "the pool goes on as it was")
    assert "a change of these takes a restart" in pool.log()


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
        assert pools.served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        pools.reload(pool)
        assert pools.served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        successor = pools.upgrade(pool)
        assert pool.process.wait(60) == 0
        assert pools.served(port) == 200 and fastcgi.ask(path, URI, ADMIN).status == 200
        os.kill(successor, signal.SIGTERM)
        servers.wait_until(lambda: not is_there(successor), "its end")
        with socket.create_connection(("127.0.0.1", port), 5), socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(path)  # both wait for the next start
