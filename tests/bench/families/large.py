# SPDX-License-Identifier: MIT
"""Replies of 4 MiB, against a no-op's of the same size."""
from callers import key, LARGE
from measure import median_of, ratio, run_rounds, run_wrk
from report import Row, Table
from stack import usual

SIZE = 4 << 20


def measure(build, rounds, long):
    with usual(build, large=SIZE) as stack:
        size = len(stack.ask("ours", LARGE, key("superuser", 1)).body)
        assert size > SIZE, size
        stack.add_noop("noop-large", size)
        stack.start_nginx()
        requests = stack.write_requests([(LARGE, key("superuser", 1))])
        found = run_rounds([{name: lambda name=name: run_wrk(stack, name, requests, 8) for name in ("ours", "twin", "noop-large")}], rounds)
    rows = [Row("replies of 4 MiB: ours / no-op", ratio(found, "ours", "noop-large")), Row("replies of 4 MiB a second", median_of(found, "ours"))]
    return [Table("Large replies", "One policy whose action is 4 MiB long; 8 clients.", stack.workers, rows, [("8 clients", ratio(found, "ours", "twin"))])]
