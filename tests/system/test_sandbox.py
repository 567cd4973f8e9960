# SPDX-License-Identifier: MIT
"""What a worker can still do once it serves, were it an attacker's; and that all of libpq works in it."""
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

import fastcgi
import sample
import servers
from conftest import factory
from sample import ADMIN, URI

PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"  # one with sanitizers has no sandbox
KILLED = "signal 31 (Bad system call)"
# By their names in forbidden.c.
OF_NOBODY = ["execve", "unlink", "raw", "packet", "bind", "listen", "fork", "ptrace", "executable", "protect", "dumpable", "kill",
             "signal", "terminal", "limit", "memory"]
OF_CONNECTING = ["open", "socket", "connect", "create", "bind as systemd", "capabilities", "keyring"]


@pytest.fixture(scope="module")
def plain():
    directory = servers.make_directory()
    path = directory / "event-matcher-fcgi"
    shutil.copy(PLAIN, path)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", directory / "forbidden.so", servers.ROOT / "tests" / "system" / "forbidden.c"],
                   check=True)
    yield path
    shutil.rmtree(directory)


class Victims(servers.Workers):
    faults = ("signal 6 ", "signal 11 ")


@pytest.fixture
def start_plain(plain):
    yield from factory(servers.Workers, plain)


class Pools(servers.Process):
    faults = Victims.faults

    def __init__(self, program, directory, environment):
        super().__init__([program, "--workers=1", "--listen=unix:%s/socket" % directory, "--database=host=/nonexistent"], directory,
                         "pool", environment)


@pytest.fixture
def start_pools(plain):
    yield from factory(Pools, plain)


@pytest.fixture
def start_victims(plain):
    yield from factory(Victims, plain)


def preloaded(plain, **variables):
    return {"LD_PRELOAD": str(plain.parent / "forbidden.so"), **variables}


def test_a_worker_that_makes_any_other_system_call_is_killed_and_replaced(start_victims, plain, alone):
    workers = start_victims(alone, environment=preloaded(plain), workers=4)
    for number, name in enumerate([*OF_NOBODY, *OF_CONNECTING], 1):
        with fastcgi.Connection(workers.socket) as connection:
            connection.send(sample.request(key="forbidden:%s;" % name))
            assert connection.is_closed(), name
        servers.wait_until(lambda: workers.log().count(KILLED) == number, "the supervisor to say what became of %s" % name)
    servers.wait_until(lambda: len(workers.worker_pids()) == 4, "the successors")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200


@pytest.mark.parametrize("name", OF_NOBODY)
def test_a_thread_that_connects_is_killed_for_what_no_connection_needs(start_pools, plain, name):
    """Perhaps before it serves, so that is not waited for."""
    pool = start_pools(preloaded(plain, FORBIDDEN=name))
    servers.wait_until(lambda: KILLED in pool.log(), "the kill")


@pytest.mark.parametrize("name", OF_CONNECTING)
def test_a_thread_that_connects_may_open_and_connect_but_create_nothing(start_plain, plain, name):
    workers = start_plain("host=/nonexistent", has_database=False, environment=preloaded(plain, FORBIDDEN=name))
    servers.wait_until(lambda: "/nonexistent/" in workers.log(), "the try")
    assert workers.stop() == 0 and "signal" not in workers.log() and not os.path.exists("/tmp/event-matcher-forbidden")


def test_without_the_sandbox_the_same_calls_are_made(start_plain, plain, alone):
    """Or the tests above would prove nothing."""
    workers = start_plain(alone, environment=preloaded(plain), sandbox="off")
    for name in ("open", "socket", "fork", "kill", "terminal", "memory"):
        assert fastcgi.ask(workers.socket, URI, "forbidden:%s;" % name).status == 403
    assert "sandbox = off" in workers.log() and "signal" not in workers.log()


def status(pid, thread):
    text = pathlib.Path("/proc/%d/task/%s/status" % (pid, thread)).read_text()
    return dict(re.findall(r"^(NoNewPrivs|Seccomp):\s+(\d)$", text, re.M))


def owner(pid):
    """Whose its /proc files are that show its memory and environment: root's where it is not dumpable (proc(5))."""
    return os.stat("/proc/%d/environ" % pid).st_uid


def test_each_thread_of_a_worker_has_no_privileges_to_gain_and_a_filter_and_no_core(start_plain, alone):
    workers = start_plain(alone, workers=2)
    for pid in workers.worker_pids():
        threads = os.listdir("/proc/%d/task" % pid)
        assert len(threads) >= 2 and [status(pid, thread) for thread in threads] == [{"NoNewPrivs": "1", "Seccomp": "2"}] * len(threads)
        assert owner(pid) == 0
        assert re.search(r"^Max core file size +0 +0 ", pathlib.Path("/proc/%d/limits" % pid).read_text(), re.M)
    assert status(workers.pid, workers.pid)["NoNewPrivs"] == "1" and owner(workers.pid) == 0


@pytest.mark.parametrize("cache", ["KEYRING:session:none", "DIR:/nonexistent", "KCM:"])
def test_tickets_of_kerberos_may_be_looked_for_anywhere(start_plain, cache):
    """libpq looks for them once a server on TCP is there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        workers = start_plain("host=127.0.0.1 port=%d user=x dbname=x" % silent.getsockname()[1], has_database=False, connect_timeout="1s",
                              environment={"KRB5CCNAME": cache})
        servers.wait_until(lambda: "did not answer in time" in workers.log(), "the try")
        assert workers.stop() == 0 and "signal" not in workers.log()


def test_a_lone_worker_is_in_the_sandbox_too(plain, alone):
    directory = servers.make_directory()
    path = str(directory / "lone.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        worker = servers.Process([plain, "--database=" + alone.dsn], directory, "lone", stdin=listener)
    assert fastcgi.ask(path, URI, ADMIN).status == 200
    assert status(worker.pid, worker.pid) == {"NoNewPrivs": "1", "Seccomp": "2"} and owner(worker.pid) == 0
    assert worker.stop() == 0
    shutil.rmtree(directory)


def test_a_cgi_request_is_answered_in_the_sandbox(plain, alone):
    trace = plain.parent / "cgi.strace"
    environment = {"PATH": os.environ["PATH"], "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": URI,
                   "HTTP_AUTHORIZATION": "Bearer " + ADMIN, **servers.variables(database=alone.dsn, **servers.PATIENCE)}
    result = subprocess.run(["strace", "-f", "-e", "trace=seccomp,prctl", "-o", trace, plain], env=environment, capture_output=True)
    assert result.stdout.startswith(b"Status: 200 OK\r\n"), result.stderr
    assert trace.read_text().count("seccomp(SECCOMP_SET_MODE_FILTER, 0, {") == 2 and "PR_SET_DUMPABLE, SUID_DUMP_DISABLE" in trace.read_text()


@pytest.mark.parametrize("sandbox, said", [("on", "a ring: Function not implemented"), ("off", "a ring: made")])
def test_no_ring_of_io_uring_is_made_as_no_filter_sees_what_it_does(start_plain, plain, alone, sandbox, said):
    """libuv asks for one from 1.45 on, where the kernel has them, and each worker would be ended by its first use."""
    library = plain.parent / "ring.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, servers.ROOT / "tests" / "system" / "ring.c"], check=True)
    workers = start_plain(alone, environment={"LD_PRELOAD": str(library)}, sandbox=sandbox)
    assert said in workers.log() and fastcgi.ask(workers.socket, URI, ADMIN).status == 200


def change_password(server, path, password):
    """In the server first, then in the password file, as an operator would."""
    server.run("alter role event_matcher password '%s'" % password)
    path.write_text("*:*:*:event_matcher:%s\n" % password)
    path.chmod(0o600)
    if os.getuid() == 0:
        shutil.chown(path, "nobody")


def test_tls_a_service_file_a_host_name_and_a_password_that_changes_work_in_the_sandbox(start_plain, guarded):
    service, passwords = guarded.directory / "service.conf", guarded.directory / "passwords"
    service.write_text("[em]\nhost=localhost\nport=%d\ndbname=em\nuser=event_matcher\nsslmode=verify-full\nsslrootcert=%s\n"
                       % (guarded.port, guarded.directory / "certificate"))
    service.chmod(0o644)
    change_password(guarded, passwords, "first")
    workers = start_plain("service=em", environment={"PGSERVICEFILE": str(service), "PGPASSFILE": str(passwords), "HOME": "/nonexistent"})
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    change_password(guarded, passwords, "second")
    guarded.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher'")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    used = guarded.run("select distinct version from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'event_matcher'")
    assert used == [("TLSv1.3",)] and KILLED not in workers.log()


def test_a_password_file_of_any_mode_is_read_anew_at_each_connect(start_plain, guarded):
    secret = guarded.directory / "secret"
    guarded.run("alter role event_matcher password 'first one'")
    secret.write_text("first one\n")
    secret.chmod(0o444)
    workers = start_plain("host=localhost port=%d dbname=em user=event_matcher" % guarded.port, database_password_file=secret, environment={"HOME": "/nonexistent"})
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    guarded.run("alter role event_matcher password 'second'")
    secret.chmod(0o644)
    secret.write_text("second")
    guarded.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher'")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    assert "second" not in workers.log() and "first one" not in workers.log()


def secret_file(server, content):
    """As Compose and Kubernetes leave one: anybody may read it."""
    path = server.directory / "secret"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return path


@pytest.mark.parametrize("form", [b"%s", b"%s\n", b"%s\r\n", b"%s\n\n", b"\xef\xbb\xbf%s\n"], ids=["bare", "newline", "CRLF", "an empty line", "byte order mark"])
def test_a_password_is_read_from_a_file_as_editors_leave_it(plain, guarded, form):
    guarded.run("alter role event_matcher password 'it''s # one \\ \u00fc '")
    secret = secret_file(guarded, form % "it's # one \\ \u00fc ".encode())
    result = subprocess.run([plain, "--check", "--database=host=localhost port=%d dbname=em user=event_matcher" % guarded.port, "--database-password-file=%s" % secret],
                            capture_output=True, text=True, env={"HOME": "/nonexistent"}, **servers.unprivileged())
    assert result.returncode == 0 and "it's" not in result.stdout + result.stderr, result


@pytest.mark.parametrize("content, said", [
    (None, "No such file or directory"), ("directory", "Is a directory"), (b"", "it is empty"), (b"\n", "it is empty"), (b"x" * 1025, "it is longer than 1,024 bytes"),
    (b"one\ntwo\n", "it holds more than one line"), ("secret".encode("utf-16"), "it holds a NUL byte, and is to be UTF-8")],
    ids=["missing", "a directory", "empty", "an empty line", "long", "two lines", "UTF-16"])
def test_a_password_file_without_a_password_is_named(start_plain, guarded, content, said):
    path = guarded.directory if content == "directory" else secret_file(guarded, content or b"")
    if content is None:
        path.unlink()
    workers = start_plain("host=localhost port=%d dbname=em user=event_matcher" % guarded.port, has_database=False, database_password_file=path)
    servers.wait_until(lambda: "reading database_password_file %s: %s" % (path, said) in workers.log(), "the fault")
    assert "secret" not in workers.log().replace(str(path), "").replace("database_password_file", "")


def test_a_password_file_that_comes_later_is_taken_without_a_restart(start_plain, guarded):
    guarded.run("alter role event_matcher password 'one'")
    secret = secret_file(guarded, b"")
    workers = start_plain("host=localhost port=%d dbname=em user=event_matcher" % guarded.port, has_database=False, database_password_file=secret,
                          environment={"HOME": "/nonexistent"})
    servers.wait_until(lambda: "it is empty" in workers.log(), "the fault")
    secret_file(guarded, b"one")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200


@pytest.mark.parametrize("host", ["no-such-host.invalid", "localhost", "127.0.0.1,::1", "/nonexistent,localhost"])
def test_a_connection_that_fails_does_so_with_a_word_and_not_by_the_sandbox(start_plain, host):
    workers = start_plain("host=%s port=1 user=x connect_timeout=2" % host, has_database=False)
    servers.wait_until(lambda: "connecting to PostgreSQL" in workers.log(), "the failure")
    assert workers.stop() == 0 and "signal" not in workers.log()
