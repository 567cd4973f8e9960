# SPDX-License-Identifier: MIT
"""What is asked of a pool and done to it by the tests of its life: statuses, what it said, reloads, upgrades."""
import os
import re
import shutil
import signal
import socket
import time

import pytest

import fastcgi
import sample
import servers
from sample import ADMIN, URI

BUSY = pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])


def status(workers):
    return fastcgi.ask(workers.socket, URI, ADMIN).status


def said(workers, text):
    servers.wait_until(lambda: text in workers.log(), "the log to say: " + text)


def configured(start_workers, database, directory, **settings):
    """Workers with a file of settings, to be written anew; it is removed with them."""
    path = directory / ("%d.conf" % time.monotonic_ns())
    path.write_text("workers = 2\n")
    path.chmod(0o644)
    workers = start_workers(database, workers=2, environment={"EVENT_MATCHER_CONFIG": str(path)}, **settings)
    workers.file = path
    return workers


def generation(workers):
    return max(map(int, re.findall(r"generation (\d+) serves", workers.log())), default=1)


def reload(workers):
    before = generation(workers)
    workers.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: generation(workers) > before, "the new generation")


def served(port):
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(sample.request(flags=0))
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(data.split(b"Status: ")[1].split()[0])


def refused(port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def put_in_place(pool, text=None, source=None):
    """Another file under the program's name: a script, or a copy of a program."""
    new = pool.file.with_suffix(".new")
    new.write_text(text) if text else shutil.copy(source, new)
    new.chmod(0o755)
    os.rename(new, pool.file)


def upgrade(pool):
    pool.process.send_signal(signal.SIGUSR2)
    servers.wait_until(lambda: pool.successors(), "the new program to serve")
    return pool.successors()[0]
