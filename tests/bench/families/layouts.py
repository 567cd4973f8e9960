# SPDX-License-Identifier: MIT
"""What a request costs PostgreSQL in authentik's newest layout, against the one up to 2025.10."""
import callers
from measure import ratio, run_rounds, run_wrk
from report import Row, Table
from stack import usual

KINDS = {"superuser": "superusers", "role": "callers by a role", "grants": "callers by grants", "deep": "superusers by a group 10 levels up"}


def slices(stack, label, name="ours", kinds=KINDS):
    files = {kind: stack.requests_of(callers.pairs(kind, keys=64)) for kind in kinds}
    return {"%s %s" % (label, kind): lambda path=path: run_wrk(stack, name, path) for kind, path in files.items()}


def measure(build, rounds, long):
    with usual(build) as newest, usual(build, twin=False, layout="tree") as tree:
        for stack in (newest, tree):
            stack.start_nginx()
        found = run_rounds([{**slices(newest, "newest"), **slices(newest, "twin", "twin", ["superuser"]), **slices(tree, "tree")}], rounds)
    rows = [Row("newest layout / up to 2025.10, " + who, ratio(found, "newest " + kind, "tree " + kind, "PostgreSQL")) for kind, who in KINDS.items()]
    same = [("64 clients", ratio(found, "newest superuser", "twin superuser", "PostgreSQL"))]
    return [Table("Layouts", "PostgreSQL's CPU a request; 64 clients, 64 keys.", newest.workers, rows, same)]
