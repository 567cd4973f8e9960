# SPDX-License-Identifier: MIT
"""The Debian package, by the commands of docs/install.md: built, installed on a bare root under systemd, upgraded, removed."""
import functools
import grp
import os
import re
import shutil
import subprocess

import pytest

import fastcgi
import machine
import openloop
import servers
import test_build
from sample import ADMIN, URI

UNIT = servers.ROOT / "debian" / "event-matcher-fcgi.service"
SETTINGS = "/etc/event-matcher-fcgi.conf"
PASSWORD = "/etc/event-matcher-fcgi.password"


def commands(heading, number=0):
    return machine.commands("install.md", heading)[number]


@pytest.fixture(scope="module")
def authentik(postgres):
    """The sample data in a database of the name that the document says."""
    postgres.run("create database authentik template alone_template")
    yield servers.Database(postgres, "authentik")
    postgres.run("drop database authentik with (force)")


@pytest.fixture(scope="module")
def boot(debian, postgres):
    """Starts machines, and at the end stops those that have come up."""
    directories, machines = [], []

    def start():
        directories.append(servers.make_directory())
        machines.append(machine.Machine(directories[-1], debian, postgres))
        return machines[-1]

    yield start
    for each in machines:
        each.stop()
    for directory in directories:
        shutil.rmtree(directory)


def install(host, package):
    """By the document's line: the package stands beside the folder where it is typed."""
    for old in host.run_path.glob("*.deb"):
        old.unlink()
    shutil.copy(package, host.run_path)
    (host.run_path / "clone").mkdir(exist_ok=True)
    return host.run("cd /run/clone; " + commands("Install").replace("apt install", "apt install -y"))


def configure(host):
    """By the document's lines, with PostgreSQL on 127.0.0.1 and the password's file, which are there by then."""
    host.run("systemd-socket-activate -l 127.0.0.1:5432 /lib/systemd/systemd-socket-proxyd /run/postgresql/.s.PGSQL.5432 >/dev/null 2>&1 & "
             "until grep -q ' 0100007F:1538 ' /proc/net/tcp; do sleep 0.1; done; "
             "install -m 640 -g event-matcher-fcgi /dev/null %s; echo password >%s" % (PASSWORD, PASSWORD))
    host.run(commands("Configure"))


def path_of_socket(host):
    return str(host.run_path / "event-matcher-fcgi" / "event-matcher-fcgi.sock")


def main_pid(host):
    return host.show("event-matcher-fcgi", "MainPID")


def is_ready(host):
    return fastcgi.ask(path_of_socket(host), URI, ADMIN).status == 200


@pytest.fixture(scope="module")
def serving(boot, package, authentik):
    """A machine on which the package is installed and configured as the document says; each test leaves it serving."""
    host = boot()
    install(host, package)
    configure(host)
    servers.wait_until(lambda: is_ready(host), "the first answer")
    return host


def test_lintian_finds_no_error_and_no_warning(built):
    changes, = built.glob("*.changes")
    result = test_build.run(["lintian", "--fail-on=error,warning", "--tag-display-limit=0", changes], built)
    assert result.returncode == 0, result.stdout


def test_systemd_rates_the_service_as_little_exposed(figure):
    result = test_build.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT], servers.ROOT)
    figure("exposure of the service, of 10", float(re.search(r"exposure level for \S+: ([0-9.]+)", result.stdout).group(1)), 1.5)
    assert "Unknown" not in result.stderr, result.stderr


@pytest.mark.parametrize("name", ["upstream.conf", "event-matcher.http.conf"])
def test_nginx_as_shipped_asks_where_systemd_listens(name):
    path, = re.findall("^ListenStream=(.*)$", UNIT.with_suffix(".socket").read_text(), re.M)
    assert set(re.findall(r"server unix:(\S+)", (servers.ROOT / "nginx" / name).read_text())) == {path}


def test_the_package_is_installed_configured_and_answers_by_the_documents_commands(serving):
    reply = fastcgi.ask(path_of_socket(serving), URI, ADMIN)
    assert reply.status == 200 and b"default-match-configuration-error" in reply.body
    assert serving.run("stat -c '%%U %%G %%a' %s" % SETTINGS).stdout == "root event-matcher-fcgi 640\n"
    assert serving.run("stat -c '%U %G %a' /run/event-matcher-fcgi/event-matcher-fcgi.sock").stdout == "root www-data 660\n"
    assert serving.run("systemctl is-enabled event-matcher-fcgi.service event-matcher-fcgi.socket").stdout == "enabled\nenabled\n"


def test_the_running_service_is_in_the_sandbox_of_its_unit_and_in_its_own(serving):
    """Of the main process and of a worker: the user, what it may gain, how many filters it has, what of the host it sees."""
    main = main_pid(serving)
    worker = serving.run("cat /proc/%s/task/%s/children" % (main, main)).stdout.split()[0]
    filters = []
    for pid in (main, worker):
        status = dict(re.findall(r"^(\w+):\s+(.*)$", serving.run("cat /proc/%s/status" % pid).stdout, re.M))
        assert status["CapEff"] == status["CapBnd"] == "0" * 16 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert serving.run("stat -c %%U /proc/%s" % pid).stdout.strip() in ("event-matcher-fcgi", "root")  # root: not dumpable
        assert status["Uid"].split()[0] == serving.run("id -u event-matcher-fcgi").stdout.strip()
        filters.append(int(status["Seccomp_filters"]))
    assert 1 < filters[0] < filters[1]
    assert "ro" in serving.run("nsenter -t %s -m findmnt -n -o OPTIONS /" % main).stdout.split(",")


def over_tcp(host):
    """Is a session with PostgreSQL open over TCP?"""
    return re.search(r" 0100007F:1538 01 ", host.run("cat /proc/net/tcp").stdout)


def test_a_reload_takes_postgresql_over_its_unix_socket(serving):
    """Nothing of the sandbox is in the way of another address family."""
    before = main_pid(serving)
    assert over_tcp(serving)
    serving.run("sed -i s,127.0.0.1,/run/postgresql, %s; systemctl reload event-matcher-fcgi" % SETTINGS)
    servers.wait_until(lambda: not over_tcp(serving), "sessions over the unix socket")
    assert is_ready(serving) and main_pid(serving) == before
    serving.run("sed -i s,/run/postgresql,127.0.0.1, %s; systemctl reload event-matcher-fcgi" % SETTINGS)
    servers.wait_until(lambda: over_tcp(serving), "sessions over TCP again")


def next_version(package, folder):
    """The same package under a higher number."""
    test_build.run(["dpkg-deb", "-R", package, folder / "next"], folder)
    control = folder / "next" / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: (.*)$", r"Version: \1+next", control.read_text(), flags=re.M))
    result = test_build.run(["dpkg-deb", "--root-owner-group", "-b", folder / "next", folder / "event-matcher-fcgi_next.deb"], folder)
    assert result.returncode == 0, result.stderr
    return folder / "event-matcher-fcgi_next.deb"


@pytest.fixture
def load(serving, start_nginx):
    """200 requests a second through nginx as shipped, as the web server's group."""
    nginx = start_nginx(path_of_socket(serving), extra_groups=[grp.getgrnam("www-data").gr_gid])
    loop = openloop.OpenLoop(nginx.socket, openloop.bodies(path_of_socket(serving)))
    yield loop
    loop.stop()


def test_an_upgrade_of_the_package_under_load_loses_no_request(serving, load, package, tmp_path, figure):
    before, version = main_pid(serving), "dpkg-query -W -f '${Version}' event-matcher-fcgi"
    load.wait_for(200)
    install(serving, next_version(package, tmp_path))
    load.wait_for(400)
    outcomes = load.stop()
    assert serving.run(version).stdout.endswith("+next") and main_pid(serving) != before
    figure("requests lost in an upgrade of the package, of %d" % len(outcomes), len(load.failed()), 0)


def test_a_restart_of_the_machines_service_under_load_loses_no_request(serving, load, figure):
    load.wait_for(200)
    for _ in range(3):
        serving.run("systemctl restart event-matcher-fcgi")
        load.wait_for(200)
    outcomes = load.stop()
    figure("requests lost in three restarts of the service, of %d" % len(outcomes), len(load.failed()), 0)


@pytest.fixture
def impatient(serving):
    """The service with a watchdog of two seconds."""
    folder = "/run/systemd/system/event-matcher-fcgi.service.d"
    serving.run("mkdir -p {0}; printf '[Service]\\nWatchdogSec=2s\\n' >{0}/test.conf; systemctl daemon-reload; "
                "systemctl restart event-matcher-fcgi".format(folder))
    yield serving
    serving.run("rm -r %s; systemctl daemon-reload; systemctl restart event-matcher-fcgi" % folder)


def test_an_upgrade_in_place_is_followed_by_systemd_and_lives_on_under_its_watchdog(impatient, load):
    before = main_pid(impatient)
    load.wait_for(200)
    impatient.run(commands("Upgrade", 1))
    servers.wait_until(lambda: main_pid(impatient) != before, "another main process")
    after = main_pid(impatient)
    load.wait_for(1000)  # five seconds and more: twice the watchdog's
    load.stop()
    assert main_pid(impatient) == after and load.failed() == []


def test_a_service_that_is_killed_is_back_and_one_with_a_mistake_in_its_settings_is_not_tried_again(serving):
    before = main_pid(serving)
    serving.run("systemctl kill --signal=SIGKILL event-matcher-fcgi")
    servers.wait_until(lambda: main_pid(serving) not in ("0", before) and is_ready(serving), "the service to be back")
    restarts = serving.show("event-matcher-fcgi", "NRestarts")
    serving.run("echo 'worker = 2' >>%s; systemctl restart event-matcher-fcgi" % SETTINGS, check=False)
    servers.wait_until(lambda: serving.show("event-matcher-fcgi", "ActiveState") == "failed", "the end of the service")
    assert serving.show("event-matcher-fcgi", "ExecMainStatus") == "2" and serving.show("event-matcher-fcgi", "NRestarts") in ("0", restarts)
    assert "worker" in serving.run("journalctl -u event-matcher-fcgi --no-pager -n 5").stdout
    serving.run("sed -i '/^worker = 2/d' %s; systemctl restart event-matcher-fcgi" % SETTINGS)
    servers.wait_until(lambda: is_ready(serving), "the service to be back")


def test_what_comes_while_the_service_is_stopped_by_its_socket_starts_it_again(serving):
    serving.run("systemctl stop event-matcher-fcgi")
    assert is_ready(serving)
    serving.run("systemctl stop event-matcher-fcgi.socket")
    assert serving.show("event-matcher-fcgi", "ActiveState") == "inactive"
    assert serving.show("event-matcher-fcgi", "Result") == "success"
    serving.run("systemctl start event-matcher-fcgi")
    servers.wait_until(lambda: is_ready(serving), "the service to be back")


# What any package leaves: the databases of dpkg and apt, logs; and what systemd notes of the time.
NOT_OURS = r"/(proc|sys|dev|tmp|var/log|var/cache|var/lib/dpkg|var/lib/apt|var/lib/systemd/(timers|catalog|random-seed)|run/(systemd|postgresql|clone|.*\.deb))"


def listing(host):
    """Each file with its owner and mode, and the users."""
    files = host.run("find / -regextype posix-extended -regex '%s.*' -prune -o -printf '%%p %%U:%%G %%m\\n' | sort" % NOT_OURS).stdout
    return {*files.splitlines(), *host.run("getent passwd; getent group; ls /run/systemd/units").stdout.splitlines()}


def test_no_release_changes_the_settings_file_so_that_no_upgrade_asks_about_it(package):
    """It names the database alone: all settings, which are more with each release, stand in another file."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    text = subprocess.run(["tar", "-xO", "." + SETTINGS], input=tar, check=True, capture_output=True).stdout.decode()
    assert text == (servers.ROOT / "debian" / "event-matcher-fcgi.conf").read_text() and re.findall(r"^#?(\w+) =", text, re.M) == ["database", "database_password_file"]


def test_a_package_that_is_removed_and_purged_leaves_nothing(boot, package, authentik):
    host = boot()
    before = listing(host)
    install(host, package)
    configure(host)
    assert len([line for line in listing(host) - before if "event-matcher" in line]) > 40
    remove, purge = commands("Remove").splitlines()
    host.run(remove.replace("apt remove", "apt remove -y"))
    assert host.run("ls /run/event-matcher-fcgi", check=False).returncode == 2 and host.run("ls " + SETTINGS).returncode == 0
    assert host.show("event-matcher-fcgi", "ActiveState") == "inactive"
    install(host, package)
    servers.wait_until(lambda: is_ready(host), "an answer by the settings that have stayed")
    host.run(remove.replace("apt remove", "apt remove -y"))
    host.run(purge.replace("apt purge", "apt purge -y") + "\napt autoremove -y --purge\nrm " + PASSWORD)
    after = listing(host)
    assert (before - after, after - before) == (set(), set())
    assert "event-matcher" not in host.run("ps ax 2>/dev/null || cat /proc/[0-9]*/cmdline").stdout


def test_without_systemd_running_it_is_installed_and_purged_all_the_same(debian, package, tmp_path):
    """In a chroot, as where a container's image is built."""
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", debian, root], check=True)  # others find that one as it was
    shutil.copy(package, root / "tmp" / "event-matcher-fcgi.deb")
    in_root = functools.partial(subprocess.run, capture_output=True, text=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    result = in_root(["chroot", root, "apt-get", "install", "-y", "/tmp/event-matcher-fcgi.deb"])
    said = in_root(["chroot", root, "event-matcher-fcgi", "--version"]).stdout
    purged = in_root(["chroot", root, "dpkg", "--purge", "event-matcher-fcgi"])
    assert result.returncode == 0 and said.startswith("event-matcher-fcgi "), result.stdout + result.stderr
    assert purged.returncode == 0 and "event-matcher" not in (root / "etc" / "passwd").read_text(), purged.stdout + purged.stderr
    shutil.rmtree(root)
