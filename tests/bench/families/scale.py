# SPDX-License-Identifier: MIT
"""How it grows: large directories, each against the small one of 10,000 policies and 10 groups in the same run."""
import callers
from measure import ratio, run_rounds, run_wrk, say
from report import Row, Table
from stack import usual

LARGE = (("1,000,000 policies", ("superuser",), {"policies": 1000000}),
         ("1,000,000 access tokens", ("superuser", "token"), {"tokens": 1000000}),
         ("20,000 groups, 20 deep, 100 a user", ("superuser", "role", "grants", "deep"), {"groups": 20000, "depth": 20, "memberships": 100}))
WHO = {"superuser": "superusers", "token": "access tokens", "role": "callers by a role", "grants": "callers by grants",
       "deep": "superusers by a group 10 levels up"}


def slices(stack, label, kinds, policies, name="ours"):
    files = {kind: stack.requests_of(callers.pairs(kind, keys=1000, policies=policies)) for kind in kinds}
    return {label + " " + kind: lambda path=path: run_wrk(stack, name, path) for kind, path in files.items()}


def measure_one(build, rounds, what, kinds, sizes):
    with usual(build) as small, usual(build, twin=False, **sizes) as large:
        for stack in (small, large):
            stack.start_nginx()
        mine = slices(small, "small", kinds, 10000)
        grown = slices(large, "large", kinds, sizes.get("policies", 10000))
        twin = slices(small, "twin", ("superuser",), 10000, "twin")
        found = run_rounds([{**mine, **grown, **twin}], rounds)
    rows = [Row("%s: %s" % (what, WHO[kind]), ratio(found, "large " + kind, "small " + kind), reach=0.95) for kind in kinds]
    return Table("Scale: " + what, "Throughput, share of the small directory's; 64 clients, 1,000 keys.", small.workers, rows,
                 [("64 clients", ratio(found, "small superuser", "twin superuser"))])


def measure(build, rounds, long):
    tables = []
    for what, kinds, sizes in LARGE:
        say(what)
        tables.append(measure_one(build, rounds, what, kinds, sizes))
    return tables
