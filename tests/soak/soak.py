#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A long load through nginx with reloads and upgrades, to see what grows: memory, descriptors, or answers that are none.

200 requests a second over 16 kept connections, a tenth of them slow, each body checked; a reload a minute, an upgrade in place
each five. Each sample is the memory and the descriptors of every process of the pool. Reloads and upgrades replace processes, so
one process is seen for a minute only: a role (the supervisor, a worker) is followed instead, by the mean of the processes that
have it. What is sampled soon after a change does not count (--settled): there, old processes drain and new ones fill what they
keep. So a leak that survives a generation is seen as well as one within it. nginx's connections come and go with the load: they
are counted beside the other descriptors, which are to be constant."""
import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import openloop  # noqa: E402
import servers  # noqa: E402

MIB, HOUR = 1 << 20, 3600

Sample = collections.namedtuple("Sample", "at role memory descriptors connections")


class Schedule:
    """Says when something is due, once each so many seconds."""

    def __init__(self, every, began):
        self.every, self.next = every, began + every

    def due(self, now):
        if now < self.next:
            return False
        self.next += self.every
        return True


def mean(values):
    return sum(values) / len(values)


def memory(pid):
    """Resident, in MiB."""
    return int(pathlib.Path("/proc/%d/statm" % pid).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def accepted(path):
    """The connections to a unix socket, as /proc shows descriptors."""
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()]
    return {"socket:[%s]" % row[6] for row in rows if row[7:] == [path] and row[5] == "03"}


def descriptors(pid, connections):
    """(those that are its own, the web server's connections)"""
    folder = "/proc/%d/fd" % pid
    names = [os.readlink("%s/%s" % (folder, name)) for name in os.listdir(folder)]
    return sum(name not in connections for name in names), sum(name in connections for name in names)


def look(pool, at):
    """A sample of each role; none while a generation takes another's place."""
    workers, connections = pool.worker_pids(), accepted(pool.socket)
    if len(workers) != pool.count:
        return []
    samples = []
    for role, pids in (("supervisor", [pool.supervisor()]), ("worker", workers)):
        counts = [descriptors(pid, connections) for pid in pids]
        samples.append(Sample(at, role, mean([memory(pid) for pid in pids]), mean([own for own, _ in counts]), sum(of for _, of in counts)))
    return samples


def slope(points):
    """MiB/h by least squares."""
    x, y = mean([at for at, _ in points]), mean([value for _, value in points])
    return sum((at - x) * (value - y) for at, value in points) / sum((at - x) ** 2 for at, _ in points) * HOUR


class Soak:
    """Reloads, upgrades and samples in their turn."""

    def __init__(self, pool, options):
        self.pool, self.options, self.samples, self.changes, self.changed = pool, options, [], collections.Counter(), 0.0

    def run(self):
        began = time.monotonic()
        reload, upgrade, sample = (Schedule(every, began) for every in (self.options.reload, self.options.upgrade, self.options.sample))
        while (now := time.monotonic()) < began + self.options.seconds:
            if upgrade.due(now):
                reload.due(now)  # one change at a time
                self.replace(signal.SIGUSR2, self.pool.supervisor)
            elif reload.due(now):
                self.replace(signal.SIGHUP, lambda: self.pool.log().count(" serves with "))
            elif sample.due(now) and now - self.changed >= self.options.settled:
                self.sample(now - began)
            time.sleep(0.02)

    def replace(self, number, state):
        """Sends the signal, and waits until it has done its work."""
        before = state()
        os.kill(self.pool.supervisor(), number)
        servers.wait_until(lambda: state() != before, "signal %d to do its work" % number)
        self.changes[number] += 1
        self.changed = time.monotonic()

    def sample(self, at):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # of a process that has just ended
            new = look(self.pool, at)
            self.samples += new
            for line in new:
                print("%6.0f s  %-10s  %7.2f MiB, %4.1f descriptors, %3d connections" % line, flush=True)


def judge_role(role, samples, limit):
    """What is wrong with it, as lines; its figures are printed."""
    if len(samples) < 3:
        return ["%s: %d samples only" % (role, len(samples))]
    grows, counts = slope([(sample.at, sample.memory) for sample in samples]), sorted({sample.descriptors for sample in samples})
    print("%s: %d samples, %+.3f MiB/h (limit %s), descriptors %s" % (role, len(samples), grows, limit, counts))
    return (["%s: grows by %.3f MiB/h" % (role, grows)] * (grows >= limit) +
            ["%s: its descriptors are not constant: %s" % (role, counts)] * (len(counts) > 1))


def judge(samples, outcomes, limit):
    """What is wrong, as lines."""
    failed = sum(not outcome.right for outcome in outcomes)
    statuses = collections.Counter(outcome.status for outcome in outcomes)
    print("answers by status: %s; failed: %d of %d" % (dict(statuses), failed, len(outcomes)))
    faults = ["%d of %d requests failed" % (failed, len(outcomes))] * (failed > 0 or not outcomes)
    return faults + [fault for role in ("supervisor", "worker") for fault in judge_role(role, [s for s in samples if s.role == role], limit)]


@contextlib.contextmanager
def stack(program):
    """(the pool, nginx) before a PostgreSQL whose answers take 50 ms for a tenth of the requests."""
    with contextlib.ExitStack() as ends:
        def directory():
            path = servers.make_directory()
            ends.callback(shutil.rmtree, path)
            return path

        def start(kind, *arguments, **settings):
            server = kind(*arguments, **settings)
            ends.callback(server.stop)
            return server

        postgres = start(servers.Postgres, directory())
        for name in ("schema.sql", "sample.sql", "role.sql"):
            postgres.load(ROOT / "sql" / name, "postgres")
        database = servers.Database(postgres, "postgres")
        openloop.slow_down(database)
        home = directory()
        shutil.copy(program, home / "program")
        (home / "program").chmod(0o755)
        pool = start(servers.Workers, home / "program", home, database, workers=2)
        yield pool, start(servers.Nginx, directory(), pool.socket)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "event-matcher-fcgi", help="what is put to the test")
    for name, default, text in (("seconds", 1800, "in all"), ("reload", 60, "between reloads"), ("upgrade", 300, "between upgrades"),
                                ("sample", 10, "between samples"), ("settled", 15, "from a change until samples count")):
        parser.add_argument("--" + name, type=float, default=default, help="seconds %s (%s)" % (text, default))
    parser.add_argument("--slope", type=float, default=1, help="MiB/h that a role grows by less than (1)")
    return parser.parse_args()


def main():
    options = parse()
    with stack(options.program) as (pool, nginx):
        soak = Soak(pool, options)
        load = openloop.OpenLoop(nginx.socket, openloop.bodies(pool.socket), options.seconds + 600)
        soak.run()
        outcomes = load.stop()
    print("%.0f s; %d reloads, %d upgrades" % (options.seconds, soak.changes[signal.SIGHUP], soak.changes[signal.SIGUSR2]))
    faults = judge(soak.samples, outcomes, options.slope)
    print("soak: " + ("; ".join(faults) or "nothing failed, nothing grew"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
