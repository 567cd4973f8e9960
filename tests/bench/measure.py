# SPDX-License-Identifier: MIT
"""Measures: one slice of wrk or pgbench, the machine's busy time meanwhile, memory; medians with bootstrap intervals."""
import json
import os
import random
import re
import resource
import statistics
import subprocess
import time

from stack import HERE, servers

CPUS = os.cpu_count()


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


def spent(pids):
    """Seconds of CPU that these processes have spent."""
    ticks = 0
    for pid in pids:
        fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def spent_by_children():
    """The same of all that this program started and has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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


def run_wrk(port, requests, clients=64, seconds=1):
    before = busy()
    figures = end_wrk(start_wrk(port, requests, clients, seconds), seconds)
    return {**figures, "cpu": (busy() - before) / figures["requests"] * 1e6}


def run_shares(port, requests, groups, seconds=2):
    """One slice of wrk; who spent how many microseconds on a request: wrk, each group of processes, the rest."""
    before, wrk_before, all_before = {name: spent(pids) for name, pids in groups.items()}, spent_by_children(), busy()
    number = end_wrk(start_wrk(port, requests, 64, seconds), seconds)["requests"]
    shares = {name: spent(pids) - before[name] for name, pids in groups.items()}
    shares["wrk"] = spent_by_children() - wrk_before
    shares["else"] = max(0, busy() - all_before - sum(shares.values()))
    return {name: share / number * 1e6 for name, share in shares.items()}


def run_pgbench(stack, script, clients=8, seconds=1):
    """The same statements, one question a transaction, by PostgreSQL's own client; session settings as ours."""
    session = servers.statement("session") + servers.statement("session_lookup")
    options = "".join(" -c %s=%s" % setting for setting in re.findall(r"\('((?:enable|max_parallel|plan|join|jit)\w*)', '(\w+)'\)", session))
    assert "plan_cache_mode=force_generic_plan" in options and "enable_seqscan=off" in options
    before = busy()
    result = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, CPUS)), "-T",
                             str(seconds), "-f", str(script), "-h", str(stack.directory), "-U", "postgres", "postgres"],
                            capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options}, timeout=seconds + 60)
    assert result.returncode == 0 and "number of failed transactions: 0 " in result.stdout, result.stderr
    number = int(re.search(r"transactions actually processed: (\d+)", result.stdout).group(1))
    rate = float(re.search(r"tps = ([\d.]+)", result.stdout).group(1))
    return {"rate": rate, "cpu": (busy() - before) / number * 1e6}


def run_rounds(slices, rounds, say):
    """Runs every slice once a round, in random order; returns name -> the figures of each round."""
    found = {name: [] for name in slices}
    for run in slices.values():
        run()  # warm
    for number in range(rounds):
        say("round %d of %d" % (number + 1, rounds))
        for name in random.sample(list(slices), len(slices)):
            found[name].append(slices[name]())
    return found


def interval(values, draws=2000):
    """The median and its bootstrap 95 % interval."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), medians[draws // 40], medians[-draws // 40 - 1]


def ratio(found, name, base, figure="rate"):
    """The median of name's share of base, round by round, and its interval."""
    return interval([mine[figure] / its[figure] for mine, its in zip(found[name], found[base])])


def wait_idle(seconds=0.2):
    """Waits until the machine is idle enough to be measured, at most half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = busy()
        time.sleep(seconds)
        if busy() - before < 0.1 * seconds * CPUS:
            return
