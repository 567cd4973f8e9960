#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark: starts everything itself, compares within one run, and fails on any wrong answer. See --help."""
import os
import argparse
import contextlib
import json
import pathlib
import resource
import shutil
import socket
import statistics
import time

import report
from measure import end_wrk, interval, memory, ratio, run_pgbench, run_rounds, run_shares, run_wrk, start_wrk, wait_idle
from stack import children, key, LARGE, pairs, servers, Stack

MANY = 10000  # kept connections
LARGE_SIZE = 4 << 20
TARGETS = "One worker, 64 clients where nothing else is said, 10,000 policies; ratios of throughput."
PGBENCH = """\\set n %s
\\set p random(1, 10000)
\\startpipeline
%s
%s
\\endpipeline
"""


def say(text):
    print("bench: " + text, flush=True)


@contextlib.contextmanager
def usual(build, **options):
    """The stack of most comparisons: one worker, the no-op."""
    stack = Stack(build, **options)
    try:
        stack.pool = stack.add_workers()
        stack.noop = stack.add_noop()
        yield stack
    finally:
        stack.stop()


def body_of(statement, parameter):
    """A prepared statement's text, for pgbench, its first parameter replaced; the others say what our workers have learnt."""
    text = servers.statement(statement)
    lines = [line for line in text.splitlines() if not line.startswith("prepare")]
    text = " ".join(lines).replace("$1", parameter)
    return text.replace("$2", "array['dddddddd-0000-4000-8000-000000000000'::uuid]").replace("$3", "array[true]")


def pgbench_script(stack, name, number):
    """The two statements of the usual question; the key is the superuser's of that number."""
    asked = (body_of("caller", "array[md5((10000 + :n::int)::text) || '-bench']"),
             body_of("policy", "array[('00000000-0000-4000-8000-' || to_char(:p::int, 'FM000000000000'))::uuid]"))
    for text in asked:
        assert len(stack.postgres.run(text.replace(":n:", "1:").replace(":p:", "1:"))) == 1, text
    path = stack.directory / (name + ".pgbench")
    path.write_text(PGBENCH % (number, *asked))
    return path


def requests_of(stack, **options):
    """Requests whose answers have all been compared with the rows; so the workers know each of the keys, too."""
    chosen = pairs(**options)
    stack.verify(chosen)
    return stack.write_requests(chosen)


def wrk_slices(stack, name, files, clients=64):
    """name -> one slice of each file of requests."""
    return {label: lambda port=stack.ports[name], path=path: run_wrk(port, path, clients) for label, path in files.items()}


def row(what, found, name, base="no-op", figure="rate", good="", reach=""):
    return what, ratio(found, name, base, figure), "", good, reach


def compare(build, rounds, long):
    """The targets. Returns the rows and the plot's bars."""
    with usual(build) as stack:
        stack.add_blocking()
        stack.start_nginx()
        files = {"one key": requests_of(stack, keys=1), "64 keys": requests_of(stack, keys=64), "all keys": requests_of(stack),
                 "role": requests_of(stack, kind="role", keys=64), "grants": requests_of(stack, kind="grants", keys=64)}
        if long:
            files.update({kind + ", all": requests_of(stack, kind=kind, keys=1000) for kind in ("role", "grants", "deep", "token")})
            files.update({kind: requests_of(stack, kind=kind, keys=64) for kind in ("deep", "token")})
        all_keys, one_key = files["all keys"], files["one key"]
        scripts = {name: pgbench_script(stack, name, number) for name, number in
                   (("one", "1"), ("all", "random(1, 4000)"))}
        slices = wrk_slices(stack, "ours", files)
        slices.update(wrk_slices(stack, "noop", {"no-op": all_keys, "no-op again": all_keys}))
        slices.update(wrk_slices(stack, "static", {"static": all_keys}))
        slices.update(wrk_slices(stack, "blocking", {"libfcgi": all_keys}))
        slices["pgbench"] = lambda: run_pgbench(stack, scripts["all"])
        if long:
            slices["pgbench, one"] = lambda: run_pgbench(stack, scripts["one"])
            slices["pgbench -c1"] = lambda: run_pgbench(stack, scripts["all"], 1)
            slices.update(wrk_slices(stack, "ours", {"1 client": all_keys}, 1))
            slices.update(wrk_slices(stack, "ours", {"one key, 32": one_key, "all keys, 32": all_keys}, 32))
            slices.update(wrk_slices(stack, "noop", {"no-op, 32": all_keys}, 32))
        wait_idle()
        found = run_rounds(slices, rounds, say)
        rows = target_rows(found, long) + memory_rows(stack, all_keys)
        for kind in ("superuser", "role", "grants", "deep", "token"):
            stack.verify(pairs(kind, keys=64)[:200])
    bars = [(name, interval([figures["rate"] / 1000 for figures in found[name]])) for name in
            ("static", "no-op", "one key", "64 keys", "all keys", "role", "grants", "deep", "token", "pgbench", "libfcgi")
            if name in found]
    return rows, bars


def target_rows(found, long):
    rows = [row("A/A: no-op / no-op again", found, "no-op", "no-op again", reach="touches 1.00"),
            row("ours / no-op, one key", found, "one key", good=0.62, reach=0.69),
            row("the same, 64 keys", found, "64 keys", good=0.55, reach=0.62),
            row("the same, all keys distinct", found, "all keys", good=0.45, reach=0.53),
            row("callers by a role's permission, 64 keys", found, "role", good=0.45, reach=0.58),
            row("callers by object grants only, 64 keys", found, "grants", good=0.40, reach=0.52),
            row("ours / pgbench -c8, all keys", found, "all keys", "pgbench", good=1.05, reach=1.20),
            row("ours / libfcgi, threads, blocking libpq", found, "all keys", "libfcgi", good=3.5, reach=4.5),
            row("no-op / static file", found, "no-op", "static", good=0.52, reach=0.58),
            row("p99 ours / p99 no-op, all keys", found, "all keys", figure="p99", good=1.3, reach=1.0),
            row("CPU a request, ours / no-op, one key", found, "one key", figure="cpu", good=1.60, reach=1.45),
            row("the same, all keys", found, "all keys", figure="cpu", good=2.0, reach=1.8)]
    if long:
        rows += [row("callers by a role, 1,000 keys", found, "role, all"),
                 row("callers by grants, 1,000 keys", found, "grants, all"),
                 row("superusers by a group 10 levels up, 64 keys", found, "deep"),
                 row("the same, 1,000 keys", found, "deep, all"),
                 row("access tokens, 64 keys", found, "token"), row("the same, 1,000 tokens", found, "token, all"),
                 row("ours / no-op, 32 clients, one key", found, "one key, 32", "no-op, 32", good=0.54, reach=0.62),
                 row("the same, all keys distinct", found, "all keys, 32", "no-op, 32", good=0.40, reach=0.48),
                 row("ours / pgbench -c8, one key", found, "one key", "pgbench, one", good=1.20, reach=1.35),
                 row("ours at 1 client / pgbench -c1", found, "1 client", "pgbench -c1", good=0.50, reach=0.65)]
    for what, name, figure, scale in (("requests a second, all keys", "all keys", "rate", 1),
                                      ("CPU a request, all keys, µs", "all keys", "cpu", 1),
                                      ("CPU a request, no-op, µs", "no-op", "cpu", 1),
                                      ("p50, all keys, ms", "all keys", "p50", 1000), ("p99, all keys, ms", "all keys", "p99", 1000),
                                      ("p50, no-op, ms", "no-op", "p50", 1000), ("p99, no-op, ms", "no-op", "p99", 1000)):
        rows.append((what, interval([figures[figure] / scale for figures in found[name]]), "", "", ""))
    return rows


def memory_rows(stack, requests):
    """PSS under load: of the worker, and of PostgreSQL's two processes that serve it."""
    worker = stack.pool.worker_pids()[0]
    backends = [pid for pid, in stack.postgres.run("select pid from pg_stat_activity where usename = 'event_matcher'")]
    wrk = start_wrk(stack.ports["ours"], requests, 64, 3)
    time.sleep(1.5)  # in the middle of the load
    found = memory(worker) / 1024, sum(memory(pid) for pid in backends) / 1024
    end_wrk(wrk, 3)
    return [("memory (PSS) of a worker, 64 busy connections", (found[0],) * 3, " MB", "8 MB", "4 MB"),
            ("memory (PSS) of its two PostgreSQL sessions", (found[1],) * 3, " MB", "", "")]


def shares(build, rounds):
    """Where the CPU goes: what -> who -> microseconds a request, each the median of all rounds."""
    with usual(build) as stack:
        stack.start_nginx()
        files = {"one key": requests_of(stack, keys=1), "all keys": requests_of(stack),
                 "role": requests_of(stack, kind="role", keys=64), "grants": requests_of(stack, kind="grants", keys=64),
                 "token": requests_of(stack, kind="token", keys=64)}
        nginx = children(stack.nginx.pid)
        backends = [pid for pid, in stack.postgres.run("select pid from pg_stat_activity where usename = 'event_matcher'")]
        ours = {"nginx": nginx, "worker": stack.pool.worker_pids(), "PostgreSQL": backends}
        cases = {"static file": ("static", files["one key"], {**ours, "worker": [], "PostgreSQL": []}),
                 "no-op": ("noop", files["one key"], {**ours, "worker": [stack.noop.pid], "PostgreSQL": []})}
        cases.update({name: ("ours", requests, ours) for name, requests in files.items()})
        found = run_rounds({name: lambda port=stack.ports[port], requests=requests, groups=groups: run_shares(port, requests, groups)
                            for name, (port, requests, groups) in cases.items()}, rounds, say)
    return {name: {who: statistics.median(figures[who] for figures in found[name]) for who in found[name][0]} for name in cases}


def clients(build, rounds):
    """How it goes with the number of clients."""
    counts, slices = (1, 8, 32, 64, 256), {}
    with usual(build) as stack:
        stack.start_nginx()
        requests = requests_of(stack)
        for count in counts:
            slices.update(wrk_slices(stack, "ours", {count: requests}, count))
            slices.update(wrk_slices(stack, "noop", {"no-op %d" % count: requests}, count))
        found = run_rounds(slices, rounds, say)
    rows = [row("ours / no-op, %d clients" % count, found, count, "no-op %d" % count) for count in counts]
    return rows + [("requests a second, %d clients" % count, interval([f["rate"] for f in found[count]]), "", "", "")
                   for count in counts]


def workers(build, rounds):
    """How it goes with the number of workers."""
    counts, slices = (1, 2, 4), {}
    with usual(build) as stack:
        for count in counts:
            stack.add_workers("ours%d" % count, count)
        stack.start_nginx()
        files = {"one key": requests_of(stack, keys=1), "all keys": requests_of(stack)}
        for count in counts:
            named = {"%s, %d" % (name, count): path for name, path in files.items()}
            slices.update(wrk_slices(stack, "ours%d" % count, named))
        slices.update(wrk_slices(stack, "noop", {"no-op": files["all keys"]}))
        found = run_rounds(slices, rounds, say)
    return [row("ours / no-op, %s, %d workers" % (name, count), found, "%s, %d" % (name, count))
            for name in files for count in counts]


def against_small(build, rounds, kinds, **sizes):
    """A large directory's share of a small one's throughput, for each kind of caller."""
    slices = {}
    with usual(build) as small, usual(build, **sizes) as grown:
        for name, stack in (("small", small), ("large", grown)):
            stack.start_nginx()
            policies = sizes.get("policies", 10000) if stack is grown else 10000
            files = {name + " " + kind: requests_of(stack, kind=kind, policies=policies, keys=1000) for kind in kinds}
            slices.update(wrk_slices(stack, "ours", files))
        found = run_rounds(slices, rounds, say)
    return {kind: ratio(found, "large " + kind, "small " + kind) for kind in kinds}


def scale(build, rounds):
    """Large directories, each against the small one in the same run."""
    rows = []
    for what, kinds, sizes in (
            ("1,000,000 policies", ("superuser",), {"policies": 1000000}),
            ("1,000,000 access tokens, indexed", ("superuser", "token"), {"tokens": 1000000}),
            ("20,000 groups, 20 deep, 5 a user", ("superuser", "role", "grants", "deep"), {"groups": 20000, "depth": 20}),
            ("20,000 groups, 20 deep, 100 a user", ("superuser", "role", "grants", "deep"),
             {"groups": 20000, "depth": 20, "memberships": 100})):
        say(what)
        for kind, share in against_small(build, rounds, kinds, **sizes).items():
            rows.append(("%s: %s" % (what, kind), share, "", 0.90, 0.97))
    return rows


def connections(build, rounds):
    """10,000 kept connections beside the traffic: throughput, and memory for each."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 2000,) * 2)
    with usual(build) as stack, contextlib.ExitStack() as kept:
        pool = stack.add_workers("kept", idle_timeout="1h")
        stack.start_nginx()
        requests = requests_of(stack)
        before = memory(pool.worker_pids()[0])
        for _ in range(MANY):
            kept.enter_context(socket.socket(socket.AF_UNIX)).connect(str(pool.socket))
        stack.verify(pairs()[:1], "kept")  # it comes after them all
        each = (memory(pool.worker_pids()[0]) - before) / MANY
        slices = {name: lambda port=stack.ports[name]: run_wrk(port, requests) for name in ("ours", "kept")}
        found = run_rounds(slices, rounds, say)
    return [row("10,000 kept connections / none", found, "kept", "ours", good=0.90, reach=0.97),
            ("memory (PSS) of each idle connection", (each,) * 3, " KiB", "8 KiB", "2 KiB")]


def large(build, rounds):
    """Replies of 4 MiB, against a no-op's of the same size."""
    with usual(build, large=LARGE_SIZE) as stack:
        size = len(stack.ask("ours", LARGE, key("superuser", 1)).body)
        assert size > LARGE_SIZE, size
        stack.add_noop("noop-large", size)
        stack.start_nginx()
        requests = stack.write_requests([(LARGE, key("superuser", 1))])
        found = run_rounds({name: lambda port=stack.ports[name]: run_wrk(port, requests, 8) for name in ("ours", "noop-large")},
                           rounds, say)
    return [row("replies of 4 MiB, 8 clients: ours / no-op", found, "ours", "noop-large"),
            ("replies of 4 MiB a second", interval([figures["rate"] for figures in found["ours"]]), "", "", "")]


def share_beside(stack, good, other, refused):
    """What 32 clients get while 32 others ask."""
    both = [start_wrk(stack.ports["ours"], good, 32, 2), start_wrk(stack.ports["ours"], other, 32, 2)]
    mine = end_wrk(both[0], 2)
    return {**mine, "others": end_wrk(both[1], 2, refused)["rate"]}


def layouts(build, rounds):
    """What a request costs PostgreSQL in authentik's newest layout, against the one up to 2025.10."""
    kinds, slices = ("superuser", "role", "grants", "deep"), {}
    with usual(build) as newest, usual(build, layout="tree") as tree:
        for name, stack in (("newest", newest), ("tree", tree)):
            stack.start_nginx()
            files = {kind: requests_of(stack, kind=kind, keys=64) for kind in kinds}
            sessions = "select pid from pg_stat_activity where usename = 'event_matcher'"
            backends = {"PostgreSQL": [pid for pid, in stack.postgres.run(sessions)]}
            slices.update({"%s %s" % (name, kind): lambda port=stack.ports["ours"], path=path, groups=backends: run_shares(port, path, groups)
                           for kind, path in files.items()})
        found = run_rounds(slices, rounds, say)
    return [("PostgreSQL's CPU a request, newest layout / tree: " + kind,
             ratio(found, "newest " + kind, "tree " + kind, "PostgreSQL"), "", 1.1, 1.0) for kind in kinds]


def flood(build, rounds):
    """Good traffic beside as many clients with unknown keys, against the same beside as many good clients."""
    rows = []
    for what, index, good, reach in (("with the index", True, 0.7, 0.9), ("without it", False, 0.4, 0.5)):
        say("a flood " + what)
        with usual(build, tokens=1000000, index=index) as stack:
            stack.start_nginx()
            requests = requests_of(stack)
            unknown = stack.write_requests([(n, "unknown-%d-%s" % (n, key("superuser", n))) for n in range(1, 4001)])
            assert stack.ask("ours", 1, "unknown").status == 403
            found = run_rounds({"fair": lambda: share_beside(stack, requests, requests, False),
                                "flood": lambda: share_beside(stack, requests, unknown, True)}, rounds, say)
        rows += [row("flood of unknown keys, 1,000,000 tokens, %s: share kept" % what, found, "flood", "fair", good=good, reach=reach),
                 ("unknown keys answered a second, " + what, interval([f["others"] for f in found["flood"]]), "", "", "")]
    return rows


FAMILIES = {"clients": (clients, "All keys distinct, one worker."), "workers": (workers, "64 clients."),
            "scale": (scale, "Throughput against the small directory (10,000 policies, 10 groups), 64 clients, 1,000 keys."),
            "layouts": (layouts, "64 clients, 64 keys; CPU of the server's processes."), "connections": (connections, "64 busy clients."), "large": (large, "One policy whose action is 4 MiB long."),
            "flood": (flood, "32 good clients beside 32 that flood, against 32 good ones beside 32 good ones.")}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory, with event-matcher-fcgi, noop, blocking")
    parser.add_argument("--long", action="store_true", help="more rounds, and every family: half an hour instead of two minutes")
    parser.add_argument("--family", choices=["targets", "shares", *FAMILIES], action="append", help="only this; may be repeated")
    parser.add_argument("--rounds", type=int, help="instead of 4, or 15 with --long")
    parser.add_argument("--docs", action="store_true", help="fill the tables and plots into docs/; with --long")
    parser.add_argument("--against", type=pathlib.Path, help="benchmark.json of another run: say which intervals do not overlap")
    options = parser.parse_args()
    missing = [name for name in ("wrk", "gnuplot", "nginx", "pgbench") if not shutil.which(name)]
    if missing:
        parser.error("%s not found; scripts/packages run bench installs it" % ", ".join(missing))
    if options.docs and (options.family or not options.long):
        parser.error("--docs goes with --long and without --family: the pages show all of one run")
    options.rounds = options.rounds or (15 if options.long else 4)
    options.family = options.family or ["targets", *(["shares", *FAMILIES] if options.long else [])]
    return options


# What may not be dumped shows nobody how much memory it has.
os.environ.setdefault("EVENT_MATCHER_SANDBOX", "off")


def main():
    options = parse_options()
    directory = report.ROOT / "docs" if options.docs else options.build
    others = json.loads(options.against.read_text()) if options.against else {}
    sections, rows_of = [], {}
    if "targets" in options.family:
        say("targets")
        rows_of["targets"], bars = compare(options.build, options.rounds, options.long)
        sections.append(report.section("Targets", TARGETS, report.table(rows_of["targets"])))
        report.plot(bars, directory / "benchmark.svg", "64 clients, nginx before all, everything on one machine")
    if "shares" in options.family:
        say("shares")
        found = shares(options.build, options.rounds)
        sections.append(report.section("Shares", "Who spends a request's CPU, 64 clients.", report.share_table(found)))
        report.share_plot(found, directory / "shares.svg")
    for name in options.family:
        if name in FAMILIES:
            say(name)
            measure_family, sentence = FAMILIES[name]
            rows_of[name] = measure_family(options.build, options.rounds)
            sections.append(report.section(name.capitalize(), sentence, report.table(rows_of[name])))
    text = "\n".join(sections)
    print("\n" + text, flush=True)
    (options.build / "benchmark.md").write_text(report.heading() + "\n\n" + text)
    figures = {name: {line[0]: line[1] for line in rows} for name, rows in rows_of.items()}
    (options.build / "benchmark.json").write_text(json.dumps(figures, indent=1))
    if options.docs:
        report.fill(report.ROOT / "docs" / "performance.md", text)
    if others:
        apart, both = report.disagreements(figures, others)
        say("; ".join(["%d of %d intervals overlap with those of %s" % (both - len(apart), both, options.against), *apart]))


if __name__ == "__main__":
    main()
