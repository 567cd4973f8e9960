# SPDX-License-Identifier: MIT
"""What a question costs the two processes that work on it, counted: the server's for its session, and the worker.

The counts are valgrind's: no hardware counts instructions on every machine. They are those of Debian's PostgreSQL 15.
"""
import hashlib
import re
import shutil
import time

import pytest

import fastcgi
import sample
import servers

SIZES = {"policies": 10000, "groups": 10, "depth": 1, "memberships": 5, "tokens": 0, "large": 0}
PAIRS = [("00000000-0000-4000-8000-%012d" % (600 * n), hashlib.md5(b"1%04d" % (200 * n)).hexdigest() + "-bench") for n in range(1, 17)]
# The questions of a batch: how many batches, and the most instructions of the server and of the worker a question.
FULL = {1: (100, 458000, 45000), 4: (50, 176000, 30000), 16: (20, 104000, 26000)}
FACTS = 10  # seconds after which a session asks for more than its questions


def prefix(directory, name):
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/%s.%%p" % (directory, name)]


def instructions(path):
    """Of the process, which writes them as its last act."""
    servers.wait_until(lambda: path.exists() and re.search(r"^(?:summary|totals): \d+", path.read_text(), re.M), path)
    return int(re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.M).group(1))


@pytest.fixture(scope="module")
def counted():
    """A large directory in a server of its own, which is then started anew under valgrind."""
    directory = servers.make_directory()
    server = servers.Postgres(directory, "-c", "autovacuum=off")
    server.run("create database em")
    for path in ("sql/schema.sql", "sql/role.sql", "tests/bench/data.sql"):
        server.load(servers.ROOT / path, "em", *(word for pair in SIZES.items() for word in ("-v", "%s=%d" % pair)))
    assert server.stop() == 0
    server.arguments = prefix(directory, "server") + server.arguments
    server.start_again()
    yield servers.Database(server, "em")
    server.stop()
    shutil.rmtree(directory)


class Session:
    """One worker and its session, from their start to their end; each pair has been asked for once, so all guesses are right."""

    def __init__(self, start, database):
        self.directory, self.database, self.began = servers.make_directory(), database, time.monotonic()
        self.workers = start(database, sandbox="off", prefix=prefix(self.directory, "worker"))
        self.connections = [fastcgi.Connection(self.workers.socket, timeout=300) for _ in PAIRS]
        for pair in enumerate(PAIRS):
            self.ask([pair])
        self.worker = self.workers.worker_pids()[0]
        (self.backend,) = database.run("select pid from pg_stat_activity where usename = 'event_matcher'")[0]

    def ask(self, batch):
        with self.workers.standing_still():
            for place, (policy, key) in batch:
                self.connections[place].send(sample.request(fastcgi.URI.format(policy), key))
        assert all(self.connections[place].reply().status == 200 for place, _ in batch)

    def end(self):
        """The instructions of the server's process and of the worker, and the seconds that they lived for."""
        assert self.workers.stop() == 0
        seconds = time.monotonic() - self.began
        counts = [instructions(self.database.server.directory / ("server.%d" % self.backend)),
                  instructions(self.directory / ("worker.%d" % self.worker))]
        shutil.rmtree(self.directory)
        return counts, seconds


def count(start, database, size=1, batches=0):
    """Of a session with so many batches; on a machine that is busy with others it may last too long, and is tried again."""
    tries = []
    while not tries or tries[-1][1] > FACTS and len(tries) < 5:
        session = Session(start, database)
        pairs = list(enumerate(PAIRS))
        for n in range(batches):
            at = n * size % len(PAIRS)
            session.ask(pairs[at:at + size])
        tries.append(session.end())
    return min(tries)[0]


def test_a_question_in_full_takes_the_server_and_the_worker_few_instructions(start_plain, counted, figure):
    count(start_plain, counted)  # the first one makes the server's caches
    nothing = count(start_plain, counted)
    for size, (batches, *limits) in FULL.items():
        each = [(all_of_it - start) / (batches * size) for all_of_it, start in zip(count(start_plain, counted, size, batches), nothing)]
        for who, value, limit in zip(("server", "worker"), each, limits):
            figure("instructions of the %s a question, in full, %d a batch" % (who, size), round(value), limit)
