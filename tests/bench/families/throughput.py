# SPDX-License-Identifier: MIT
"""How much is answered: a real directory at 1, 8 and 64 clients, and at 64 what else may be asked, against the no-op."""
import callers
import pgbench
from measure import CLIENTS, median_of, ratio, run_rounds, run_wrk, wait_idle
from report import clients_text, Row, Table
from stack import usual

BARS = {"static file": "static", "no-op": "no-op 64", "ours, a real directory": "ours 64", "ours, one key": "one key",
        "ours, all keys distinct": "all keys", "ours, by a role": "role", "ours, by grants": "grants", "ours, a group 10 levels up": "deep",
        "ours, access tokens": "token", "pgbench": "pgbench", "libfcgi": "libfcgi"}
DIRECTORY_REACH = {1: 0.50, 8: 0.60, 64: 0.78}


def slices(stack, files, name, clients=64):
    """label -> one slice of each file of requests."""
    return {label: lambda path=path: run_wrk(stack, name, path, clients) for label, path in files.items()}


def groups_of(stack, directory, long):
    groups = []
    for clients in CLIENTS:
        ours = slices(stack, {"ours %d" % clients: directory}, "ours", clients)
        groups.append({**ours, **slices(stack, {"twin %d" % clients: directory}, "twin", clients),
                       **slices(stack, {"no-op %d" % clients: directory}, "noop", clients)})
    files = {"one key": stack.requests_of(callers.pairs(keys=1)), "all keys": stack.requests_of(callers.pairs()),
             "role": stack.requests_of(callers.pairs("role", keys=64)), "grants": stack.requests_of(callers.pairs("grants", keys=64))}
    if long:
        files.update({kind: stack.requests_of(callers.pairs(kind, keys=64)) for kind in ("deep", "token")})
    script = pgbench.write_question(stack)
    groups[-1].update({**slices(stack, files, "ours"), **slices(stack, {"static": directory}, "static"),
                       **slices(stack, {"libfcgi": directory}, "blocking"),
                       "pgbench": lambda: pgbench.run_question(stack, script)})
    return groups


def rows_of(found, long):
    rows = [Row("ours / no-op, a real directory, %s" % clients_text(n), ratio(found, "ours %d" % n, "no-op %d" % n), reach=DIRECTORY_REACH[n])
            for n in CLIENTS]
    for what, name, reach in (("all keys distinct, 10,000 policies", "all keys", 0.66), ("one key, 10,000 policies", "one key", 0.72),
                              ("64 callers by a role's permission", "role", 0.65), ("64 callers by object grants only", "grants", 0.65)):
        rows.append(Row("ours / no-op, %s, 64 clients" % what, ratio(found, name, "no-op 64"), reach=reach))
    if long:
        rows += [Row("ours / no-op, 64 superusers by a group 10 levels up, 64 clients", ratio(found, "deep", "no-op 64")),
                 Row("ours / no-op, 64 access tokens, 64 clients", ratio(found, "token", "no-op 64"))]
    rows += [Row("ours / libfcgi with 72 threads, a real directory, 64 clients", ratio(found, "ours 64", "libfcgi")),
             Row("ours / pgbench -c8, a real directory, 64 clients", ratio(found, "ours 64", "pgbench")),
             Row("no-op / static file, 64 clients", ratio(found, "no-op 64", "static")),
             Row("CPU a request of all processes, ours / no-op, a real directory, 64 clients", ratio(found, "ours 64", "no-op 64", "all"))]
    for figure, what, scale in (("rate", "requests a second", 1), ("p50", "p50, ms", 1000), ("p99", "p99, ms", 1000)):
        rows += [Row("%s, a real directory, %s" % (what, clients_text(n)), median_of(found, "ours %d" % n, figure, scale)) for n in CLIENTS]
    return rows


def measure(build, rounds, long):
    with usual(build) as stack:
        stack.add_noop()
        stack.add_blocking()
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        groups = groups_of(stack, directory, long)
        wait_idle()
        found = run_rounds(groups, rounds)
        for kind in callers.KINDS:
            stack.verify(callers.pairs(kind, keys=64)[:200])
    same = [(clients_text(n), ratio(found, "ours %d" % n, "twin %d" % n)) for n in CLIENTS]
    bars = [(label, median_of(found, name, "rate", 1000)) for label, name in BARS.items() if name in found]
    return [Table("Throughput", "A real directory is %s of the 10,000 there are." % callers.DIRECTORY, stack.workers, rows_of(found, long),
                  same, bars=bars)]
