# SPDX-License-Identifier: MIT
"""10,000 kept connections beside the traffic: throughput, and memory for each."""
import contextlib
import resource
import socket

import callers
from measure import memory, ratio, run_rounds, run_wrk
from report import Row, Table
from stack import usual

MANY = 10000


def connect_many(kept, pool):
    for _ in range(MANY):
        kept.enter_context(socket.socket(socket.AF_UNIX)).connect(str(pool.socket))


def memory_of(pool):
    return sum(map(memory, pool.worker_pids()))


def measure(build, rounds, long):
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 2000,) * 2)
    with usual(build) as stack, contextlib.ExitStack() as kept:
        # What may not be dumped shows nobody how much memory it has.
        pool = stack.add_workers("kept", idle_timeout="1h", sandbox="off")
        stack.start_nginx()
        directory = stack.requests_of(callers.directory())
        before = memory_of(pool)
        connect_many(kept, pool)
        stack.verify(callers.directory(8), "kept")  # it comes after them all
        each = (memory_of(pool) - before) / MANY
        found = run_rounds([{name: lambda name=name: run_wrk(stack, name, directory) for name in ("ours", "twin", "kept")}], rounds)
    rows = [Row("10,000 kept connections / none", ratio(found, "kept", "ours"), reach=0.95),
            Row("memory (PSS) of each idle connection", (each,) * 3, " KiB")]
    return [Table("Connections", "64 clients, a real directory.", stack.workers, rows, [("64 clients", ratio(found, "ours", "twin"))])]
