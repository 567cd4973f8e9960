# SPDX-License-Identifier: MIT
"""What a request costs whom, and how long it takes, at a rate that is offered whatever the answers are like: 64 paced clients."""
import statistics

import callers
from families import peer
from measure import median_of, rate_of, ratio, run_paced, run_rounds
from report import COMPONENTS, Row, Table
from stack import knows, usual

OURS, TWIN = "ours, a real directory", "ours, an equal pool"
COLUMNS = (*COMPONENTS, "all", "else")


def cases_of(stack, directory, long):
    """What is measured: its name -> (who answers, the requests)."""
    cases = {"static file": ("static", directory), "no-op": ("noop", directory)}
    cases.update({peer.NAMES[mode]: (mode, directory) for mode in peer.MODES if mode in stack.ports})
    cases.update({OURS: ("ours", directory), TWIN: ("twin", directory)})
    if "unknown" in stack.ports:
        cases["ours, without known answers"] = ("unknown", directory)
    if long:
        cases.update({"ours, all keys distinct": ("ours", stack.requests_of(callers.pairs())),
                      "ours, 64 keys by a role": ("ours", stack.requests_of(callers.pairs("role", keys=64))),
                      "ours, 64 keys by grants": ("ours", stack.requests_of(callers.pairs("grants", keys=64)))})
    return cases


def shares_of(found):
    """what -> column -> the median of all rounds, microseconds; the latencies are milliseconds."""
    shares = {what: {column: statistics.median(figures[column] for figures in rounds) for column in COLUMNS} for what, rounds in found.items()}
    for what, rounds in found.items():
        for figure in ("p50", "p99"):
            shares[what][figure + ", ms"] = statistics.median(figures[figure] / 1000 for figures in rounds)
        shares[what]["answered a second"] = statistics.median(figures["rate"] for figures in rounds)
    return shares


def rows_of(found):
    rows = [Row("PostgreSQL's CPU a request, µs, a real directory", median_of(found, OURS, "PostgreSQL"), reach=25, below=True),
            Row("p99 / p99 of the no-op, a real directory", ratio(found, OURS, "no-op", "p99")),
            Row("CPU a request of all processes / of the no-op's, a real directory", ratio(found, OURS, "no-op", "all"))]
    return rows + [Row("PostgreSQL's CPU a request, ours / %s, a real directory" % peer.NAMES[mode], ratio(found, OURS, peer.NAMES[mode], "PostgreSQL"))
                   for mode in peer.MODES if peer.NAMES[mode] in found]


def measure(build, rounds, long):
    path = peer.program(build) if long else None
    with usual(build) as stack:
        if knows(stack.program("event-matcher-fcgi"), "known-answers"):
            stack.add_workers("unknown", known_answers=0)
        stack.add_noop()
        if path:
            peer.add_all(stack, path)
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        cases, rate = cases_of(stack, directory, long), rate_of(stack, directory)
        found = run_rounds([{what: lambda name=name, requests=requests: run_paced(stack, name, requests, rate)
                             for what, (name, requests) in cases.items()}], rounds)
    same = [(what, ratio(found, OURS, TWIN, figure)) for what, figure in (("CPU", "all"), ("p50", "p50"))]
    sentence = ("%d requests a second are offered by 64 clients, each at times of its own; a latency counts from the time at which the request "
                "was due. Microseconds of CPU a request, over all cores." % rate)
    return [Table("Cost", sentence, stack.workers, rows_of(found), same, shares=shares_of(found))]
