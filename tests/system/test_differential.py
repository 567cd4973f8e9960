# SPDX-License-Identifier: MIT
"""Random questions to random directories, with changes between the answers: each answer is that of the oracle."""
import collections
import json
import os
import random
import re

import conftest
import fastcgi
import psycopg
import pytest
from oracle import RULES, Oracle
from world import World

ANSWERS = int(os.environ.get("DIFFERENTIAL_ANSWERS", 3000))  # of each database
SEED = int(os.environ.get("DIFFERENTIAL_SEED", 1))
AT_ONCE = 24  # questions between two changes, each on a connection of its own


def ask_all(connections, questions):
    """All questions at once, so that they share batches; the replies in their order."""
    for connection, (key, policy) in zip(connections, questions):
        headers = [("Authorization", "Bearer " + key)]
        connection.send(fastcgi.request(fastcgi.parameters(fastcgi.URI.format(policy), headers=headers)))
    return [connection.reply() for connection in connections]


def agrees(reply, expected):
    status, body = expected
    return reply.status == status and list(json.loads(reply.body).items()) == list(body.items())


def compare(world, oracle, connections):
    """Changes and asks until there are enough answers; returns the wrong ones, and how often each kind of answer came."""
    wrong, kinds = [], collections.Counter()
    while sum(kinds.values()) < ANSWERS:
        for _ in range(world.random.randrange(1, 4)):
            world.change()
        oracle.read()
        questions = [world.question() for _ in connections]
        for question, reply in zip(questions, ask_all(connections, questions)):
            expected = oracle.answer(*question)
            kinds[expected[0], expected[1].get("detail")] += 1
            if not agrees(reply, expected):
                wrong.append((sum(kinds.values()), question, reply.status, reply.body, expected))
    return wrong, kinds


@pytest.fixture(params=["alone", *conftest.RELEASES])
def directory_of(request, postgres, copy):
    """A database to fill at random, and its release: of our own schema and sample, or as it was recorded."""
    if request.param == "alone":
        for database in conftest.make_database(postgres, "alone_template", request):
            yield database, "2026.8"
    else:
        yield copy(request.param), request.param


def test_each_of_thousands_of_random_answers_is_that_of_the_oracle(directory_of, start_workers):
    database, release = directory_of
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        world = World(owner, random.Random(SEED))
        oracle, workers = Oracle(owner, RULES[release]), start_workers(database)
        connections = [fastcgi.Connection(workers.socket) for _ in range(AT_ONCE)]
        wrong, kinds = compare(world, oracle, connections)
        for connection in connections:
            connection.socket.close()
    assert wrong == [], (len(wrong), wrong[0])
    assert len(kinds) == 4 and min(kinds.values()) > ANSWERS / 40, kinds


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
