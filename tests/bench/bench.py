#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The benchmark: starts everything itself, compares within one run, and fails on any wrong answer. See --help."""
import argparse
import dataclasses
import importlib
import json
import pathlib
import shutil
import time

import documents
import report
from measure import say

# Each is a file of families/, with its rounds in a long run.
FAMILIES = {"throughput": 18, "cost": 10, "peer": 18, "commits": 8, "workers": 8, "scale": 7, "connections": 8, "flood": 6,
            "layouts": 6, "large": 6}
ONCE = ("memory", "instructions")  # those that are counted once
SHORT, SHORT_ROUNDS = ("throughput", "cost"), 3


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory, with event-matcher-fcgi, noop, blocking, paced")
    parser.add_argument("--long", action="store_true", help="more rounds, and every family: half an hour instead of two minutes")
    parser.add_argument("--family", choices=[*FAMILIES, *ONCE], action="append", help="only this; may be repeated")
    parser.add_argument("--rounds", type=int, help="instead of %d, or what each family has with --long" % SHORT_ROUNDS)
    parser.add_argument("--docs", action="store_true", help="fill the tables and plots into docs/, and the README's figures; with --long")
    parser.add_argument("--against", type=pathlib.Path, help="benchmark.json of another run: say which intervals do not overlap")
    options = parser.parse_args()
    missing = [name for name in ("wrk", "gnuplot", "nginx", "pgbench") if not shutil.which(name)]
    if missing:
        parser.error("%s not found; scripts/packages run bench installs it" % ", ".join(missing))
    if options.docs and (options.family or not options.long):
        parser.error("--docs goes with --long and without --family: the pages show all of one run")
    options.family = options.family or ([*FAMILIES, *ONCE] if options.long else SHORT)
    return options


def rounds_of(options, name):
    return 1 if name in ONCE else options.rounds or (FAMILIES[name] if options.long else SHORT_ROUNDS)


def measure(options):
    """The tables of every family."""
    tables = []
    for name in options.family:
        began = time.monotonic()
        say(name)
        family = importlib.import_module("families." + name)
        tables += family.measure(options.build, rounds_of(options, name), options.family is not SHORT)
        say("%s took %d s" % (name, time.monotonic() - began))
    return tables


def rounds_text(options):
    counts = sorted({rounds_of(options, name) for name in options.family})
    return "rounds: %d" % counts[0] if len(counts) == 1 else "rounds: %d to %d" % (counts[0], counts[-1])


def main():
    options = parse_options()
    others = json.loads(options.against.read_text())["tables"] if options.against else []
    tables = measure(options)
    head = report.heading(rounds_text(options))
    text = report.page(head, tables)
    print("\n" + text, flush=True)
    (options.build / "benchmark.md").write_text(text)
    stored = json.dumps({"heading": head, "tables": [dataclasses.asdict(table) for table in tables]}, indent=1)
    for directory in [options.build] + [report.ROOT / "docs"] * options.docs:
        (directory / "benchmark.json").write_text(stored + "\n")
        report.plot(tables, directory)
    if options.docs:
        documents.fill(text, tables)
    if others:
        apart, both = report.disagreements(tables, report.tables_of(others))
        say("; ".join(["%d of %d intervals overlap with those of %s" % (both - len(apart), both, options.against), *apart]))


if __name__ == "__main__":
    main()
