# SPDX-License-Identifier: MIT
"""Good traffic beside as many clients with unknown keys, against the same beside as many good clients."""
import callers
from measure import end_wrk, median_of, ratio, run_rounds, say, start_wrk
from report import Row, Table
from stack import usual

SECONDS = 2


def share_beside(port, good, other, refused):
    """What 32 clients get while 32 others ask."""
    both = [start_wrk(port, good, 32, SECONDS), start_wrk(port, other, 32, SECONDS)]
    mine = end_wrk(both[0], SECONDS)
    return {**mine, "others": end_wrk(both[1], SECONDS, refused)["rate"]}


def measure_one(build, rounds, what, index, reach):
    with usual(build, tokens=1000000, index=index) as stack:
        stack.start_nginx()
        requests, unknown = stack.requests_of(callers.pairs()), stack.write_requests(callers.unknown())
        assert stack.ask("ours", 1, "unknown").status == 403
        found = run_rounds([{name: lambda port=stack.ports[pool], other=other: share_beside(port, requests, other, other is unknown)
                             for name, pool, other in (("fair", "ours", requests), ("twin", "twin", requests), ("flood", "ours", unknown))}], rounds)
    rows = [Row("flood of unknown keys, %s: share of good traffic kept" % what, ratio(found, "flood", "fair"), reach=reach),
            Row("unknown keys answered a second, " + what, median_of(found, "flood", "others"))]
    return Table("Flood, " + what, "1,000,000 access tokens; 32 good clients beside 32 that flood, against 32 good ones beside 32 good ones.",
                 stack.workers, rows, [("32 clients beside 32", ratio(found, "fair", "twin"))])


def measure(build, rounds, long):
    tables = []
    for what, index, reach in (("with the index on tokens", True, 0.95), ("without it", False, 0.9)):
        say("a flood " + what)
        tables.append(measure_one(build, rounds, what, index, reach))
    return tables
