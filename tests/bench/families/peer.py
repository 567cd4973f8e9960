# SPDX-License-Identifier: MIT
"""Against the same service in Rust: axum and tokio-postgres behind the same nginx, with one statement a request and with batches."""
import pathlib
import shutil
import subprocess

import callers
from measure import CLIENTS, ratio, run_rounds, run_wrk, say
from report import clients_text, Row, Table
from stack import HERE, usual

NAMES = {"scalar": "axum, one statement", "batch": "axum, batches"}
MODES = tuple(NAMES)
REACH = {"scalar": {1: 1.8, 8: 2.0, 64: 3.0}, "batch": {1: 1.5, 8: 1.5, 64: 1.5}}


def program(build):
    """The Rust service's path in the build directory, built if need be; None where it cannot be, which is said."""
    cargo = shutil.which("cargo")
    if not cargo:
        say("the Rust service is left out: there is no cargo")
        return None
    source, target = HERE / "peer", pathlib.Path(build).resolve() / "peer"
    shutil.copytree(source, target / "source", dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    result = subprocess.run([cargo, "build", "--release", "--target-dir", target], cwd=target / "source", capture_output=True, text=True)
    if result.returncode:
        say("the Rust service is left out: cargo cannot build it: %s" % (result.stderr.strip() or "?").splitlines()[-1])
        return None
    return pathlib.Path("peer/release/peer")


def add_all(stack, path):
    """Both ways of it beside ours; their answers have been compared with ours, byte for byte."""
    for mode in MODES:
        stack.add_peer(mode, path)
        checked = [*callers.directory(400), *callers.unknown(5), (callers.LARGE, callers.key("superuser", 1))]
        checked += [pair for kind in ("superuser", "role", "grants", "deep") for pair in callers.pairs(kind, keys=64)[:100]]
        stack.verify_same(checked, mode)


def measure(build, rounds, long):
    path = program(build)
    if not path:
        return []
    with usual(build) as stack:
        add_all(stack, path)
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        groups = [{"%s %d" % (name, n): lambda name=name, n=n: run_wrk(stack, name, directory, n) for name in ("ours", "twin", *MODES)}
                  for n in CLIENTS]
        found = run_rounds(groups, rounds)
    rows = [Row("%s, ours / %s, a real directory, %s" % (what, NAMES[mode], clients_text(n)), ratio(found, "ours %d" % n, "%s %d" % (mode, n), figure),
                reach=REACH[mode][n] if figure == "rate" else None)
            for figure, what in (("rate", "throughput"), ("p99", "p99"), ("all", "CPU a request of all processes")) for mode in MODES for n in CLIENTS]
    same = [(clients_text(n), ratio(found, "ours %d" % n, "twin %d" % n)) for n in CLIENTS]
    return [Table("Rust", "The service has a thread and a session for each of our workers.", stack.workers, rows, same)]
