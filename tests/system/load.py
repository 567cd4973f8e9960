# SPDX-License-Identifier: MIT
"""An open loop of requests over kept FastCGI connections, and what may be answered while the rules change."""
import asyncio
import collections
import struct
import threading
import time

import fastcgi

RATE = 200
LOST = fastcgi.Reply(b"", 0)

Answer = collections.namedtuple("Answer", "question sent answered reply")
Change = collections.namedtuple("Change", "name begins committed")


class Load(threading.Thread):
    """Asks its questions, pairs of a key and a policy, in turn, RATE a second, however late the answers come."""

    def __init__(self, path, questions):
        super().__init__(daemon=True)
        self.path, self.questions, self.answers = path, list(questions), []
        self.idle, self.ended = [], threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(60)
        assert not self.is_alive(), "some answers never came"

    def run(self):
        asyncio.run(self.ask_all())

    async def ask_all(self):
        started, asked = time.monotonic(), []
        while not self.ended.is_set():
            await asyncio.sleep(max(0, started + len(asked) / RATE - time.monotonic()))
            asked.append(asyncio.create_task(self.ask(self.questions[len(asked) % len(self.questions)])))
        await asyncio.gather(*asked)
        for _, writer in self.idle:
            writer.close()

    async def ask(self, question):
        """A connection that breaks is an answer too: LOST, whose status is 0."""
        sent = time.monotonic()
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_unix_connection(self.path)
            headers = [("Authorization", "Bearer " + question[0])]
            writer.write(fastcgi.request(fastcgi.parameters(fastcgi.URI.format(question[1]), headers=headers)))
            reply = await self.reply(reader)
            self.idle.append((reader, writer))
        except (OSError, EOFError):
            reply = LOST
        self.answers.append(Answer(question, sent, time.monotonic(), reply))

    @staticmethod
    async def reply(reader):
        out, kind = b"", None
        while kind != fastcgi.END:
            _, kind, _, size, padding = struct.unpack(">BBHHBx", await reader.readexactly(8))
            content = await reader.readexactly(size)
            await reader.readexactly(padding)
            out += content if kind == fastcgi.STDOUT else b""
        return fastcgi.Reply(out, content[4])


def stages(answer, changes):
    """The stages that an answer may be of: 0 before the first change, n once n of them were committed.

    A question sent after a commit returned belongs to what that made, an answer that came before a commit began to what
    was before it; in between it may be of either."""
    oldest = sum(change.committed < answer.sent for change in changes)
    newest = sum(change.begins <= answer.answered for change in changes)
    return range(oldest, newest + 1)


class Stage:
    """What became of the answers between a change and the next one."""

    def __init__(self, name, committed):
        self.name, self.committed = name, committed
        self.verdicts, self.wrong, self.unavailable = collections.Counter(), [], 0

    def add(self, verdict, answer):
        self.verdicts[verdict] += 1
        if verdict == "wrong":
            self.wrong.append(answer)
        if verdict == "503" and self.committed:
            self.unavailable = max(self.unavailable, answer.answered - self.committed)

    def line(self):
        counts = tuple(self.verdicts[verdict] for verdict in ("right", "503", "wrong"))
        last = "%.2f s" % self.unavailable if self.unavailable else ""
        return "%-32s %8d %8d %8d %8d %s" % (self.name, sum(counts), *counts, last)


def judge(answers, changes, right):
    """The stages with their answers judged; right(number, answer) says whether an answer is right at a stage."""
    judged = [Stage("(before)", None)] + [Stage(change.name, change.committed) for change in changes]
    for answer in answers:
        possible = stages(answer, changes)
        verdict = "right" if any(right(number, answer) for number in possible) else "wrong"
        judged[possible[-1]].add("503" if answer.reply.status == 503 else verdict, answer)
    return judged


def wrong(judged):
    return [(stage.name, a.question, a.reply.status, a.reply.body) for stage in judged for a in stage.wrong]


def table(judged):
    """A line for each stage, to be read by people."""
    head = "%-32s %8s %8s %8s %8s %s" % ("after", "answers", "right", "503", "wrong", "last 503, from the commit on")
    return "\n".join([head] + [stage.line() for stage in judged])


def unavailable_for(answers, moment, until):
    """For how many seconds after a moment a 503 still came to what was asked after it and before another; 0: none did."""
    return max((a.answered - moment for a in answers if moment < a.sent < until and a.reply.status == 503), default=0)
