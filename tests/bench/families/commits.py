# SPDX-License-Identifier: MIT
"""Beside a load that commits in another database of the same server: what known answers are worth where they seldom hold."""
import callers
from measure import median_of, ratio, run_rounds, run_wrk
from pgbench import Commits
from report import Row, Table
from stack import knows, usual

RATES = (1, 100, 5000)
SENTENCE = "64 clients, a real directory, beside pgbench, which commits an update in another database of the server: %.0f a second it did."


def pools_of(stack):
    """ours, its twin, and ours without known answers where the program has that setting."""
    if not knows(stack.program("event-matcher-fcgi"), "known-answers"):
        return ["ours", "twin"]
    stack.add_workers("unknown", known_answers=0)
    return ["ours", "twin", "unknown"]


def table_of(stack, found, commits):
    beside = "%s commit%s a second" % (format(commits.rate, ","), "s" * (commits.rate > 1))
    rows = [Row("requests a second beside %s" % beside, median_of(found, "ours"))]
    if "unknown" in found:
        rows.insert(0, Row("ours / without known answers, beside %s" % beside, ratio(found, "ours", "unknown"),
                           reach=0.97 if commits.rate == RATES[-1] else None))
    return Table("Beside " + beside, SENTENCE % commits.achieved, stack.workers, rows, [("64 clients", ratio(found, "ours", "twin"))])


def measure(build, rounds, long):
    tables = []
    with usual(build) as stack:
        pools = pools_of(stack)
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        for rate in RATES:
            with Commits(stack, rate) as commits:
                found = run_rounds([{name: lambda name=name: run_wrk(stack, name, directory) for name in pools}], rounds)
            tables.append(table_of(stack, found, commits))
    return tables
