# SPDX-License-Identifier: MIT
"""A start that finds no memory says so, or serves: no allocation that fails ends in a signal."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
import servers

ALLOCATIONS = 120  # until the worker serves there are fewer
PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"  # sanitizers bring an allocator of their own
# Without these libpq asks glibc for the user's name, which itself ends in a signal without memory.
DATABASE = "--database=host=/nowhere user=nobody dbname=none passfile=/dev/null"


@pytest.fixture(scope="module")
def fail_malloc():
    directory = servers.make_directory()
    library = directory / "fail_malloc.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).with_name("fail_malloc.c")], check=True)
    yield library
    shutil.rmtree(directory)


@pytest.fixture
def listener():
    directory = servers.make_directory()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(directory / "socket"))
        listening.listen()
        yield listening
    shutil.rmtree(directory)


def start_and_end(listener, library, number):
    """Ends the worker once it serves; returns its exit code and what it logged."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAIL_MALLOC": str(number)}
    with subprocess.Popen([PLAIN, DATABASE], stdin=listener, stderr=subprocess.PIPE, text=True, env=environment) as worker:
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
