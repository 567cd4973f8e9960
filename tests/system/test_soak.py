# SPDX-License-Identifier: MIT
"""The soak run of tests/soak, shortened: it does what it says, and sees what grows, what fails and what is left open."""
import re
import subprocess
import sys

import pytest

import servers
from openloop import Outcome

sys.path.insert(0, str(servers.ROOT / "tests" / "soak"))
from soak import Sample, judge  # noqa: E402

LIMIT = 1


def samples(grows=0.0, opened=0):
    """Half an hour of a worker and its supervisor, one of 10 MiB that grows by so much an hour, a descriptor opened at the end."""
    return [Sample(at, role, 10 + grows * at / 3600, 11 + opened * (at > 1700), 8) for at in range(0, 1800, 10) for role in ("supervisor", "worker")]


ANSWERED = [Outcome(0, 0.001, 200, True)] * 100


def test_what_is_flat_is_without_fault():
    assert judge(samples(), ANSWERED, LIMIT) == [] and judge(samples(grows=0.9), ANSWERED, LIMIT) == []


@pytest.mark.parametrize("found, outcomes, fault", [
    (samples(grows=1.1), ANSWERED, "worker: grows by 1.100 MiB/h"), (samples(opened=1), ANSWERED, "worker: its descriptors are not constant"),
    (samples(), ANSWERED + [Outcome(0, 0.001, 200, False)], "1 of 101 requests failed"), (samples(), [], "0 of 0 requests failed"),
    ([], ANSWERED, "worker: 0 samples only")])
def test_what_grows_stays_open_or_fails_is_a_fault(found, outcomes, fault):
    assert any(text.startswith(fault) for text in judge(found, outcomes, LIMIT))


def test_a_short_soak_loses_nothing_and_leaves_nothing_open(plain, figure):
    """Too short for a slope: the first of what a process keeps would be much an hour."""
    result = subprocess.run([servers.ROOT / "tests" / "soak" / "soak.py", "--program", plain, "--seconds=15", "--reload=3", "--upgrade=7",
                             "--sample=0.5", "--settled=1", "--slope=1000"], capture_output=True, text=True, timeout=300)
    print(result.stdout, result.stderr)
    assert result.returncode == 0 and result.stdout.endswith("soak: nothing failed, nothing grew\n")
    changes = re.search(r"15 s; (\d+) reloads, (\d+) upgrades", result.stdout)
    assert int(changes[1]) >= 2 and int(changes[2]) >= 1
    failed, total = map(int, re.search(r"failed: (\d+) of (\d+)", result.stdout).groups())
    assert total > 1000
    figure("a short soak of %d requests, failed" % total, failed, 0)
