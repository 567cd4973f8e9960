# SPDX-License-Identifier: MIT
"""What a stranger does first: build, install, distribute, run the demo; and no leak under valgrind."""
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import fastcgi
import sample
import servers
from sample import ADMIN, ASKED, MIXED, URI, batch

PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"


def run(arguments, directory, **environment):
    return subprocess.run([str(a) for a in arguments], cwd=directory, capture_output=True, text=True, timeout=900,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})


def check_out(path):
    """A copy of what git tracks, as a stranger's clone has it."""
    files = subprocess.run(["git", "-c", "safe.directory=*", "ls-files"], cwd=servers.ROOT, check=True, capture_output=True, text=True).stdout
    for name in files.splitlines():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(servers.ROOT / name, path / name)
    return path


@pytest.fixture
def checkout(tmp_path):
    return check_out(tmp_path)


@pytest.fixture(scope="module")
def configure(tmp_path_factory):
    """The configure of a checkout that those share who only configure, each in a directory of its own."""
    path = check_out(tmp_path_factory.mktemp("checkout"))
    assert run(["autoreconf", "-i"], path).returncode == 0
    return path / "configure"


def pkg_config_without(library, directory):
    """A pkg-config that does not know the one library."""
    path = directory / "pkg-config"
    path.write_text('#!/bin/sh\ncase " $* " in *" %s "*) exit 1;; esac\nexec /usr/bin/pkg-config "$@"\n' % library)
    path.chmod(0o755)
    return str(path)


def test_make_install_puts_everything_below_destdir(tmp_path):
    result = run(["make", "install", "DESTDIR=%s" % tmp_path], servers.ROOT / "build")
    assert result.returncode == 0, result.stderr
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("share/doc/event-matcher-fcgi/docs/performance.md", "sbin/event-matcher-fcgi", "share/man/man8/event-matcher-fcgi.8",
                 "share/man/man5/event-matcher-fcgi.conf.5", "share/event-matcher-fcgi/event-matcher-fcgi.conf", "share/event-matcher-fcgi/sql/role.sql",
                 "share/event-matcher-fcgi/nginx/nginx.conf"):
        assert "usr/local/" + name in installed


def test_the_build_warns_of_nothing(checkout):
    assert run(["scripts/build", "built", "--enable-werror"], checkout).returncode == 0
    result = run(["make", "clean", "all"], checkout / "built")
    assert result.returncode == 0 and result.stderr == ""


def test_make_distcheck_builds_from_the_tarball_alone(checkout):
    assert run(["autoreconf", "-i"], checkout).returncode == 0
    assert run(["./configure", "-q"], checkout).returncode == 0
    result = run(["make", "distcheck"], checkout)
    assert "ready for distribution" in result.stdout, result.stdout[-2000:] + result.stderr[-2000:]


@pytest.mark.parametrize("library, package", [("fcgi", "libfcgi-dev"), ("yajl", "libyajl-dev"), ("libpq", "libpq-dev"),
                                              ("uuid", "uuid-dev"), ("libuv", "libuv1-dev"), ("libseccomp", "libseccomp-dev"),
                                              ("libsodium", "libsodium-dev")])
def test_a_missing_library_is_named_with_its_debian_package(configure, tmp_path, library, package):
    result = run([configure, "-q"], tmp_path, PKG_CONFIG=pkg_config_without(library, tmp_path))
    assert result.returncode != 0 and "is missing: apt install " + package in result.stderr


def test_the_demo_shows_an_answer_and_leaves_nothing_behind():
    result = run(["scripts/demo", "--once", "--port=18080"], servers.ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    directory, = re.findall(r"PostgreSQL in (\S+)$", result.stdout, re.M)
    assert '"name":"default-match-configuration-error"' in result.stdout and not os.path.exists(directory)
    assert r'"query":"context.message ~ \"provider\""' in result.stdout


def test_the_demo_takes_the_next_port_where_one_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(["scripts/demo", "--once", "--port=%d" % port], servers.ROOT)
    assert result.returncode == 0 and "port %d is taken" % port in result.stdout


def test_the_demo_runs_with_the_path_of_an_ordinary_user():
    path = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
    result = run(["scripts/demo", "--once", "--port=18280"], servers.ROOT, PATH=path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("port", ["", "0", "70000", "abc", "8080x"])
def test_a_port_that_is_none_is_refused_at_once(port):
    result = run(["scripts/demo", "--once", "--port=" + port], servers.ROOT)
    assert result.returncode == 2 and result.stdout == "" and "--port is to be a number" in result.stderr


def test_the_build_is_configured_anew_for_other_arguments_and_keeps_them_for_none(checkout):
    for arguments, werror in (([], False), (["--enable-werror", "CFLAGS=-O0"], True), ([], True)):
        result = run(["scripts/build", "built", *arguments], checkout)
        assert result.returncode == 0, result.stderr
        assert ("-Werror" in (checkout / "built" / "Makefile").read_text()) == werror
        assert (checkout / "built" / "event-matcher-fcgi").exists()


def test_make_check_without_criterion_fails_and_says_what_to_install(configure, tmp_path):
    assert run([configure, "-q"], tmp_path, PKG_CONFIG=pkg_config_without("criterion", tmp_path)).returncode == 0
    result = run(["make", "check"], tmp_path)
    assert result.returncode != 0 and "apt install libcriterion-dev" in result.stdout


@pytest.mark.parametrize("ci, code, said", [("false", 0, "SKIPPED ["), ("true", 1, "CI must not go without")])
def test_a_clone_without_the_recordings_skips_the_replay_in_one_line_but_fails_in_ci(checkout, ci, code, said):
    result = run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "tests/system/test_replay.py"],
                 checkout, CI=ci)
    missing = "%s/shared/authentik/recorded.jsonl" % checkout.parent
    assert result.returncode == code and said in result.stdout and missing in result.stdout, result.stdout
    assert result.stdout.count("the recordings are not here: " + missing) == (code == 0), result.stdout


def command_line(pid):
    try:
        return pathlib.Path("/proc", pid, "cmdline").read_bytes().decode()
    except OSError:
        return ""  # it has ended meanwhile


@pytest.mark.parametrize("number, moment", [(signal.SIGINT, "serving until Ctrl-C"), (signal.SIGTERM, "starting the workers"),
                                            (signal.SIGHUP, "starting a private PostgreSQL")])
def test_an_interrupted_demo_leaves_nothing_running(number, moment):
    hears = functools.partial(signal.signal, number, signal.SIG_DFL)  # a shell in the background would have it ignored
    process = subprocess.Popen(["scripts/demo", "--port=18180"], cwd=servers.ROOT, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=hears)
    directory = None
    for line in process.stdout:
        directory = line.split()[-1] if "PostgreSQL in" in line else directory
        if moment in line:
            break
    process.send_signal(number)
    process.communicate(timeout=300)
    assert process.returncode in (130, 143) and not os.path.exists(directory)
    assert [pid for pid in os.listdir("/proc") if pid.isdigit() and directory in command_line(pid)] == []


def serve_under_valgrind(directory, dsn, listener):
    arguments = ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99",
                 "--log-file=" + str(directory / "valgrind.log"), PLAIN, "--database=" + dsn, "--log-level=error", "--sandbox=off",
                 *servers.options(**servers.PATIENCE)]
    return subprocess.Popen([str(a) for a in arguments], stdin=listener.fileno(), stderr=subprocess.DEVNULL)


def test_ten_thousand_requests_leak_nothing_under_valgrind(alone, tmp_path):
    path = str(tmp_path / "valgrind.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(128)
        process = serve_under_valgrind(tmp_path, alone.dsn, listener)
    connections = [fastcgi.Connection(path, timeout=300) for _ in range(20)]
    assert connections[0].ask(URI, ADMIN).status == 200
    generator = random.Random(2)
    for _ in range(500):
        asked = batch(generator, 20)
        for connection, (key, n, _) in zip(connections, asked):
            connection.send(sample.request(fastcgi.URI.format(ASKED[n]), key))
        assert [connection.reply().status for connection in connections] == [MIXED[key][n] for key, n, _ in asked]
    for connection in connections:
        connection.socket.close()
    process.terminate()
    assert process.wait(300) == 0, (tmp_path / "valgrind.log").read_text()[-3000:]
