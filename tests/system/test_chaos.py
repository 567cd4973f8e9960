# SPDX-License-Identifier: MIT
"""Whatever happens, in whatever order: no wrong answer, none of another caller, and none lost that need not be."""
import collections
import functools
import os
import random
import threading

import psycopg

import chaos
import pools
from oracle import RULES, Oracle
from world import World

SECONDS = int(os.environ.get("CHAOS_SECONDS", 120))
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 30)))
CLIENTS = 4  # through nginx, and as many directly
# The program's own limits, which servers.PATIENCE lengthens: what it does when they are reached is a part of this.
LIMITS = {"request_timeout": "2s", "statement_timeout": "1500ms", "lock_timeout": "500ms", "connect_timeout": "2s", "database_wait": "1s"}


def questions(generator, keys, policies):
    """Half of them of a few callers, about a few policies: what those may see is known soon."""
    while True:
        few = generator.choice((4, len(keys)))
        yield generator.choice(keys[:few]), generator.choice(policies[:few])


def test_in_chaos_each_answer_is_right_or_says_to_come_back(start_plain, start_nginx, own, figure):
    print("CHAOS_SEED=%d CHAOS_SECONDS=%d" % (SEED, SECONDS))
    generator, over = random.Random(SEED), threading.Event()
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        world, oracle = World(owner, generator), Oracle(owner, RULES["2026.8"])
        keys, policies = chaos.fill(world, oracle)
    expected = functools.cache(lambda question: oracle.answer(*question))
    pool = pools.configured(start_plain, own, own.server.directory, **LIMITS)
    nginx = start_nginx(pool.socket)
    clients = [chaos.Client(way, path, questions(random.Random(SEED + number), keys, policies), over)
               for number in range(CLIENTS) for way, path in (("directly", pool.socket), ("nginx", nginx.socket))]
    happening = chaos.Chaos(pool, own, generator)
    try:
        happening.run(SECONDS)
    finally:
        over.set()
        for client in clients:
            client.join(60)
    judge(happening, clients, expected, figure)
    assert happening.known > sum(len(client.answers) for client in clients) / 50, "none were known"


def judge(happening, clients, expected, figure):
    assert all(client.finished for client in clients)
    answers = [answer for client in clients for answer in client.answers]
    verdicts = chaos.Verdicts(answers, happening.events, expected)
    events = collections.Counter(event.name for event in happening.events)
    print("%d answers: %s\n%d events: %s" % (len(answers), dict(verdicts.counts), len(happening.events), dict(events)))
    print("of them known: %d" % happening.known)
    print("statuses: %s" % collections.Counter((answer.way, answer.status) for answer in answers))
    for fault in verdicts.faults[:10]:
        print(*fault, sep="\n    ")
    kinds = collections.Counter(expected(answer.question)[0] for answer in answers)
    assert len(kinds) == 3 and min(kinds.values()) > len(answers) / 50
    bodies = {answer.body for answer in answers if answer.status == 200}
    wrong = [answer for kind, answer, _ in verdicts.faults if kind == "wrong"]
    figure("chaos of %d s, %d answers: wrong" % (SECONDS, len(answers)), len(wrong), 0)
    figure("chaos: of another caller or policy", sum(answer.status == 200 and answer.body in bodies for answer in wrong), 0)
    figure("chaos: lost, or told to come back without a reason", len(verdicts.faults) - len(wrong), 0)
    kills = events["kill_worker"] + events["hang_worker"]
    figure("chaos: lost directly, with %d workers killed" % kills, verdicts.counts["lost with its worker"], CLIENTS * kills)
    figure("chaos: told to come back while a table was away or a process stopped", verdicts.counts["told to come back"], len(answers) // 2)
