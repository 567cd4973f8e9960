# SPDX-License-Identifier: MIT
"""What systemd is told over a real notify socket (sd_notify(3))."""
import contextlib
import os
import re
import signal
import socket
import struct
import time

import pytest

import fastcgi
import servers
from sample import ADMIN, URI


class Notified:
    """A socket such as systemd's, and what came to it; whose message it was last is in sender."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(name.replace("@", "\0"))
        if not name.startswith("@"):
            os.chmod(name, 0o777)
        self.socket.settimeout(60)
        self.name, self.said, self.sender = name, [], None

    def next(self):
        message, credentials, _, _ = self.socket.recvmsg(4096, 64)
        self.sender = struct.unpack("3i", credentials[0][2])[0]
        self.said.append(message.decode())
        return self.said[-1]

    def wait(self, word):
        """The next message that has the assignment; those before it are kept in said."""
        while word not in self.next().split("\n"):
            pass
        return self.said[-1]

    def wait_for_main(self):
        """The message that names another main process, and its number."""
        while "MAINPID=" not in self.next():
            pass
        return self.said[-1], int(self.said[-1].split("MAINPID=")[1].split("\n")[0])


@pytest.fixture(params=["path", "abstract"])
def notified(directory, request):
    name = "%s/notify-%d.sock" % (directory, os.getpid()) if request.param == "path" else "@em-notify-%d" % os.getpid()
    it = Notified(name)
    yield it
    it.socket.close()
    if request.param == "path":
        os.unlink(name)


@contextlib.contextmanager
def upgraded(workers, notified):
    """Another program takes over; its process, which is ended."""
    workers.process.send_signal(signal.SIGUSR2)
    message, successor = notified.wait_for_main()
    try:
        yield message, successor
    finally:
        os.kill(successor, signal.SIGTERM)
        servers.wait_until(lambda: not servers.connects(workers.socket), "the successor to end")


def test_systemd_hears_that_the_pool_is_ready_reloads_and_stops(start_workers, alone, notified):
    workers = start_workers(alone, workers=2, environment={"NOTIFY_SOCKET": notified.name})
    assert "STATUS=generation 1 serves with 2 workers" in notified.wait("READY=1")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    before = time.monotonic_ns() // 1000
    workers.process.send_signal(signal.SIGHUP)
    message = notified.wait("RELOADING=1")
    assert before - 1000 <= int(re.search(r"^MONOTONIC_USEC=(\d+)$", message, re.M)[1]) <= time.monotonic_ns() // 1000
    assert "STATUS=new workers start" in message and "STATUS=generation 2 serves with 2 workers" in notified.wait("READY=1")
    assert workers.stop() == 0 and "STATUS=draining" in notified.wait("STOPPING=1") and notified.sender == workers.pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_systemd_hears_of_any_end(start_workers, alone, notified, number):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.name})
    notified.wait("READY=1")
    assert workers.stop(number) == 0
    notified.wait("STOPPING=1")


def test_ready_means_that_whoever_connects_is_answered(start_workers, directory, notified):
    """A database is not waited for: it may come later than the service that needs it."""
    workers = start_workers("host=/nonexistent", has_database=False, database_wait="0s", environment={"NOTIFY_SOCKET": notified.name})
    notified.wait("READY=1")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503


def test_a_reload_that_fails_is_told_to_be_over(start_workers, alone, notified):
    path = alone.server.directory / ("notified-%d.conf" % os.getpid())
    path.write_text("workers = 1\n")
    workers = start_workers(alone, config=path, environment={"NOTIFY_SOCKET": notified.name})
    notified.wait("READY=1")
    path.write_text("log_file = /nonexistent/log\n")
    workers.process.send_signal(signal.SIGHUP)
    notified.wait("RELOADING=1")
    assert "STATUS=generation 1 serves with 1 workers" in notified.wait("READY=1")


def test_systemd_is_told_that_the_pool_lives_as_often_as_it_wants(start_workers, alone, notified):
    start_workers(alone, environment={"NOTIFY_SOCKET": notified.name, "WATCHDOG_USEC": "1000000"})
    for _ in range(3):
        notified.wait("WATCHDOG=1")
    assert sum("WATCHDOG=1" in message for message in notified.said) == 3


def test_systemd_is_not_told_of_life_where_it_did_not_ask(start_workers, alone, notified):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.name, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    notified.wait("READY=1")
    assert workers.stop() == 0
    notified.wait("STOPPING=1")
    assert not any("WATCHDOG" in message for message in notified.said)


def test_after_an_upgrade_systemd_knows_the_new_main_process(start_workers, alone, notified):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.name})
    notified.wait("READY=1")
    with upgraded(workers, notified) as (message, successor):
        assert "READY=1" in message.split("\n") and notified.sender == workers.pid
        assert workers.process.wait(60) == 0 and fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    notified.wait("STOPPING=1")
    assert notified.sender == successor  # the old one did not say that the service stops


def test_after_an_upgrade_the_new_main_process_says_that_it_lives(start_workers, alone, notified):
    """WATCHDOG_PID is the old one's, and systemd goes on to wait for a sign of life."""
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.name, "WATCHDOG_USEC": "1000000"},
                            prefix=["sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"])
    notified.wait("WATCHDOG=1")
    with upgraded(workers, notified) as (_, successor):
        assert workers.process.wait(60) == 0
        for _ in range(3):
            notified.wait("WATCHDOG=1")
        assert notified.sender == successor


def test_a_socket_of_systemds_that_is_gone_is_one_line_and_no_harm(start_workers, alone, directory):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": str(directory / "gone.sock"), "WATCHDOG_USEC": "20000"})
    for _ in range(3):
        workers.process.send_signal(signal.SIGHUP)
        servers.wait_until(lambda n=workers.log().count("serves"): workers.log().count("serves") > n, "another generation")
    assert workers.log().count("telling systemd by NOTIFY_SOCKET: No such file or directory") == 1
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
