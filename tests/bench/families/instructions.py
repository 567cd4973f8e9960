# SPDX-License-Identifier: MIT
"""What a question costs PostgreSQL, counted in instructions and not timed: the figures of tests/system/test_question_cost.py."""
import os
import re
import subprocess
import sys

from report import Row, Table
from stack import servers, SYSTEM

# How a question is asked, by a word of the test's, and how many a batch has: the most instructions that it is to take.
REACH = {("full", 1): 360000, ("full", 4): 150000, ("full", 16): 92000, ("known", 1): 40000, ("known", 16): 4000}
FIGURE = re.compile(r"^(instructions of the server a question .*?(full|known).*?(\d+) a batch): (\S+) \(at most", re.M)


def measure(build, rounds, long):
    result = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", SYSTEM / "test_question_cost.py"],
                            env={**os.environ, "EVENT_MATCHER_FCGI": str(build.resolve() / "event-matcher-fcgi")}, cwd=servers.ROOT,
                            capture_output=True, text=True)
    found = FIGURE.findall(result.stdout)
    assert result.returncode == 0 and found, result.stdout[-2000:]
    rows = [Row(what, (float(value),) * 3, reach=REACH.get((state, int(size))), below=True) for what, state, size, value in sorted(found, key=lambda line: (line[1], int(line[2])))]
    return [Table("Instructions", "Counted by valgrind, in PostgreSQL's process for one session: the same on each machine.", 1, rows, [])]
