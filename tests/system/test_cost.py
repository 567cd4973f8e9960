# SPDX-License-Identifier: MIT
"""What a request costs, counted and not timed: instructions, system calls, statements, round trips."""
import collections
import os
import re
import shutil
import time

import fastcgi
import pytest
import sample
import servers
from conftest import factory
from sample import ADMIN, ASKED

PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"  # sanitizers would be counted, too
FEW, MANY = 100, 600
NONE, SOME = 0, "1MiB"  # known_answers: each question in full, or the first of its kind only
URI = fastcgi.URI.format(ASKED[1])  # every caller below may see this one


@pytest.fixture
def start_plain(directory):
    path = directory / "plain-event-matcher-fcgi"
    shutil.copy(PLAIN, path)
    yield from factory(servers.Workers, path)


def ask_one_by_one(workers, count, key=ADMIN):
    with fastcgi.Connection(workers.socket, timeout=300) as connection:
        for _ in range(count):
            assert connection.ask(URI, key).status == 200
    assert workers.stop() == 0


def counting(text):
    """Of what callgrind has written: the instructions of base/metric's lines, wherever they are inlined, and of the clock read for them."""
    names, count, file, callee, called = {}, 0, "", "", False
    for line in text.splitlines():
        name = re.match(r"(fl|fi|fe|fn|cfn|cfi|cfl|ob|cob)=\((\d+)\)(?: (.*))?", line)
        cost = re.match(r"[+*-]?\d* (\d+)$", line)
        if name:
            kind = "fn" if name[1].endswith("fn") else "ob" if name[1].endswith("ob") else "fl"
            value = names.setdefault((kind, name[2]), name[3])
            file, callee = (value if name[1] in ("fl", "fi", "fe") else file), (value if name[1] == "cfn" else callee)
        elif line.startswith("calls="):
            called = True
        elif cost:
            counts = callee == "clock_us" if called else re.search(r"base/metric\.[ch]$", file)
            count, called = count + bool(counts) * int(cost[1]), False
    return count


def count_instructions(start, database, directory, count, known):
    """Of the process that executed most, the worker: all of them, and those that count."""
    workers = start(database, known_answers=known, sandbox="off", prefix=["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/%d.%%p" % (directory, count)])
    ask_one_by_one(workers, count)
    return max((int(re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.M).group(1)), counting(path.read_text()))
               for path in directory.glob("%d.*" % count))


def instructions_a_request(start, database, known):
    """All, and those that count; on a machine that is busy with others timers wake the worker more often between two requests."""
    directory = servers.make_directory()
    try:
        few, many = (count_instructions(start, database, directory, count, known) for count in (FEW, MANY))
    finally:
        shutil.rmtree(directory)
    return [(after - before) / (MANY - FEW) for before, after in zip(few, many)]


def test_a_request_alone_in_its_batch_takes_at_most_38000_instructions_of_which_below_1_percent_count(start_plain, alone, figure):
    """36,600 on 2026-11-29, of which 11,000 are in libpq; 49,000 where arrays are zeroed and yajl writes the constant parts."""
    whole, metrics = min(instructions_a_request(start_plain, alone, NONE), instructions_a_request(start_plain, alone, NONE))
    assert metrics > 50  # a build without lines would show none
    figure("instructions a request", whole, 38000)
    figure("share of them that counts, in percent", 100 * metrics / whole, 1)


def test_a_known_answer_alone_in_its_batch_takes_at_most_23000_instructions_of_which_below_250_count(start_plain, alone, figure):
    """20,500 to 21,800 on 2026-11-29, of which 220 count."""
    whole, metrics = min(instructions_a_request(start_plain, alone, SOME), instructions_a_request(start_plain, alone, SOME))
    assert metrics > 50
    figure("instructions a known answer", whole, 23000)
    figure("of those such that count", metrics, 250)


def count_system_calls(start, database, directory, count, key, known):
    """By name, over all processes and threads; and the seconds they took."""
    path, started = directory / str(count), time.monotonic()
    workers = start(database, known_answers=known, prefix=["strace", "-D", "-f", "-c", "-o", path])
    ask_one_by_one(workers, count, key)
    servers.wait_until(lambda: path.exists() and " total" in path.read_text(), "strace's summary")
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", path.read_text(), re.M)
    return {name: int(calls) for calls, name in rows if name != "total"}, time.monotonic() - started


def calls_a_request(start, database, key, known):
    """By name; and the seconds that a request took."""
    directory = servers.make_directory()
    os.chmod(directory, 0o777)
    try:
        (few, _), (many, seconds) = (count_system_calls(start, database, directory, count, key, known) for count in (FEW, MANY))
    finally:
        shutil.rmtree(directory)
    return {name: (calls - few.get(name, 0)) / (MANY - FEW) for name, calls in many.items()}, seconds / (MANY - FEW)


def calls_beyond(start, database, key, known):
    """How many calls a request takes beside its two receives, its two sends and two waits; less those that time brings with it."""
    each, seconds = calls_a_request(start, database, key, known)
    assert each.pop("recvfrom") == pytest.approx(2, abs=0.05) and each.pop("sendto") == pytest.approx(2, abs=0.05)
    timers = seconds * (1 / 0.020 + 1 / 0.250)  # they wake a worker, too: tick and sweep
    assert each.pop("epoll_wait") < 2.1 + timers
    looks = seconds * 25  # what the supervisor and the worker look at once a second
    return sum(abs(calls) for calls in each.values()) - looks


@pytest.mark.parametrize("known", [NONE, SOME])
@pytest.mark.parametrize("key", [ADMIN, "sample-key-dashboard", "sample-key-helpdesk"])
def test_a_request_takes_one_receive_and_one_send_on_each_side_and_no_other_call(start_plain, alone, key, known):
    """Once more where it took more: a machine that is busy with others makes the beginning and the end of a run differ."""
    beyond = calls_beyond(start_plain, alone, key, known)
    assert beyond < 0.2 or calls_beyond(start_plain, alone, key, known) < 0.2, beyond


def executed(log):
    """How often each statement was executed, by what the server has logged."""
    names = [name for name in re.findall(r" ms  execute (\w+): ", log) if name != "facts"]  # asked every 10 seconds
    return {name: names.count(name) for name in set(names)}


def ask_at_once(workers, keys):
    """All in one turn of the worker's loop: it is stopped until all are there."""
    connections = [fastcgi.Connection(workers.socket) for _ in keys]
    assert all(connection.ask(URI, ADMIN).status == 200 for connection in connections)  # all are accepted
    with workers.standing_still():
        for connection, key in zip(connections, keys):
            connection.send(sample.request(URI, key))
    assert [connection.reply().status for connection in connections] == [200] * len(keys)
    for connection in connections:
        connection.socket.close()


def test_64_questions_at_once_are_one_statement_of_each_kind(start_workers, own):
    own.run("alter database %s set log_min_duration_statement = 0" % own.name)
    workers = start_workers(own, known_answers=NONE)
    for keys, expected in (([ADMIN] * 64, {"caller_one": 1, "policy_one": 1}),
                           ([ADMIN, "sample-key-dashboard"] * 32, {"caller_known": 1, "policy_one": 1, "rights_known": 1})):
        for key in set(keys):
            fastcgi.ask(workers.socket, URI, key)  # from now on its rights are asked for along with it
        start = len(own.server.log())
        ask_at_once(workers, keys)
        found = executed(own.server.log()[start:])
        first = {"caller_one": 64, "policy_one": 64}  # those that showed that the connections are accepted
        assert collections.Counter(found) - collections.Counter(first) == expected


def test_200_known_answers_at_once_are_one_look_at_the_snapshot(start_workers, own):
    own.run("alter database %s set log_min_duration_statement = 0" % own.name)
    workers = start_workers(own, known_answers=SOME)
    keys = [ADMIN, "sample-key-dashboard", "sample-key-helpdesk", "sample-key-operator"] * 50

    def found():
        for key in set(keys):
            fastcgi.ask(workers.socket, URI, key)
        start = len(own.server.log())
        ask_at_once(workers, keys)
        return executed(own.server.log()[start:])

    first = len(keys)  # those that showed that the connections are accepted
    servers.wait_until(lambda: found() == {"snapshot": first + 1}, "a time without a commit, and without a reading of the facts")
