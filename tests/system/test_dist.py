# SPDX-License-Identifier: MIT
"""A release: one version, a tarball that anybody can make again byte by byte, what is in the program, the next Debian."""
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

import conftest
import servers
import test_build

PROGRAM = test_build.PLAIN


def version():
    return re.search(r"^AC_INIT\(\[event-matcher-fcgi\], \[([^]]*)\]\)", (servers.ROOT / "configure.ac").read_text(), re.M).group(1)


def test_the_version_of_configure_ac_is_that_of_the_program_the_changelog_and_the_package():
    changes = re.search(r"^## (\S+)", (servers.ROOT / "CHANGELOG.md").read_text(), re.M).group(1)
    packaged = test_build.run(["dpkg-parsechangelog", "-S", "Version"], servers.ROOT).stdout.strip()
    told = test_build.run([PROGRAM, "--version"], servers.ROOT).stdout.split()[1]
    assert (changes, packaged, told) == (version(), version(), version())


def tarball(folder, mask):
    """The digest of what make dist gives in a clone of its own, for a user of that umask."""
    script = """umask %s; git -c safe.directory='*' clone -q "%s" clone; cd clone; autoreconf -i; mkdir out; cd out
                ../configure -q; make -s dist""" % (mask, servers.ROOT)
    result = test_build.run(["bash", "-ec", script], folder, HOME=str(folder), GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                            GIT_CONFIG_VALUE_0="*")
    assert result.returncode == 0, result.stderr
    return hashlib.sha256((folder / "clone" / "out" / ("event-matcher-fcgi-%s.tar.gz" % version())).read_bytes()).hexdigest()


def test_make_dist_gives_the_same_bytes_in_two_clones_at_two_times(tmp_path):
    """Files of the second clone are made in other seconds, for a user of another umask."""
    (tmp_path / "one").mkdir()
    (tmp_path / "another").mkdir()
    assert tarball(tmp_path / "one", "022") == tarball(tmp_path / "another", "077")


@pytest.fixture(scope="module")
def bill():
    result = test_build.run(["scripts/sbom", PROGRAM], servers.ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_bill_of_materials_names_each_library_that_the_program_links(bill):
    told = json.loads(bill)
    names = {package["SPDXID"]: package["name"] for package in told["packages"]}
    linked = {names[link["relatedSpdxElement"]] for link in told["relationships"] if link["relationshipType"] == "DYNAMIC_LINK"}
    assert linked == {"libc6", "libpq5", "libseccomp2", "libsodium23", "libuuid1", "libuv1", "libyajl2"}
    assert {"libfcgi-dev", "libssl3"} <= set(names.values())
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libpq5"], check=True, capture_output=True, text=True).stdout
    assert [package["versionInfo"] for package in told["packages"] if package["name"] == "libpq5"] == [installed]
    assert test_build.run(["scripts/sbom", PROGRAM], servers.ROOT).stdout == bill


def validate(path, tools):
    return subprocess.run([sys.executable, "-m", "spdx_tools.spdx.clitools.pyspdxtools", "-i", path], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(tools)})


def test_the_bill_of_materials_is_valid_spdx(bill, tmp_path):
    conftest.install("spdx-tools", tmp_path / "tools")
    good, bad = tmp_path / "good.spdx.json", tmp_path / "bad.spdx.json"
    good.write_text(bill)
    bad.write_text(bill.replace('"SPDX-2.3"', '"SPDX-9"').replace("SPDXRef-libpq5", "libpq5", 1))
    result = validate(good, tmp_path / "tools")
    assert result.returncode == 0, result.stderr
    assert validate(bad, tmp_path / "tools").returncode == 1
