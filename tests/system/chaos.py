# SPDX-License-Identifier: MIT
"""Clients whose every answer is judged, and a random sequence of what may happen to workers, sessions and tables meanwhile."""
import collections
import contextlib
import json
import os
import signal
import threading
import time

import psycopg

import fastcgi
import metrics
import rawhttp
import servers

KEYS = POLICIES = 400
TABLES = ["authentik_policies_policy", "authentik_core_token", "authentik_core_user", "authentik_core_user_groups",
          "authentik_policies_event_matcher_eventmatcherpolicy", "guardian_roleobjectpermission"]
# How many rights: so many that a third of the answers is of each kind.
ROWS = {"authentik_core_user_groups": 150, "authentik_core_user_roles": 200, "authentik_core_group_roles": 20,
        "guardian_roleobjectpermission": 300}
# What a client may be told 503 or 504 for, with the seconds for which it still may once it is over. A request waits a second for its
# database and is over after two: a table that is locked or away, or a backend that is stopped, may last longer than that. So may a
# worker that is stopped until the watchdog finds it, and then its requests are over; a question that is cancelled counts as timed out.
EXCUSES = dict.fromkeys(("lock", "rename", "cancel", "stop_backend", "stop_worker", "hang_worker"), 1)
# A client of the workers themselves has nobody who asks again: what was with a worker that is killed is lost.
KILLS = {"kill_worker": 1, "hang_worker": 1}
LOST = (0, b"")
ROOMS = (0, "16KiB", "4MiB")  # known_answers, one after each reload: none, room for a tenth of what could be known, or for all

Event = collections.namedtuple("Event", "name begins ends")
Answer = collections.namedtuple("Answer", "way question sent answered status body retry")


def fill(world, oracle):
    """400 keys and 400 policies, each with its own text, and rights at random; returns them."""
    world.users = list(range(60000, 60000 + KEYS))
    world.policies = ["cccccccc-0000-4000-8000-%012x" % number for number in range(POLICIES)]
    for number, user in enumerate(world.users):
        world.insert("authentik_core_user", id=user, username="chaos-%d" % user, is_active=number % 20 != 0,
                     type=("internal", "internal_service_account")[number % 10 == 0])
        world.insert("authentik_core_token", key="chaos-key-%d" % number, intent="api", expiring=False, user_id=user)
    for policy in world.policies:
        world.make_policy(policy)
    for table in world.made:
        for _ in range(ROWS.get(table, 1)):
            world.insert(table, **{name: world.value(table, name) for name in world.columns[table] if name not in ("id", "uuid")})
    world.run("analyze")
    oracle.read()
    return ["chaos-key-%d" % number for number in range(KEYS)], world.policies


class Client(threading.Thread):
    """Asks at random, some thirty times a second, over a connection that it keeps; one that is closed is replaced, as nginx does."""

    def __init__(self, way, path, questions, over):
        super().__init__(daemon=True)
        self.way, self.path, self.questions, self.over = way, path, questions, over
        self.answers, self.kept, self.finished = [], None, False
        self.start()

    def run(self):
        for question in self.questions:
            if self.over.wait(0.03):
                break
            sent = time.monotonic()
            status, body, retry = self.ask(question)
            self.answers.append(Answer(self.way, question, sent, time.monotonic(), status, body, retry))
        self.finished = True

    def ask(self, question):
        while True:
            fresh = self.kept is None
            try:
                self.kept = self.kept or (fastcgi if self.way == "directly" else rawhttp).Connection(self.path, 15)
                return self.ask_once(self.kept, question)
            except (OSError, EOFError, ValueError, rawhttp.http.client.HTTPException) as error:
                self.kept.socket.close() if self.kept else None
                self.kept = None
                if fresh or isinstance(error, (TimeoutError, ValueError)):
                    return (*LOST, None)

    def ask_once(self, connection, question):
        key, policy = question
        if self.way == "directly":
            reply = connection.ask(fastcgi.URI.format(policy), key)
            return reply.status, reply.body, reply.headers.get("retry-after")
        reply = connection.ask("GET", fastcgi.URI.format(policy), [("Authorization", "Bearer " + key)])
        return reply.status, reply.content, reply.getheader("Retry-After")


class Chaos:
    """Does one thing after another until its time is up; each is undone before the next one begins."""

    def __init__(self, pool, database, generator):
        self.pool, self.database, self.random, self.events = pool, database, generator, []
        self.actions = [self.terminate, self.cancel, self.stop_backend, self.lock, self.alter, self.rename, self.commit, self.kill_worker,
                        self.stop_worker, self.hang_worker, self.abort, self.reload, self.upgrade]
        self.killed, self.columns, self.known = -9.0, 0, 0

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        with psycopg.connect(self.database.owner_dsn, autocommit=True) as self.owner:
            while time.monotonic() < deadline:
                action, begins = self.random.choice(self.actions), time.monotonic()
                action()
                self.events.append(Event(action.__name__, begins, time.monotonic()))
                time.sleep(self.random.uniform(0.02, 0.3))
        self.count_known()

    def count_known(self):
        """The answers that were known, as far as who counts them is about to go."""
        with contextlib.suppress(OSError, EOFError):
            self.known += metrics.read(metrics.ask(self.pool))["event_matcher_known_answers_total"]

    def pause(self, most):
        time.sleep(self.random.uniform(0.02, most))

    def backends(self, function):
        return self.owner.execute("select %s from pg_stat_activity where usename = 'event_matcher' and datname = current_database()" % function).fetchall()

    def terminate(self):
        self.backends("pg_terminate_backend(pid)")

    def cancel(self):
        self.backends("pg_cancel_backend(pid)")

    @contextlib.contextmanager
    def stopped(self, pids):
        pid = self.random.choice(pids) if pids else None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP) if pid else None
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT) if pid else None

    def stop_backend(self):
        with self.stopped([pid for pid, in self.backends("pid")]):
            self.pause(3)

    def stop_worker(self):
        with self.stopped(self.pool.worker_pids()):
            self.pause(1)

    def lock(self):
        with self.owner.transaction():
            self.owner.execute("lock table %s in access exclusive mode" % self.random.choice(TABLES))
            self.pause(2.5)

    def alter(self):
        self.columns += 1
        table = self.random.choice(TABLES)
        self.owner.execute("alter table %s add column chaos_%d int" % (table, self.columns))
        self.pause(0.3)
        self.owner.execute("alter table %s drop column chaos_%d" % (table, self.columns))

    def rename(self):
        table = self.random.choice(TABLES)
        self.owner.execute("alter table %s rename to gone" % table)
        self.pause(1.5)
        self.owner.execute("alter table gone rename to %s" % table)

    def commit(self):
        """So often that nothing is known for long."""
        for _ in range(self.random.randrange(1, 200)):
            self.owner.execute("update authentik_core_user set username = username where id = %s", [self.random.randrange(60000, 60000 + KEYS)])

    # The pool
    def kill_worker(self):
        """Not so often that a worker is taken for one that dies at each start."""
        if time.monotonic() - self.killed > 2 and self.pool.worker_pids():
            self.killed = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(self.pool.worker_pids()), signal.SIGKILL)

    def hang_worker(self):
        """The watchdog is left to find it, end it and start another; one that drains ends with its drain."""
        workers = self.pool.worker_pids()
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGSTOP)
                servers.wait_until(lambda: not servers.is_there(workers[0]), "the end of the worker that hangs")

    def reload(self):
        self.pool.file.write_text("known_answers = %s\n" % self.random.choice(ROOMS))
        os.kill(self.pool.supervisor(), signal.SIGHUP)

    def upgrade(self):
        before = self.pool.supervisor()
        self.count_known()
        os.kill(before, signal.SIGUSR2)
        servers.wait_until(lambda: self.pool.supervisor() != before, "the upgrade")

    def abort(self):
        for number in range(20):
            with fastcgi.Connection(self.pool.socket) as leaving:
                request = fastcgi.request(fastcgi.parameters(fastcgi.URI.format("cccccccc-0000-4000-8000-%012x" % number),
                                                             headers=[("Authorization", "Bearer chaos-key-%d" % number)]))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    leaving.send(request[:self.random.randrange(len(request))] if number % 3 else request + fastcgi.record(fastcgi.ABORT))


class Verdicts:
    """The answers judged by what is right and by what happened meanwhile."""

    def __init__(self, answers, events, expected):
        self.counts, self.faults = collections.Counter(), []
        for answer in answers:
            kind = self.judge(answer, events, expected(answer.question))
            self.counts[kind] += 1
            if kind not in ("right", "told to come back", "lost with its worker"):
                self.faults.append((kind, answer, [e for e in events if e.begins <= answer.answered and answer.sent <= e.ends + 3]))

    @staticmethod
    def excused(answer, events, excuses):
        return any(event.begins <= answer.answered and answer.sent <= event.ends + excuses[event.name]
                   for event in events if event.name in excuses)

    def judge(self, answer, events, expected):
        if answer.status == expected[0] and list(json.loads(answer.body).items()) == list(expected[1].items()):
            return "right"
        if answer.status in (503, 504):
            if answer.status == 503 and answer.retry is None:
                return "503 without Retry-After"
            return "told to come back" if self.excused(answer, events, EXCUSES) else "unavailable without a reason"
        if answer.status == 502 and answer.way == "nginx":  # its second try, after a 503, was with a worker that was killed
            both = self.excused(answer, events, EXCUSES) and self.excused(answer, events, KILLS)
            return "lost with its worker" if both else "lost"
        if answer.status == 0:
            excused = answer.way == "directly" and self.excused(answer, events, KILLS)
            return "lost with its worker" if excused else "lost"
        return "wrong"
