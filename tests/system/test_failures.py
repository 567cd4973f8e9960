# SPDX-License-Identifier: MIT
"""What the log says of requests that fail: a storm of them is a line and a number."""
import contextlib
import re
import time

import psycopg

import fastcgi
import sample
import servers
from fastcgi import Connection
from sample import ADMIN, URI


@contextlib.contextmanager
def held(database):
    """Nobody reads the policies meanwhile."""
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("lock table authentik_policies_policy in access exclusive mode")
        yield
        owner.rollback()


def wait_for_a_waiter(database):
    """Somebody has waited for a lock for a third of a second."""
    servers.wait_until(lambda: database.run("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
                                            " and now() - query_start > '300 ms'")[0][0] > 0, "a statement that waits for a lock")


def lines(workers, text):
    return [line for line in workers.log().splitlines() if text in line]


def test_without_a_database_many_503_are_one_line_and_their_number(start_workers, directory):
    workers = start_workers("host=%s dbname=none" % directory, has_database=False, database_wait="0ms")
    with Connection(workers.socket) as connection:
        assert {connection.ask(URI, ADMIN).status for _ in range(200)} == {503}
    assert workers.stop() == 0
    told = lines(workers, "answered 503 Service Unavailable (request ")
    more = [int(number) for number in re.findall(r"requests answered 503 for the database in the last 5 s beside the one named: (\d+)", workers.log())]
    assert len(told) + sum(more) == 200 and 1 <= len(told) + len(more) <= 8


def test_the_number_comes_while_it_goes_on_and_not_at_the_end_only(start_workers, directory):
    workers = start_workers("host=%s dbname=none" % directory, has_database=False, database_wait="0ms")
    with Connection(workers.socket) as connection:
        for _ in range(3):
            assert connection.ask(URI, ADMIN).status == 503
    servers.wait_until(lambda: "503 for the database in the last 5 s beside the one named: 2" in workers.log(), "the number")


def test_requests_that_are_shed_leave_a_line_a_number_and_a_count(start_workers, own):
    workers = start_workers(own, max_requests=1, request_timeout="3s", statement_timeout="2s", lock_timeout="2s")
    with held(own):
        with Connection(workers.socket) as first:
            first.send(sample.request())
            servers.wait_until(lambda: fastcgi.ask(workers.socket, URI, ADMIN).status == 503, "the first to wait")
            assert {fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(20)} == {503}
            metrics = fastcgi.ask(workers.socket, "/-/metrics/").body
    shed = int(re.search(rb'event_matcher_shed_total\{reason="max_requests"\} (\d+)', metrics)[1])
    assert shed >= 21 and workers.stop() == 0
    told = len(lines(workers, "max_requests wait for the database already"))
    more = re.findall(r"requests answered 503 for max_requests in the last 5 s beside the one named: (\d+)", workers.log())
    assert told in (1, 2) and told + sum(map(int, more)) == shed


def numbered(workers, event, what):
    """How many lines an event has of its own, and how many more were counted."""
    log = workers.log()
    more = re.findall(r" %s %s in the last 5 s beside the one named: (\d+)$" % (event, what), log, re.M)
    return len(re.findall(r"^\S+ \w+ \d+ %s " % event, log, re.M)) - len(more), sum(map(int, more))


def test_statements_that_fail_one_after_the_other_are_a_few_lines_and_a_number(start_workers, own):
    """Each of them ends its session, too."""
    sample.fail(own, "42P17")
    workers = start_workers(own)
    with Connection(workers.socket) as connection:
        assert {connection.ask(URI, ADMIN).status for _ in range(20)} == {500}
    assert workers.stop() == 0
    for event, what in (("question_failed", "batches of questions that failed"), ("session_lost", "sessions that were lost"),
                        ("session_ready", "sessions that became ready")):
        told, more = numbered(workers, event, what)
        assert 5 <= told <= 10 and 20 <= told + more <= 21, (event, told, more)


def test_notices_of_the_database_that_all_differ_are_a_few_lines_and_a_number(start_workers, own):
    sample.intercept(own, "raise warning 'at %', clock_timestamp()")
    workers = start_workers(own)
    with Connection(workers.socket) as connection:
        assert {connection.ask(URI, ADMIN).status for _ in range(30)} == {200}
    assert workers.stop() == 0
    told, more = numbered(workers, "database_notice", "notices of PostgreSQL")
    assert 5 <= told <= 10 and told + more >= 30


def test_an_answer_that_takes_long_is_a_line_with_where_the_time_went(start_workers, own):
    workers = start_workers(own, slow_request="200ms", request_timeout="60s", statement_timeout="50s", lock_timeout="50s", known_answers=0)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and lines(workers, "slow_request") == []
    with Connection(workers.socket) as connection:
        with held(own):
            connection.send(fastcgi.request(fastcgi.parameters(URI, "GET", [("Authorization", "Bearer " + ADMIN), ("X-Request-Id", "slow-1")])))
            wait_for_a_waiter(own)
        assert connection.reply().status == 200
    line, = lines(workers, "answered later than slow_request")
    took, queued, asked = map(int, re.search(r"\(request slow-1\): after (\d+) ms, of them (\d+) in the queue and (\d+) with the database", line).groups())
    assert took >= 200 and asked >= 200 and 0 <= took - queued - asked <= 1


def test_a_slow_answer_that_had_to_wait_for_others_says_so(start_workers, own):
    """What is before it belongs to a client that has left, and is not told."""
    workers = start_workers(own, slow_request="200ms", known_answers=0)
    with Connection(workers.socket) as second:
        with held(own):
            with Connection(workers.socket) as first:
                first.send(sample.request())
                wait_for_a_waiter(own)
            second.send(fastcgi.request(fastcgi.parameters(URI, "GET", [("Authorization", "Bearer " + ADMIN), ("X-Request-Id", "slow-2")])))
            time.sleep(0.4)  # the time is the subject
        assert second.reply().status == 200
    line, = lines(workers, "request_slow")
    took, queued, asked = map(int, re.search(r"\(request slow-2\): after (\d+) ms, of them (\d+) in the queue and (\d+) with", line).groups())
    assert queued >= 300 and queued > asked and took >= queued


def test_slow_requests_are_not_told_where_nobody_wants_to_know(start_workers, own):
    workers = start_workers(own, slow_request="0ms", request_timeout="60s", statement_timeout="50s", lock_timeout="50s", known_answers=0)
    with Connection(workers.socket) as connection:
        with held(own):
            connection.send(sample.request())
            wait_for_a_waiter(own)
        assert connection.reply().status == 200
    assert lines(workers, "slow_request") == []
