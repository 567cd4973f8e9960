# SPDX-License-Identifier: MIT
"""The load of the tests of faults: 200 requests a second over 16 kept connections, a tenth of them slow, each body checked."""
import collections
import json
import os
import socket
import subprocess
import threading
import time

import fastcgi
import sample

RATE, CONNECTIONS = 200, 16
SLOW = sample.POLICIES[0]  # sample.intercept lets it sleep

Outcome = collections.namedtuple("Outcome", "sent took status right")


def slow_down(database, seconds=0.05):
    sample.intercept(database, "perform pg_sleep(%s)" % seconds)


class OpenLoop:
    """Asks nginx (a unix socket's path, or a port) from its start to its stop; each request is due at its time, and taken
    by whichever connection is free."""

    def __init__(self, address, expected, seconds=120):
        self.address, self.expected, self.outcomes = address, expected, []
        self.started, self.over, self.next, self.lock = time.monotonic(), threading.Event(), 0, threading.Lock()
        self.last = self.started + seconds
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def take(self):
        with self.lock:
            self.next += 1
            return self.next - 1

    def run(self):
        connection = None
        while not self.over.is_set():
            number = self.take()
            due = self.started + number / RATE
            if due > self.last or self.over.wait(max(0, due - time.monotonic())):
                break
            policy = SLOW if number % 10 == 0 else sample.POLICIES[1 + number % 7]
            connection = self.ask(policy, connection, due)
        if connection:
            connection.close()

    def connect(self):
        if isinstance(self.address, int):
            return socket.create_connection(("127.0.0.1", self.address), 30)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(self.address)
        return connection

    def ask(self, policy, connection, due):
        """The connection if it may be used again."""
        status, right = 0, False
        try:
            connection, status, body = self.exchange(policy, connection)
            right = body == self.expected[policy]
        except (OSError, EOFError, ValueError):
            connection = None
        self.outcomes.append(Outcome(due, time.monotonic() - due, status, status == 200 and right))
        return connection

    def exchange(self, policy, connection):
        """The connection that it took in the end, the status, the body."""
        connection = connection or self.connect()
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                           % (fastcgi.URI.format(policy).encode(), sample.ADMIN.encode()))
        return connection, *self.reply(connection)

    @staticmethod
    def reply(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += more(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])[b"content-length"])
        while len(body) < length:
            body += more(connection)
        return int(head.split()[1]), body

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        return self.outcomes

    def wait_for(self, count):
        """Waits until so many more have been answered."""
        until, deadline = len(self.outcomes) + count, time.monotonic() + 120
        while len(self.outcomes) < until and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.outcomes) >= until, "the load stands still"

    def failed(self):
        return [outcome for outcome in self.outcomes if not outcome.right]


def more(connection):
    data = connection.recv(65536)
    if not data:
        raise EOFError
    return data


def bodies(path):
    """What the workers on that socket answer for each policy, to be compared with."""
    with fastcgi.Connection(path) as connection:
        return {policy: connection.ask(fastcgi.URI.format(policy), sample.ADMIN).body for policy in sample.POLICIES}


class Busy:
    """Two loops that keep two cores busy, where they are asked for."""

    def __init__(self, wanted=True):
        self.wanted, self.loops = wanted, []

    def __enter__(self):
        self.loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * self.wanted)]
        return self

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


def figure(what, value, limit):
    """The figure beside its limit, to be read by people (pytest -s, or the report of EVENT_MATCHER_FIGURES)."""
    line = "%s: %s (limit %s)" % (what, value, limit)
    print(line)
    if os.environ.get("EVENT_MATCHER_FIGURES"):
        with open(os.environ["EVENT_MATCHER_FIGURES"], "a") as report:
            report.write(json.dumps(line) + "\n")
