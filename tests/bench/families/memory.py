# SPDX-License-Identifier: MIT
"""What a worker with 64 busy connections takes, and what its sessions take of PostgreSQL's machine."""
import time

import callers
from measure import end_wrk, memory, start_wrk
from report import Row, Table
from stack import Stack

SECONDS = 4


def measure(build, rounds, long):
    with Stack(build) as stack:
        # What may not be dumped shows nobody how much memory it has.
        pool = stack.add_workers(workers=1, sandbox="off")
        stack.start_nginx()
        requests = stack.write_requests(callers.pairs(count=40000))  # whatever the worker remembers is full of them
        wrk = start_wrk(stack.ports["ours"], requests, 64, SECONDS)
        time.sleep(SECONDS - 1)  # near the end of the load
        worker, sessions = memory(pool.worker_pids()[0]) / 1024, [memory(pid) / 1024 for pid in stack.sessions()]
        end_wrk(wrk, SECONDS)
    rows = [Row("memory (PSS) of a worker, 64 busy connections", (worker,) * 3, " MB", reach=8, below=True),
            Row("memory (PSS) of its PostgreSQL sessions", (sum(sessions),) * 3, " MB"),
            Row("PostgreSQL sessions of a worker whose callers have API keys", (len(sessions),) * 3, reach=1, below=True)]
    return [Table("Memory", "4,000 keys, 10,000 policies.", 1, rows, [])]
