# SPDX-License-Identifier: MIT
"""What a question costs the two processes that work on it, counted: the server's for its session, and the worker.

The counts are valgrind's: no hardware counts instructions on every machine. They are those of Debian's PostgreSQL 15.
"""
import hashlib
import pathlib
import re
import shutil
import subprocess

import pytest

import fastcgi
import sample
import servers

SIZES = {"policies": 10000, "groups": 10, "depth": 1, "memberships": 5, "tokens": 0, "large": 0}
SUPERUSERS, BY_A_ROLE = 1, 2  # callers of tests/bench/data.sql
NOTHING_KNOWN = {"known_answers": 0}
# Who asks, and how; in each case, by questions a batch: how many batches are asked, and the most instructions of the server and of
# the worker a question.
CASES = {"in full": (SUPERUSERS, NOTHING_KNOWN, {1: (100, 330000, 45000), 4: (50, 151000, 30000), 16: (20, 94500, 27000)}),
         "in full, by a role": (BY_A_ROLE, NOTHING_KNOWN, {1: (100, 572000, 56000), 16: (20, 130000, 34000)}),
         "known": (SUPERUSERS, {}, {1: (100, 38000, 30000), 16: (20, 2700, 18000)})}


def prefix(directory, name):
    return ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/%s.%%p" % (directory, name)]


def instructions(path):
    """Of the process, which writes them as its last act."""
    servers.wait_until(lambda: path.exists() and re.search(r"^totals: \d+\n", path.read_text(), re.M), path)
    return int(re.search(r"^totals: (\d+)\n", path.read_text(), re.M).group(1))


def pairs_of(kind):
    """Distinct policies, and distinct keys of callers of that kind."""
    return [("00000000-0000-4000-8000-%012d" % (600 * n), hashlib.md5(b"%d%04d" % (kind, 200 * n)).hexdigest() + "-bench") for n in range(1, 17)]


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


@pytest.fixture(scope="module")
def no_ticks(counted):
    library = counted.server.directory / "no_ticks.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).with_name("no_ticks.c")], check=True)
    return library


class Session:
    """One worker and its session, from their start to their end. Each pair has been asked for, alone and together: all guesses
    are right, all is known, and each statement has its plan."""

    def __init__(self, start, database, library, kind, settings):
        self.directory, self.database = servers.make_directory(), database
        self.workers = start(database, {"LD_PRELOAD": library}, prefix(self.directory, "worker"), sandbox="off", **settings)
        self.pairs = list(enumerate(pairs_of(kind)))
        self.connections = [fastcgi.Connection(self.workers.socket, timeout=300) for _ in self.pairs]
        for batch in [[pair] for pair in self.pairs] + [self.pairs[:1], self.pairs]:
            self.ask(batch)
        self.worker = self.workers.worker_pids()[0]
        (self.backend,) = database.run("select pid from pg_stat_activity where usename = 'event_matcher'")[0]

    def ask(self, batch):
        with self.workers.standing_still():
            for place, (policy, key) in batch:
                self.connections[place].send(sample.request(fastcgi.URI.format(policy), key))
        assert all(self.connections[place].reply().status == 200 for place, _ in batch)

    def end(self):
        """The instructions of the server's process and of the worker."""
        assert self.workers.stop() == 0
        counts = (instructions(self.database.server.directory / ("server.%d" % self.backend)),
                  instructions(self.directory / ("worker.%d" % self.worker)))
        shutil.rmtree(self.directory)
        return counts


@pytest.fixture
def count(start_plain, counted, no_ticks):
    """count(kind, settings, size, batches): of a session with so many batches of so many questions."""

    def run(kind, settings, size=1, batches=0):
        session = Session(start_plain, counted, no_ticks, kind, settings)
        for n in range(batches):
            at = n * size % len(session.pairs)
            session.ask(session.pairs[at:at + size])
        return session.end()

    return run


@pytest.mark.parametrize("case", CASES)
def test_a_question_takes_the_server_and_the_worker_few_instructions(count, figure, case):
    *asked, sizes = CASES[case]
    count(*asked)  # the first one makes the server's caches
    nothing = count(*asked)
    for size, (batches, *limits) in sizes.items():
        counts = count(*asked, size, batches)
        for who, before, after, limit in zip(("server", "worker"), nothing, counts, limits):
            figure("instructions of the %s a question %s, %d a batch" % (who, case, size), round((after - before) / (batches * size)), limit)
