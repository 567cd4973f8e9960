# SPDX-License-Identifier: MIT
"""A log at the limit of its size costs lines and no request, also beside two busy loops; objects are objects whatever is in them."""
import json
import os
import signal
import subprocess

import pytest

import fastcgi
import sample
import servers
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


ODD = bytes(byte for byte in range(0x20, 0x100) if byte != 0x7f)[-64:]  # of an id so much is kept
SHOWN = "".join("\\x%02x" % byte for byte in ODD)


def ask_as(connection, id, uri=URI):
    connection.send(fastcgi.request(fastcgi.parameters(uri, "GET", [("Authorization", "Bearer " + ADMIN), ("X-Request-Id", id)])))


def statuses(workers, id, uri):
    with fastcgi.Connection(workers.socket) as connection:
        ask_as(connection, id, uri)
        return connection.reply().status


def test_each_object_about_a_request_has_its_id_and_each_line_is_an_object(start_workers, own):
    """One that is slow, one that is shed beside it, one whose reply is too long, and ids and errors of odd bytes."""
    sample.intercept(own, r"""perform pg_sleep(0.3); raise warning '%', E'\x01"\\\n\u00fc\u2028'""")
    own.run("update base set name = repeat('x', 100000) where policy_uuid = '%s'" % sample.POLICIES[1])
    workers = start_workers(own, log_format="json", max_requests=1, slow_request="100ms", max_unsent="64KiB")
    with fastcgi.Connection(workers.socket) as slow:
        ask_as(slow, ODD)
        servers.wait_until(lambda: statuses(workers, 'a "b" \\', fastcgi.URI.format(sample.MISSING)) == 503, "the first to wait")
        assert slow.reply().status == 200
    assert statuses(workers, "long", fastcgi.URI.format(sample.POLICIES[1])) == 503
    assert workers.stop() == 0
    objects = [json.loads(line) for line in workers.log_path.read_bytes().decode("utf-8").split("\n")[:-1]]
    named = {line["event"]: line["request"] for line in objects if "request" in line}
    assert named == {"request_slow": SHOWN, "request_shed": 'a "b" \\', "reply_shed": "long"}
    assert [line["message"] for line in objects if line["event"] == "database_notice"] == ['PostgreSQL says: WARNING: \\x01"\\ \u00fc\u2028']


def test_after_sigusr1_the_supervisor_and_all_workers_write_to_the_new_file_alone(start_workers, alone):
    path = alone.server.directory / ("reopened-%d.log" % os.getpid())
    workers = start_workers(alone, workers=2, log_file=path, log_level="debug", stderr_to=subprocess.DEVNULL)
    servers.wait_until(lambda: path.read_text().count(" worker_serving ") == 2, "the first workers")
    moved = path.rename(path.with_suffix(".1"))
    workers.process.send_signal(signal.SIGUSR1)
    servers.wait_until(lambda: path.exists() and "generation_serves" in path.read_text(), "the supervisor to write to the new file")
    servers.wait_until(lambda: moved.read_text().count(" worker_drained ") == 2, "the old workers to end")
    servers.wait_until(lambda: len(workers.worker_pids()) == 2, "the old processes to be gone")
    before = moved.read_text()
    assert {fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(20)} == {200}
    pids = {workers.pid, *workers.worker_pids()}
    assert workers.stop() == 0 and moved.read_text() == before
    assert {int(line.split()[2]) for line in path.read_text().splitlines()} == pids and path.read_text().count(" worker_drained ") == 2
