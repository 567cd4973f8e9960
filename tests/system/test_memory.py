# SPDX-License-Identifier: MIT
"""Without memory a start says so, or serves, and a worker answers wholly or not at all: nothing ends in a signal."""
import collections
import mmap
import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest

import fastcgi
import sample
import servers

ALLOCATIONS = 120  # until the worker serves there are fewer
PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"  # sanitizers bring an allocator of their own
# Without these libpq asks glibc for the user's name, which itself ends in a signal without memory.
DATABASE = "--database=host=/nowhere user=nobody dbname=none passfile=/dev/null"


@pytest.fixture
def listener():
    directory = servers.make_directory()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(directory / "socket"))
        listening.listen()
        yield listening
    shutil.rmtree(directory)


def start_and_end(listener, library, number, sandbox="off"):
    """Ends the worker once it serves; returns its exit code and what it logged."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAIL_MALLOC": str(number)}
    with subprocess.Popen([PLAIN, DATABASE, "--sandbox=" + sandbox], stdin=listener, stderr=subprocess.PIPE, text=True, env=environment) as worker:
        lines = []
        for line in worker.stderr:
            lines.append(line)
            if "is serving" in line:
                worker.send_signal(signal.SIGTERM)
    return worker.returncode, "".join(lines)


def test_a_start_in_which_any_one_allocation_fails_serves_or_says_why_not(listener, fail_malloc):
    ends = {number: start_and_end(listener, fail_malloc, number) for number in range(1, ALLOCATIONS)}
    assert {number: end for number, end in ends.items() if end[0] not in (0, 1, 2) or not end[1]} == {}
    assert "memory" in "".join(log for code, log in ends.values() if code)  # some did fail
    assert "is serving" in ends[ALLOCATIONS - 1][1]


def test_a_worker_whose_sandbox_finds_no_memory_ends_or_has_a_narrower_one(listener, fail_malloc):
    """libseccomp 2.5.4 then leaves out a row and says nothing, so that the call ends the process, follows no pointer, frees twice, or turns for ever."""
    ends = {number: start_and_end(listener, fail_malloc, number, "on") for number in range(20, 6000, 199)}
    assert {number: end for number, end in ends.items() if end[0] not in (0, 1, -signal.SIGSYS, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGALRM)} == {}
    assert "entering the sandbox: " in "".join(log for _, log in ends.values())
    assert start_and_end(listener, fail_malloc, 0, "on")[0] == 0


FAILURES = int(os.environ.get("EVENT_MATCHER_ALLOCATIONS", 80))  # 2000 by hand: a quarter of an hour


class Starved:
    """A worker of whose allocations one fails whenever the test says which, and a connection that it keeps."""

    def __init__(self, listener, library, database, left, known):
        self.path, self.left, self.kept = listener.getsockname(), left, None
        environment = {**os.environ, "LD_PRELOAD": str(library), "FAIL_MALLOC_FILE": left.name}
        self.process = subprocess.Popen([PLAIN, *servers.options(database=database.dsn + " passfile=/dev/null", database_wait="1s", known_answers=known)],
                                        stdin=listener, stderr=subprocess.DEVNULL, env=environment)
        self.memory = mmap.mmap(left.fileno(), 8)

    def fail_after(self, number):
        self.memory[:8] = struct.pack("=q", number)

    def has_failed(self):
        return self.memory[:8] == bytes(8)

    def ask(self, turn):
        """The status of a whole reply, "closed" without a byte of one, or "broken off"."""
        begun, connection = False, self.kept or fastcgi.Connection(self.path)
        self.kept = None
        try:
            connection.send(sample.request(fastcgi.URI.format(sample.POLICIES[turn % 8]), list(sample.MIXED)[turn % 9]))
            begun = bool(connection.socket.recv(1, socket.MSG_PEEK))
            reply = connection.reply()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            connection.socket.close()
            return "broken off" if begun else "closed"
        if turn % 50 and reply.status < 500:
            self.kept = connection
        else:
            connection.socket.close()
        return reply.status if len(reply.body) == int(reply.headers["content-length"]) else "broken off"


@pytest.fixture(params=["1MiB", 0], ids=["known", "in full"])
def starved(request, listener, fail_malloc, alone, tmp_path):
    (tmp_path / "left").write_bytes(bytes(8))
    with open(tmp_path / "left", "r+b") as left:
        worker = Starved(listener, fail_malloc, alone, left, request.param)
        yield worker
        worker.fail_after(0)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(60) == 0


def test_an_allocation_that_fails_while_it_serves_costs_no_half_reply(starved, alone, figure):
    ends = collections.Counter()
    servers.wait_until(lambda: starved.ask(0) == 200, "the worker to serve")
    for failure in range(FAILURES):
        if failure % 40 == 39:  # its sessions are set up once more
            alone.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % alone.name)
        starved.fail_after(1 + failure)
        for turn in range(1000):
            ends[starved.ask(turn)] += 1
            if starved.has_failed() or starved.process.poll() is not None:
                break
        assert starved.process.poll() is None and starved.has_failed()
    print(ends)
    assert set(ends) <= {200, 403, 404, 500, 503, 504, "closed", "broken off"}
    figure("replies broken off by %d allocations that failed" % FAILURES, ends["broken off"], 0)
    servers.wait_until(lambda: starved.ask(0) == 200, "it to serve again")
