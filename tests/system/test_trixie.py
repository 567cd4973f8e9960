# SPDX-License-Identifier: MIT
"""The next Debian, 13: its compiler takes the program without a warning, and with its libraries it passes and answers.

Its root takes minutes of network, so this runs by hand: make trixie."""
import os
import re
import shutil
import subprocess

import pytest

import fastcgi
import machine
import servers
import test_build
from sample import ADMIN, URI

WANTED = "EVENT_MATCHER_TRIXIE"
PACKAGES = re.search(r"\[build\]=\"(.*?)\"", (servers.ROOT / "scripts" / "packages").read_text(), re.S).group(1).split()

# In a mount namespace of its own: Criterion finds its tests in /proc, and PostgreSQL's socket and ours are this host's.
ENTER = """
mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; mkdir -p "$0/shared"; mount --bind "$1" "$0/shared"
exec chroot --userspec="$2" "$0" "${@:3}"
"""


def entering(root, shared, user, *command):
    return ["unshare", "--mount", "bash", "-ec", ENTER, str(root), str(shared), user, *map(str, command)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    if os.environ.get(WANTED) != "1":
        pytest.skip("a root of Debian 13 takes minutes of network: make trixie runs this")
    path = machine.debootstrap("trixie", [*PACKAGES, "libcriterion-dev"], tmp_path_factory.mktemp("root") / "trixie")
    test_build.check_out(path / "source")
    yield path
    shutil.rmtree(path)


class Pool(servers.Workers):
    """The program that was built there, with that root's libraries."""

    def __init__(self, root, directory, database):
        servers.Process.__init__(self, entering(root, directory, "nobody:nogroup", "/source/built/event-matcher-fcgi",
                                                "--listen=unix:/shared/trixie.sock", "--workers=1", "--database=" + database),
                                 directory, "trixie", user=None, group=None, extra_groups=None)
        self.count, self.has_database = 1, True
        self.wait_ready(self.is_ready, "the workers")


def test_debian_13_builds_it_without_a_warning_passes_the_unit_tests_and_answers(root, postgres, alone):
    build = "cd /source; autoreconf -i; mkdir built; cd built; ../configure -q --enable-werror; make -s -j2; make -s check"
    result = subprocess.run(entering(root, postgres.directory, "root:root", "sh", "-ec", build), capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    said = result.stdout + result.stderr
    passing = re.search(r"Tested: (\d+) \| Passing: (\d+)", said)
    assert int(passing.group(1)) > 200 and passing.group(1) == passing.group(2), passing.group(0)
    pool = Pool(root, postgres.directory, alone.dsn.replace(str(postgres.directory), "/shared"))
    try:
        reply = fastcgi.ask(str(postgres.directory / "trixie.sock"), URI, ADMIN)
    finally:
        code = pool.stop()
    assert reply.status == 200 and b"default-match-configuration-error" in reply.body and code == 0
