# SPDX-License-Identifier: MIT
"""What systemd is told over a real notify socket (sd_notify(3))."""
import os
import signal
import socket

import pytest

import fastcgi
import servers
from sample import ADMIN, URI


class Notified:
    """A socket such as systemd's, and what came to it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.socket.settimeout(60)
        self.path, self.said = path, []

    def wait(self, word):
        """The next message that has the assignment; those before it are kept in said."""
        while True:
            message = self.socket.recv(4096).decode()
            self.said.append(message)
            if word in message.split("\n"):
                return message


@pytest.fixture
def notified(directory):
    it = Notified(str(directory / ("notify-%d.sock" % os.getpid())))
    yield it
    it.socket.close()
    os.unlink(it.path)


def test_systemd_hears_that_the_pool_is_ready_reloads_and_stops(start_workers, alone, notified):
    workers = start_workers(alone, workers=2, environment={"NOTIFY_SOCKET": notified.path})
    assert "STATUS=generation 1 serves with 2 workers" in notified.wait("READY=1")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    workers.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in notified.wait("RELOADING=1")
    assert "STATUS=generation 2 serves with 2 workers" in notified.wait("READY=1")
    assert workers.stop() == 0
    notified.wait("STOPPING=1")


def test_a_reload_that_fails_is_told_to_be_over(start_workers, alone, notified):
    path = alone.server.directory / ("notified-%d.conf" % os.getpid())
    path.write_text("workers = 1\n")
    workers = start_workers(alone, config=path, environment={"NOTIFY_SOCKET": notified.path})
    notified.wait("READY=1")
    path.write_text("log_file = /nonexistent/log\n")
    workers.process.send_signal(signal.SIGHUP)
    notified.wait("RELOADING=1")
    assert "STATUS=generation 1 serves with 1 workers" in notified.wait("READY=1")


def test_systemd_is_told_that_the_pool_lives_as_often_as_it_wants(start_workers, alone, notified):
    start_workers(alone, environment={"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "1000000"})
    for _ in range(3):
        notified.wait("WATCHDOG=1")
    assert sum("WATCHDOG=1" in message for message in notified.said) == 3


def test_systemd_is_not_told_of_life_where_it_did_not_ask(start_workers, alone, notified):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    notified.wait("READY=1")
    assert workers.stop() == 0
    notified.wait("STOPPING=1")
    assert not any("WATCHDOG" in message for message in notified.said)


def test_after_an_upgrade_systemd_knows_the_new_main_process(start_workers, alone, notified):
    workers = start_workers(alone, environment={"NOTIFY_SOCKET": notified.path})
    notified.wait("READY=1")
    workers.process.send_signal(signal.SIGUSR2)
    message = notified.wait("READY=1")
    while "MAINPID=" not in message:
        message = notified.wait("READY=1")
    successor = int(message.split("MAINPID=")[1].split("\n")[0])
    try:
        assert workers.process.wait(60) == 0 and fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    finally:
        os.kill(successor, signal.SIGTERM)
        servers.wait_until(lambda: not servers.connects(workers.socket), "the successor to end")
