# SPDX-License-Identifier: MIT
"""A log at the limit of its size costs lines, which are counted, and no request, also beside two busy loops."""
import os
import subprocess

import pytest

import fastcgi
from sample import ADMIN, URI

LIMIT = 6000


@pytest.fixture
def busy_loops():
    loops = [subprocess.Popen(["timeout", "300", "sh", "-c", "while :; do :; done"]) for _ in range(2)]
    yield
    for loop in loops:
        loop.terminate()
        loop.wait()


def failures(workers, number=600):
    """How many of as many requests fail, each on a connection of its own, which is a line of the log."""
    pids = workers.worker_pids()
    statuses = [fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(number)]
    assert workers.worker_pids() == pids and workers.process.poll() is None
    return number - statuses.count(200)


def test_a_log_at_the_limit_of_its_size_costs_no_request(start_workers, alone, busy_loops, figure):
    workers = start_workers(alone, log_level="debug", prefix=["prlimit", "--fsize=%d" % LIMIT])
    figure("requests of 600 that failed with a log at RLIMIT_FSIZE", failures(workers), 0)
    assert workers.log_path.stat().st_size <= LIMIT
    os.truncate(workers.log_path, 0)
    assert failures(workers, 2) == 0
    assert "lines before this one were lost" in workers.log()
