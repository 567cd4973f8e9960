# SPDX-License-Identifier: MIT
"""authentik is upgraded in place: our steps end where a real authentik's do, and under load nobody gets a wrong answer."""
import collections
import json
import os
import re
import time

import psycopg
import pytest

import conftest
import fastcgi
import load
import metrics
import servers
import upgrades
from sample import ADMIN, URI

# The recorded 2025.12 was changed once more after its upgrade. What was changed names a random user, group or role, or one
# that was made for the purpose; of what the upgrade made, this many rows were taken away again, all of them random ones'.
RANDOM = r"\br[ugr]\d+\b"
MADE_LATER = r"(^|[ -])(added|gained|kept|left|corner|directrole)|ak-managed-role--user "
TAKEN_AWAY = {"for all": 4, "for one": 31}


@pytest.fixture
def old(copy):
    """The recorded 2025.10, for one test to upgrade."""
    return copy("2025.10")


@pytest.mark.parametrize("steps, release", [(("2025.12",), "2025.12"), ((), "2026.8")])
def test_the_steps_end_in_the_catalogue_of_a_real_authentik(old, recorded, steps, release):
    assert upgrades.catalogue(old) != upgrades.catalogue(recorded(release))
    upgrades.apply(old, upgrades.steps(*steps))
    ours, theirs = upgrades.catalogue(old), upgrades.catalogue(recorded(release))
    assert (sorted(ours - theirs), sorted(theirs - ours)) == ([], [])


def test_the_steps_make_the_rows_that_a_real_authentik_made(old, recorded):
    upgrades.apply(old, upgrades.steps("2025.12"))
    ours, theirs = upgrades.rows(old, upgrades.RIGHTS), upgrades.rows(recorded("2025.12"), upgrades.RIGHTS)
    assert len(ours) > 400
    assert [row for row in ours - theirs if not re.search(RANDOM, row[1])] == []
    assert collections.Counter(kind for kind, _ in ours - theirs) == TAKEN_AWAY
    assert [row for row in theirs - ours if not re.search(RANDOM + "|" + MADE_LATER, row[1])] == []


def test_the_ancestry_follows_the_parents_after_the_steps(old):
    upgrades.apply(old, upgrades.steps())
    assert upgrades.rows(old, upgrades.ANCESTRY) == upgrades.rows(old, upgrades.CLOSURE) != set()
    old.run("delete from authentik_core_groupparentage where ctid in (select ctid from authentik_core_groupparentage limit 9)")
    old.run("insert into authentik_core_groupparentage select gen_random_uuid(), parent_id, child_id from authentik_core_groupparentage")
    assert upgrades.rows(old, upgrades.ANCESTRY) == upgrades.rows(old, upgrades.CLOSURE) != set()


# The callers of upgrade/callers.sql, what each gets at first for the first policy, another one and one that is not there, and
# what changes that. EXPECTED[n] holds after n steps of upgrades.chain().
POLICIES = ["00000000-0000-4000-8000-000000000" + end for end in ("102", "10f", "999")]
ALL, ONE, NONE = (200, 200, 404), (200, 404, 404), (403, 403, 403)
AT_FIRST = {
    "up-superuser": ALL, "up-parent": ALL, "up-permission": ALL, "up-object": ONE, "up-role": ALL, "up-role-object": ONE,
    "up-directly": ALL, "up-taken": ALL, "up-left": ALL, "up-emptied": ALL, "up-nobody": NONE, "up-unknown": NONE,
    "up-deep": NONE, "up-ancestor": NONE, "up-ancestor-object": NONE, "up-given": NONE}
LATER = {
    "2025.12/5_core_0056": {"up-deep": ALL, "up-ancestor": ALL, "up-ancestor-object": ONE, "up-directly": NONE},
    "2025.12/administrator": {"up-taken": NONE, "up-given": ALL},
    "2026.2/administrator": {"up-left": NONE, "up-emptied": NONE}}
QUERIES = {
    "2026.5/1_event_matcher_0027": {POLICIES[0]: [("query", None)], POLICIES[1]: [("query", None)]},
    "2026.5/administrator": {POLICIES[0]: [("query", "event.user.pk > 1")]}}


PLAIN_TYPE = "2026.2/2_core_0057"
DETAILS = {403: "You do not have permission to perform this action.", 404: "No EventMatcherPolicy matches the given query."}
UNKNOWN = "Token invalid/expired"


def expected():
    """For each stage {(key, policy): (status, Content-Type, the pairs that a 200 adds)}."""
    statuses, queries, kind, stages = dict(AT_FIRST), dict.fromkeys(POLICIES, []), "application/json; charset=utf-8", []
    for name in [None] + [step.name for step in upgrades.chain()]:
        statuses.update(LATER.get(name, {}))
        queries.update(QUERIES.get(name, {}))
        kind = "application/json" if name == PLAIN_TYPE else kind
        stages.append({(key, policy): (status, kind, queries[policy])
                       for key, row in statuses.items() for policy, status in zip(POLICIES, row)})
    return stages


EXPECTED = expected()
QUESTIONS = sorted(EXPECTED[0])


@pytest.fixture(scope="module")
def bodies():
    """What authentik answered on 2025.10: {policy: pairs}."""
    found = [json.loads(line) for line in conftest.shared("2025.10/recorded.jsonl").open()]
    return {policy: list(json.loads(row["response"]).items()) for policy in POLICIES for row in found
            if row["path"].endswith(policy + "/") and row["method"] == "GET" and row["status"] == 200}


@pytest.fixture
def right(bodies):
    def is_right(stage, answer):
        status, kind, added = EXPECTED[stage][answer.question]
        if (answer.reply.status, answer.reply.headers.get("content-type")) != (status, kind):
            return False
        return status != 200 or list(json.loads(answer.reply.body).items()) == bodies[answer.question[1]] + added
    return is_right


@pytest.fixture
def exactly_right(right):
    """The details of a refusal too."""
    def is_right(stage, answer):
        key, status = answer.question[0], answer.reply.status
        detail = UNKNOWN if key == "up-unknown" else DETAILS.get(status)
        return right(stage, answer) and (status == 200 or json.loads(answer.reply.body) == {"detail": detail})
    return is_right


@pytest.fixture
def with_callers(old):
    old.server.load(upgrades.FOLDER / "callers.sql", old.name)
    old.server.load(servers.ROOT / "sql" / "role.sql", old.name)
    return old


def test_what_is_expected_at_each_stage_is_what_the_tables_say(with_callers):
    assert {name for changes in (LATER, QUERIES) for name in changes} <= {step.name for step in upgrades.chain()}
    for stage, step in zip(EXPECTED, [None, *upgrades.chain()]):
        upgrades.apply(with_callers, [step] if step else [])
        wanted = {question: status for question, (status, _, _) in stage.items() if question[0] != "up-unknown"}
        assert upgrades.statuses(with_callers, POLICIES) == wanted, step and step.name


def answers_of_a_moment(workers):
    with load.Load(workers.socket, QUESTIONS) as running:
        servers.wait_until(lambda: len(running.answers) >= load.RATE, "a second's answers")
    return running.answers


def test_under_load_and_without_an_upgrade_every_answer_is_right(with_callers, start_workers, right):
    judged = load.judge(answers_of_a_moment(start_workers(with_callers)), [], right)
    assert load.wrong(judged) == [] and judged[0].verdicts["right"] >= load.RATE


def test_an_answer_by_rules_that_do_not_hold_yet_or_any_more_is_seen(with_callers, start_workers, right):
    """The answers of 2025.10 against the rules of after some steps, had those been committed before or begun after them."""
    answers = answers_of_a_moment(start_workers(with_callers))
    before, during = ([load.Change(step.name, 0, end) for step in upgrades.chain()]
                      for end in (answers[0].sent - 1, answers[-1].answered))
    release = [change.name for change in before].index("2025.12/administrator") + 1
    seen = {question for _, question, _, _ in load.wrong(load.judge(answers, before[:release], right))}
    assert seen == {question for question in QUESTIONS if EXPECTED[0][question] != EXPECTED[release][question]} != set()
    assert load.judge(answers, before, right)[-1].verdicts["wrong"] == len(answers)
    assert load.wrong(load.judge(answers, during, right)) == []


# How long each step is looked at; where a privilege has to be granted first, the 503s end that long after it.
DWELL = int(os.environ.get("EVENT_MATCHER_UPGRADE_SECONDS", "3"))
WITHIN = 11


def dwell(running, seconds):
    enough = len(running.answers) + seconds * load.RATE
    servers.wait_until(lambda: len(running.answers) >= enough, "the answers of %d seconds" % seconds)


def grant(running, database):
    """Runs role.sql again and says when; returns after a second without a 503, or when that is overdue."""
    database.server.load(servers.ROOT / "sql" / "role.sql", database.name)
    done, second = time.monotonic(), float("-inf")
    while load.unavailable_for(running.answers, second, float("inf")) and time.monotonic() < done + WITHIN + 1:
        second = time.monotonic()
        dwell(running, 1)
    return done


def upgrade(running, database, granted):
    """Takes all steps, and runs role.sql between the migrations of a release and its use: the changes, the grants' times."""
    changes, grants = [], []
    dwell(running, DWELL)
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        for step in upgrades.chain():
            if granted == "afterwards" and step.name.endswith("/administrator"):
                grants.append(grant(running, database))
            changes.append(upgrades.commit(connection, step))
            dwell(running, DWELL)
    return changes, grants


def late_after(grants, changes, answers):
    """For how long 503s came after each grant, up to the next release's first step."""
    ends = [change.begins for last, change in zip(changes, changes[1:]) if last.name.endswith("/administrator")]
    return [load.unavailable_for(answers, start, end) for start, end in zip(grants, ends + [float("inf")])]


@pytest.mark.parametrize("granted", ["beforehand", "afterwards"])
def test_an_upgrade_under_load_gives_no_wrong_answer(with_callers, start_workers, exactly_right, granted):
    """Beforehand: what a migration makes may be read at once. Afterwards: role.sql runs after a release's last migration."""
    if granted == "beforehand":
        with_callers.run("alter default privileges in schema public grant select on tables to event_matcher")
    workers = start_workers(with_callers, lock_timeout="500ms", workers=2, database_wait="1s")
    pids = workers.worker_pids()
    with load.Load(workers.socket, QUESTIONS) as running:
        changes, grants = upgrade(running, with_callers, granted)
    judged = load.judge(running.answers, changes, exactly_right)
    print("\n" + load.table(judged))
    assert load.wrong(judged) == [] and workers.worker_pids() == pids
    assert [late for late in late_after(grants, changes, running.answers) if late >= WITHIN] == []
    assert granted == "afterwards" or sum(stage.verdicts["right"] for stage in judged) >= 0.95 * len(running.answers)


def test_a_statement_that_waits_for_a_migrations_lock_gives_way_within_lock_timeout(start_workers, own):
    """Before PostgreSQL looks for a deadlock, whose victim could be the migration."""
    workers = start_workers(own, lock_timeout="300ms", request_timeout="5s")
    with psycopg.connect(own.owner_dsn) as migration:
        migration.execute("lock table authentik_core_user in access exclusive mode")
        with load.Load(workers.socket, [("sample-key-admin", POLICIES[0])]) as running:
            servers.wait_until(lambda: load.unavailable_for(running.answers, 0, float("inf")), "a statement that gave way")
        assert "canceling statement due to lock timeout" in workers.log()


def test_what_is_known_is_answered_while_a_migration_holds_a_lock_and_nothing_is_committed(start_workers, own):
    """Who commits meanwhile, or the reading of the facts that is due, takes that away: then it is tried once more."""
    workers = start_workers(own, lock_timeout="300ms", request_timeout="5s", known_answers="1MiB")

    def is_known_beside_a_lock():
        assert [fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(3)] == [200] * 3
        before = metrics.known_answers(workers, 0)
        with psycopg.connect(own.owner_dsn) as migration:
            migration.execute("lock table authentik_core_user, authentik_core_token, authentik_policies_policy in access exclusive mode")
            statuses = [fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(10)]
        return statuses == [200] * 10 and metrics.known_answers(workers) == before + 10

    servers.wait_until(is_known_beside_a_lock, "ten known answers beside a lock")
