# SPDX-License-Identifier: MIT
"""PostgreSQL's own client: as a measure of what the server gives without HTTP, and as one who commits beside the load."""
import os
import re
import subprocess
import time

from stack import servers, SESSION, STATEMENT

# A caller and a policy at random, of a real directory.
QUESTION = """\\set n random(1, 14)
\\set p random(1, 200)
%s;
"""


def write_question(stack):
    """A script of the statement that the Rust service asks: peer/sql/scalar.sql."""
    permission, = stack.postgres.run("select id from auth_permission where codename = 'view_eventmatcherpolicy'")[0]
    text = STATEMENT
    for name, value in (("$1", "(md5((10000 + :n::int)::text) || '-bench')"), ("$3", str(permission)),
                        ("$2", "('00000000-0000-4000-8000-' || to_char(:p::int, 'FM000000000000'))::uuid")):
        text = text.replace(name, value)
    asked = stack.postgres.run(re.sub(r":[np]\b", "1", text))
    assert len(asked) == 1 and asked[0][:2] == (True, True), asked
    path = stack.directory / "question.pgbench"
    path.write_text(QUESTION % " ".join(text.split()))
    return path


def run_question(stack, script, clients=8, seconds=1):
    """One slice of that statement, prepared, without pipelining."""
    result = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(script),
                             "-h", str(stack.directory), "-U", "postgres", "postgres"],
                            capture_output=True, text=True, env={**os.environ, "PGOPTIONS": SESSION}, timeout=seconds + 60)
    assert result.returncode == 0 and "number of failed transactions: 0 " in result.stdout, result.stderr
    return {"rate": float(re.search(r"tps = ([\d.]+)", result.stdout).group(1))}


class Commits:
    """So many commits a second in another database of the same server, while it is entered; achieved says how many it were."""

    def __init__(self, stack, rate):
        self.stack, self.rate = stack, rate

    def ids(self):
        """The next transaction's id: each commit has taken one."""
        return int(self.stack.postgres.run("select pg_snapshot_xmax(pg_current_snapshot())::text")[0][0])

    def __enter__(self):
        if not self.stack.postgres.run("select from pg_database where datname = 'beside'"):
            self.stack.postgres.run("create database beside")
            self.stack.postgres.run("create table counter with (fillfactor = 20) as select id, 0 as n from generate_series(1, 64) id", "beside")
        script = self.stack.directory / "commit.pgbench"
        script.write_text("\\set id random(1, 64)\nupdate counter set n = n + 1 where id = :id;\n")
        clients = 1 if self.rate < 10 else 4
        self.pgbench = subprocess.Popen(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-R", str(self.rate), "-T", "3600", "-f",
                                         str(script), "-h", str(self.stack.directory), "-U", "postgres", "beside"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first = self.ids()
        servers.wait_until(lambda: self.ids() > first, "the first commit beside the load")
        self.began, self.first = time.monotonic(), self.ids()
        return self

    def __exit__(self, *_):
        assert self.pgbench.poll() is None, "pgbench has ended"
        self.achieved = (self.ids() - self.first) / (time.monotonic() - self.began)
        self.pgbench.terminate()
        self.pgbench.wait(60)
