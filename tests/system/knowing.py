# SPDX-License-Identifier: MIT
"""Asking a pool, and telling by its metrics whether the answer was a known one."""
import contextlib
import json
import os
import re
import signal

import fastcgi
import servers
from sample import ADMIN, POLICY

COUNT = "event_matcher_known_answers_total"
NAME = "update authentik_policies_policy set name = '%%s' where policy_uuid = '%s'" % POLICY  # what a commit changes


def named(answer):
    """What decides of an answer after NAME."""
    return answer[0], answer[1].get("name")


def text(server, database="postgres"):
    return server.run("select pg_current_snapshot()::text", database)[0][0]


class Asker:
    """A connection to one worker of a pool that nobody else asks, kept until it is closed."""

    def __init__(self, workers):
        self.workers, self.connection = workers, fastcgi.Connection(workers.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.__exit__()

    def send(self, key=ADMIN, policy=POLICY):
        self.connection.send(fastcgi.request(fastcgi.parameters(fastcgi.URI.format(policy), headers=[("Authorization", "Bearer " + key)])))

    def answer(self):
        """The status and the body of the request that was sent."""
        reply = self.connection.reply()
        return reply.status, json.loads(reply.body)

    def ask(self, key=ADMIN, policy=POLICY):
        self.send(key, policy)
        return self.answer()

    def metric(self, name):
        page = self.connection.ask("/-/metrics/").body.decode()
        return int(re.search("^%s (\\d+)$" % re.escape(name), page, re.M).group(1))

    def state(self, name):
        return self.metric('event_matcher_known_answers_state{state="%s"}' % name) == 1

    def count(self):
        return self.metric(COUNT)

    def ask_and_tell(self, key=ADMIN, policy=POLICY):
        """The answer, and whether it was known."""
        before = self.count()
        answer = self.ask(key, policy)
        return answer, self.count() - before == 1

    def known(self, key=ADMIN, policy=POLICY):
        """Asks until the answer is a known one, and returns that."""
        answers = []

        def is_known():
            answer, known = self.ask_and_tell(key, policy)
            answers.append(answer)
            return known

        servers.wait_until(is_known, "an answer that is known: %s" % self.workers.log()[-500:])
        return answers[-1]

    def never_known(self, times=20, key=ADMIN, policy=POLICY):
        """Asks so often, and returns the last answer."""
        told = [self.ask_and_tell(key, policy) for _ in range(times)]
        assert not any(known for _, known in told), told
        return told[-1][0]


@contextlib.contextmanager
def standing_still(pid):
    os.kill(pid, signal.SIGSTOP)
    servers.wait_until(lambda: open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] == "T", "the process to stand still")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def one_of_each(workers):
    """An asker for each worker: while all others stand still, one takes the connection."""
    askers = []
    for pid in workers.worker_pids():
        with contextlib.ExitStack() as stack:
            for other in workers.worker_pids():
                if other != pid:
                    stack.enter_context(standing_still(other))
            askers.append(Asker(workers))
            askers[-1].count()  # it is accepted
    return askers
