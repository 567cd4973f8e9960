# SPDX-License-Identifier: MIT
"""Measures: one slice of load, who was busy meanwhile, memory; rounds of slices; medians with bootstrap intervals."""
import json
import os
import random
import resource
import statistics
import subprocess
import time

from stack import HERE, servers

CPUS = os.cpu_count()
CLIENTS = (1, 8, 64)
RATES = (5000, 2500, 1000, 500)  # requests a second to be offered: the first that the machine can


def say(text):
    print("bench: " + text, flush=True)


def busy():
    """Seconds of CPU that the machine has spent, all cores together."""
    fields = [int(number) for number in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """PSS of a process in KiB: its own pages, and its share of the shared ones."""
    rollup = subprocess.run(["cat", "/proc/%d/smaps_rollup" % pid], check=True, capture_output=True, text=True, **servers.unprivileged())
    for line in rollup.stdout.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError("no Pss of %d" % pid)


def times(pid):
    """Ticks of CPU that a process has spent, and those of its children that have ended."""
    fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def ticks_of(root):
    """Of a process and all its children; None: one has ended meanwhile."""
    (own, ended), listed = times(root), open("/proc/{0}/task/{0}/children".format(root)).read().split()
    try:
        alive = sum(times(int(child))[0] for child in listed)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return own + ended + alive if times(root)[1] == ended else None


def spent(root):
    """Seconds of CPU that a process has spent, with all its children, those that have ended too."""
    ticks = None
    while ticks is None:
        ticks = ticks_of(root)
    return ticks / os.sysconf("SC_CLK_TCK")


def spent_by_clients():
    """The same of all that this program started and has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Meter:
    """Who spends how much CPU while it is entered; components: name -> the process at the root of each, if any."""

    def __init__(self, components):
        self.components = components

    def look(self):
        return {**{name: spent(root) if root else 0 for name, root in self.components.items()}, "client": spent_by_clients()}, busy()

    def __enter__(self):
        self.before = self.look()
        return self

    def __exit__(self, *_):
        (before, idle), (now, after) = self.before, self.look()
        self.seconds = {name: now[name] - before[name] for name in now}
        self.seconds["all"] = sum(self.seconds.values())
        self.seconds["else"] = max(0, after - idle - self.seconds["all"])

    def a_request(self, requests):
        """Microseconds of each; all is what those named have spent, else what the machine did besides."""
        return {name: seconds / requests * 1e6 for name, seconds in self.seconds.items()}


def start_wrk(port, requests, clients, seconds):
    threads = 1 if clients < 8 else 2
    return subprocess.Popen(["wrk", "-t", str(threads), "-c", str(clients), "-d", "%ds" % seconds, "--timeout", "10s", "-s",
                             str(HERE / "requests.lua"), "http://127.0.0.1:%d" % port], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, "WRK_REQUESTS": str(requests)})


def end_wrk(wrk, seconds, refused=False):
    """What wrk found. Fails on any socket error and on any status but 200, or, where refused, on any that is none of 4xx."""
    output, errors = wrk.communicate(timeout=seconds + 60)
    assert wrk.returncode == 0, errors
    figures = json.loads(output.splitlines()[-1])
    assert figures["requests"] > 0 and figures["socket_errors"] == 0, figures
    assert figures["statuses"] == (figures["requests"] if refused else 0), "wrong answers: %s" % figures
    return {"rate": figures["requests"] / figures["seconds"], "p50": figures["p50"], "p99": figures["p99"],
            "requests": figures["requests"]}


def run_wrk(stack, name, requests, clients=64, seconds=1):
    """One slice of as much load as so many clients bring about."""
    with Meter(stack.components(name)) as meter:
        figures = end_wrk(start_wrk(stack.ports[name], requests, clients, seconds), seconds)
    return {**figures, **meter.a_request(figures["requests"])}


def run_paced(stack, name, requests, rate, seconds=1):
    """One slice of so many requests a second from 64 clients; each answer names its policy, where there is one."""
    constant = ["any"] * (name in ("static", "noop"))
    command = [stack.program("paced"), stack.ports[name], requests, 64, rate, seconds, *constant]
    with Meter(stack.components(name)) as meter:
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 60)
    assert result.returncode == 0, "%s: %s" % (name, result.stderr)
    figures = json.loads(result.stdout)
    return {**figures, "rate": figures["requests"] / figures["seconds"], **meter.a_request(figures["requests"])}


def rate_of(stack, requests):
    """The highest of RATES at which ours falls less than 5 % behind."""
    for rate in RATES[:-1]:
        if run_paced(stack, "ours", requests, rate)["rate"] >= 0.95 * rate:
            return rate
    return RATES[-1]


def run_rounds(groups, rounds):
    """Runs every slice once a round, those that are compared with each other, a group, one after the other, else in random
    order. Returns name -> the figures of each round; groups: of name -> what runs a slice."""
    found = {name: [] for group in groups for name in group}
    for group in groups:
        for run in group.values():
            run()  # warm
    for number in range(rounds):
        say("round %d of %d" % (number + 1, rounds))
        for group in random.sample(groups, len(groups)):
            for name in random.sample(list(group), len(group)):
                found[name].append(group[name]())
    return found


def interval(values, draws=2000):
    """The median and its bootstrap 95 % interval."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), medians[draws // 40], medians[-draws // 40 - 1]


def ratio(found, name, base, figure="rate"):
    """The median of name's share of base, round by round, and its interval."""
    return interval([mine[figure] / its[figure] for mine, its in zip(found[name], found[base])])


def median_of(found, name, figure="rate", scale=1):
    """The median of a figure itself, and its interval."""
    return interval([figures[figure] / scale for figures in found[name]])


def wait_idle(seconds=0.2):
    """Waits until the machine is idle enough to be measured, at most half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = busy()
        time.sleep(seconds)
        if busy() - before < 0.1 * seconds * CPUS:
            return
