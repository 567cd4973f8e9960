# SPDX-License-Identifier: MIT
"""How many workers: what a second and a fourth one bring, and what they cost."""
import callers
from measure import CLIENTS, ratio, run_rounds, run_wrk
from report import clients_text, Row, Table
from stack import usual

MORE = (2, 4)
FIGURES = (("rate", "throughput"), ("p99", "p99"), ("all", "CPU a request of all processes"))


def measure(build, rounds, long):
    with usual(build) as stack:
        for count in (1, *MORE):
            stack.add_workers("pool-of-%d" % count, count)
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        names = [name for name in stack.ports if name != "static"]
        groups = [{"%s %d" % (name, n): lambda name=name, n=n: run_wrk(stack, name, directory, n) for name in names} for n in CLIENTS]
        found = run_rounds(groups, rounds)
    rows = [Row("%s, %d workers / 1, %s" % (what, count, clients_text(n)), ratio(found, "pool-of-%d %d" % (count, n), "pool-of-1 %d" % n, figure))
            for count in MORE for figure, what in FIGURES for n in CLIENTS]
    same = [(clients_text(n), ratio(found, "ours %d" % n, "twin %d" % n)) for n in CLIENTS]
    return [Table("Workers", "A real directory; the pools of the A/A have the default.", stack.workers, rows, same)]
