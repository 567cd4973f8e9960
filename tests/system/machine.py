# SPDX-License-Identifier: MIT
"""A bare Debian of debootstrap's, and systemd as the first process of one: namespaces of its own, the host's kernel."""
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import servers

NUMBERS = itertools.count()

# What a container's manager does before it starts its first process: mounts, devices, and nothing of the host's to write to.
BOOT = r"""
set -e
lower=$1 upper=$2 root=$3 run=$4 postgres=$5
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper/upper,workdir=$upper/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind "$run" "$root/run"
if [ -n "$postgres" ]; then mkdir -p "$root/run/postgresql"; mount --bind "$postgres" "$root/run/postgresql"; fi
mount -t tmpfs tmpfs "$root/dev"
for name in null zero full random urandom tty; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
cd "$root"
mkdir -p mnt/host
pivot_root . mnt/host
umount -l /mnt/host
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""


def commands(document, heading):
    """What is typed in a section of a document, a text for each of its blocks."""
    section = (servers.ROOT / "docs" / document).read_text().split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M)


def debootstrap(suite, packages, path):
    """A root with these packages, made by root from Debian's own; without them the test is skipped, with the reason."""
    if os.getuid() != 0:
        pytest.skip("debootstrap takes root")
    result = subprocess.run(["eatmydata", "debootstrap", "--variant=minbase", "--include=" + ",".join(packages), suite, path],
                            capture_output=True, text=True)
    if result.returncode:
        pytest.skip("no root of %s can be made: %s" % (suite, (result.stdout + result.stderr).strip()[-300:]))
    return path


def cgroup():
    """A control group for one machine, of the unified hierarchy, wherever the host has it."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    unified = next((pathlib.Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if unified is None:
        pytest.skip("systemd cannot be started: this host has no cgroup2")
    group = unified / ("em-machine-%d-%d" % (os.getpid(), next(NUMBERS)))
    group.mkdir()
    return group


class Machine(servers.Process):
    """Boots a root; what it changes is thrown away. run is its /run as this host sees it, run("command") runs in it."""

    end_signal = signal.SIGKILL
    expected_code = -signal.SIGKILL

    def __init__(self, directory, root, postgres=None):
        self.group, self.run_path = cgroup(), directory / "run"
        for name in ("upper", "work", "root", "run"):
            (directory / name).mkdir()
        # Whoever kills the tests kills it too.
        arguments = ["setpriv", "--pdeathsig=KILL", "unshare", "--kill-child", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                     "--fork", "--propagation=private", "--", "bash", "-c", BOOT, "boot", root, directory, directory / "root",
                     self.run_path, postgres.directory if postgres else ""]
        super().__init__(arguments, directory, "machine", user=None, group=None, extra_groups=None, preexec_fn=self.enter)
        try:
            self.wait_ready(lambda: self.state() in ("running", "degraded"), "systemd")
        except AssertionError:
            self.stop_itself(None)
            raise

    def enter(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def first(self):
        """Process 1 of the machine, as this host numbers it."""
        return int(pathlib.Path("/proc/{0}/task/{0}/children".format(self.pid)).read_text().split()[0])

    def state(self):
        try:
            return self.run("systemctl is-system-running", check=False).stdout.strip()
        except (IndexError, FileNotFoundError):
            return ""

    def run(self, command, check=True):
        """A shell's command in the machine, as its root types it."""
        result = subprocess.run(["nsenter", "-t", str(self.first()), "-a", "sh", "-ec", command], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=120, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                                                            "DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"})
        assert result.returncode == 0 or not check, "%s: %s" % (command, result.stdout + result.stderr)
        return result

    def show(self, unit, name):
        return self.run("systemctl show --value -p %s %s" % (name, unit)).stdout.strip()

    def stop_itself(self, number):
        self.process.kill()
        code = self.process.wait(60)
        servers.wait_until(lambda: "populated 0" in (self.group / "cgroup.events").read_text(), "the end of its processes")
        for path in sorted(self.group.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
        self.group.rmdir()
        return code
