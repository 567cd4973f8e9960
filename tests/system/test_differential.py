# SPDX-License-Identifier: MIT
"""Random questions to random directories, with changes between the answers: each answer is that of the oracle."""
import collections
import json
import os
import random
import re

import conftest
import fastcgi
import metrics
import psycopg
import pytest
from oracle import RULES, Oracle
from world import World

ANSWERS = int(os.environ.get("DIFFERENTIAL_ANSWERS", 3000))  # of each database
SEED = int(os.environ.get("DIFFERENTIAL_SEED", 1))
AT_ONCE = 24  # questions at one time, each on a connection of its own
TIMES = 5  # at most so often between two changes
FULL = "8KiB"  # known_answers: room for a third of what could be known, so that one makes room for another all the time


def ask_all(connections, questions):
    """All questions at once, so that they share batches; the replies in their order."""
    for connection, (key, policy) in zip(connections, questions):
        headers = [("Authorization", "Bearer " + key)]
        connection.send(fastcgi.request(fastcgi.parameters(fastcgi.URI.format(policy), headers=headers)))
    return [connection.reply() for connection in connections]


def agrees(reply, expected):
    status, body = expected
    return reply.status == status and list(json.loads(reply.body).items()) == list(body.items())


def other_questions(world, questions):
    """Some once more, some that are new, in another order."""
    return world.random.sample([question if world.random.random() < 0.6 else world.question() for question in questions], len(questions))


def compare(world, oracle, connections):
    """Changes and asks until there are enough answers; returns the wrong ones, and how often each kind of answer came."""
    wrong, kinds = [], collections.Counter()
    while sum(kinds.values()) < ANSWERS:
        for _ in range(world.random.randrange(1, 4)):
            world.change()
        oracle.read()
        questions = [world.question() for _ in connections]
        for _ in range(world.random.randrange(1, TIMES + 1)):
            questions, begins = other_questions(world, questions), oracle.look_at_the_clock()
            replies, ends = ask_all(connections, questions), oracle.look_at_the_clock()
            for question, reply in zip(questions, replies):
                expected = [oracle.answer(*question, at) for at in oracle.moments(begins, ends)]
                kinds[expected[0][0], expected[0][1].get("detail")] += 1
                if not any(agrees(reply, answer) for answer in expected):
                    wrong.append((sum(kinds.values()), question, reply.status, reply.body, expected))
    return wrong, kinds


@pytest.fixture(params=[("alone", None), ("alone", FULL), *((release, None) for release in conftest.RELEASES)], ids=lambda row: "-".join(filter(None, row)))
def directory_of(request, postgres, copy):
    """A database to fill at random, its release, of our own schema and sample or as it was recorded, and the room for known answers."""
    name, room = request.param
    if name == "alone":
        for database in conftest.make_database(postgres, "alone_template", request):
            yield database, "2026.8", room
    else:
        yield copy(name), name, room


def test_each_of_thousands_of_random_answers_is_that_of_the_oracle(directory_of, start_workers):
    database, release, room = directory_of
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        world = World(owner, random.Random(SEED))
        oracle, workers = Oracle(owner, RULES[release]), start_workers(database, known_answers=room)
        connections = [fastcgi.Connection(workers.socket) for _ in range(AT_ONCE)]
        wrong, kinds = compare(world, oracle, connections)
        for connection in connections:
            connection.socket.close()
    assert wrong == [], (len(wrong), wrong[0])
    assert len(kinds) == 4 and min(kinds.values()) > ANSWERS / 40, kinds
    known = metrics.known_answers(workers, ANSWERS / 50)
    print("%d answers, of them known: %s" % (sum(kinds.values()), known))


def recorded_questions(version):
    """The recorded requests that only a key and a policy decide, with authentik's answers."""
    for line in conftest.shared(conftest.RELEASES[version] + "recorded.jsonl").open():
        case = json.loads(line)
        path = re.fullmatch(r".*/policies/event_matcher/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/", case["path"])
        key = re.fullmatch(r"Bearer ([!-~]+)", dict(case["headers"]).get("Authorization", ""))
        if path and key and case["method"] == "GET" and len(case["headers"]) == 1 and case["response"].startswith("{"):
            yield case, key.group(1), path.group(1)


@pytest.mark.parametrize("version", conftest.RELEASES)
def test_the_oracle_answers_as_each_recorded_authentik_did(recorded, version):
    """But for an object_pk that is no UUID, or one in another spelling: for us they grant nothing."""
    with psycopg.connect(recorded(version).owner_dsn, autocommit=True) as owner:
        oracle, count = Oracle(owner, RULES[version]), 0
        for case, key, policy in recorded_questions(version):
            if not re.match(r"corner/(upper|hex|junk)pk/", case["case"]):
                status, body = oracle.answer(key, policy)
                assert (status, list(body.items())) == (case["status"], list(json.loads(case["response"]).items())), case["case"]
                count += 1
    assert count >= 90
