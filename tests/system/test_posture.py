# SPDX-License-Identifier: MIT
"""What SECURITY.md promises: each line has a test that is there, and here are those that no other file has."""
import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess

import pytest

import conftest
import fastcgi
import sample
import servers
from fastcgi import Connection
from sample import ADMIN, URI

DOCUMENT = (servers.ROOT / "SECURITY.md").read_text()
PLAIN = servers.ROOT / "build" / "event-matcher-fcgi"  # one with sanitizers is built with other flags
FAULTS = ["CVE-2025-23016", "CVE-2012-6687", "CVE-2019-11043", "CVE-2021-21703", "CVE-2015-9253", "CVE-2024-9026", "CVE-2016-5385",
          "CVE-2012-1823", "CVE-2018-1058"]


# The document
def named_tests():
    return re.findall(r"`(tests/[\w/]+\.(?:py|c))::(\w+)`", DOCUMENT)


def defined(path):
    text = (servers.ROOT / path).read_text()
    return set(re.findall(r"^def (test_\w+)\(", text, re.M) if path.endswith(".py") else re.findall(r"^Test\(\w+, (\w+)", text, re.M))


def test_every_test_that_the_document_names_is_there():
    assert len(named_tests()) > 40
    assert [(path, name) for path, name in named_tests() if name not in defined(path)] == []


def test_every_row_of_the_document_names_a_test():
    rows = [row for row in re.findall(r"^\| .*$", DOCUMENT, re.M) if not re.match(r"\| (---|what holds|a fault of)", row)]
    assert len(rows) > 25 and [row for row in rows if not re.search(r"`tests/[\w/.]+::\w+`", row)] == []
    assert [fault for fault in FAULTS if not any(fault in row for row in rows)] == []


# What the build makes of it
def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, PLAIN], capture_output=True, text=True, check=True).stdout


def test_the_program_is_built_so_that_little_can_be_written_to_or_run():
    assert re.search(r"Type:\s+DYN", readelf("-h")) and re.search(r"FLAGS_1\).*\bPIE\b", readelf("-d")), "a PIE"
    assert re.search(r"FLAGS_1\).*\bNOW\b", readelf("-d")) and "GNU_RELRO" in readelf("-l"), "full RELRO"
    stack, = re.findall(r"GNU_STACK(?:\s+0x\w+){5} (.{3})", readelf("-l"))
    assert "E" not in stack
    assert re.findall(r"LOAD(?:\s+0x\w+){5} (RWE)", readelf("-l")) == []
    assert {"__stack_chk_fail", "__snprintf_chk", "__vsnprintf_chk"} <= set(re.findall(r" (__\w+_(?:chk|fail))@", readelf("--dyn-syms")))


def test_the_flags_of_the_build_are_those_that_are_promised():
    makefile = (servers.ROOT / "build" / "Makefile").read_text()
    flags, = re.findall(r"^EM_CFLAGS = (.*)$", makefile, re.M)
    assert {"-Wall", "-Wextra", "-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fPIE", "-ftrivial-auto-var-init=zero"} <= set(flags.split())


# The role
READ = """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname !~ '^(pg_|information_schema)' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
             and case c.relkind when 'S' then has_sequence_privilege('event_matcher', c.oid, 'select')
                      else has_any_column_privilege('event_matcher', c.oid, 'select') end"""
WRITTEN = """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname !~ '^(pg_|information_schema)' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
                and case c.relkind when 'S' then has_sequence_privilege('event_matcher', c.oid, 'usage, update')
                         else has_table_privilege('event_matcher', c.oid, 'insert, update, delete, truncate, references, trigger')
                              or has_any_column_privilege('event_matcher', c.oid, 'insert, update, references') end"""


@pytest.mark.recorded
@pytest.mark.parametrize("release", conftest.RELEASES)
def test_of_a_real_authentik_the_role_reads_what_is_needed_and_writes_nothing(recorded, release, figure):
    database = recorded(release)
    needed = set(re.findall(r"'(\w+)', '(?:whole|columns)'", servers.needed())) | {"authentik_tenants_tenant"}
    read = {name.split(".")[-1] for name, in database.run(READ)}
    assert len(database.run("select 1 from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")) > 100
    assert len(read) > 12
    figure("tables of authentik %s that the role reads beyond those needed" % release, len(read - needed), 0)
    figure("tables and sequences of authentik %s that the role may change" % release, len(database.run(WRITTEN)), 0)


def test_the_role_has_no_powers_and_no_other_roles(alone):
    assert alone.run("select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles where rolname = 'event_matcher'") == \
        [(False,) * 5]
    assert alone.run("select roleid::regrole::text from pg_auth_members where member = 'event_matcher'::regrole") == []


# Keys and passwords
UNKNOWN = ["a-key-that-nobody-has", "a-key-that-nobody-has-" + "x" * 8192, "a-key-that-nobody-has \xe4"]


def files_of(pid):
    """The command line and the environment of a process, and of a pool's workers."""
    return b"".join(pathlib.Path("/proc/%d" % pid, name).read_bytes() for name in ("cmdline", "environ"))


@pytest.fixture
def start_program(program):
    yield from conftest.factory(Pool, program)


class Pool(servers.Process):
    """A pool that has its settings from a file, as one whose database has a password is to have them."""

    def __init__(self, program, directory, database, **settings):
        self.socket, path = str(directory / "pool.sock"), directory / "pool.conf"
        settings = {"database": database, "listen": "unix:" + self.socket, "workers": 1, "sandbox": "off", **servers.PATIENCE, **settings}
        path.write_text("".join("%s = %s\n" % pair for pair in settings.items()))
        path.chmod(0o644)
        super().__init__([program, "--config=%s" % path], directory, "pool")
        self.wait_ready(lambda: "the PostgreSQL connection is ready" in self.log(), "the pool")


def test_role_sql_leaves_the_password_in_no_log_of_statements(own):
    own.run("alter database %s set log_statement = 'all'; alter database %s set log_min_duration_statement = 0" % (own.name, own.name))
    before = len(own.server.log())
    own.server.load(servers.ROOT / "sql" / "role.sql", own.name, "-v", "password=a-secret-word")
    own.run("alter role event_matcher password null")
    logged = own.server.log()[before:]
    assert "rolsuper as superuser" in logged and "a-secret-word" not in logged


def test_keys_and_passwords_show_in_no_log_no_command_line_and_no_environment(start_program, own):
    pool = start_program(own.dsn + " password=a-secret-word", log_level="debug", database_wait="500ms")
    keys = [ADMIN, "sample-token-admin", "sample-key-expired", *UNKNOWN]

    def ask():
        return [fastcgi.ask(pool.socket, URI, b"Bearer " + key.encode("latin-1")).status for key in keys]

    assert ask() == [200, 200, 403, 403, 403, 403]
    own.run("alter table authentik_core_token rename to gone")
    assert ask()[0] == 503
    workers = pathlib.Path("/proc/%d/task/%d/children" % (pool.pid, pool.pid)).read_text().split()
    seen = pool.log().encode() + b"".join(map(files_of, [pool.pid, *map(int, workers)]))
    assert len(workers) == 1 and seen.count(b"event-matcher-fcgi") >= 2
    assert re.findall(b"sample-(?:key|token)|nobody-has|a-secret-word", seen) == []


def dump_of(program, database, directory, **settings):
    """Does the system say that it has dumped the memory of a lone worker that crashes?"""
    path = str(directory / "crash.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        worker = servers.Process(["prlimit", "--core=unlimited", program, *servers.options(database=database.dsn, **settings)], directory, "crash",
                                 stdin=listener)
    assert fastcgi.ask(path, URI, ADMIN).status == 200
    worker.process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(worker.pid, 0)
    worker.process.returncode = -signal.SIGABRT
    os.unlink(path)
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_worker_that_crashes_leaves_no_core_though_its_starter_allows_one(alone):
    directory = servers.make_directory()
    program = directory / "event-matcher-fcgi"
    shutil.copy(PLAIN, program)
    try:
        assert not dump_of(program, alone, directory)
        assert [path for path in directory.iterdir() if path.name.startswith("core")] == []
    finally:
        shutil.rmtree(directory)


# Faults that others had
def test_1100_connections_at_once_are_served_beyond_what_select_can_number(start_workers, alone, figure):
    """CVE-2012-6687: libfcgi wrote behind an fd_set for descriptors from 1024 on."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    workers = start_workers(alone, max_requests=2000)  # on a slow machine all wait at once
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Connection(workers.socket)) for _ in range(1100)]
        for connection in crowd:
            connection.send(sample.request())
        statuses = [connection.reply().status for connection in crowd]
        pid, = workers.worker_pids()
        assert max(map(int, os.listdir("/proc/%d/fd" % pid))) > 1100
    figure("of 1,100 connections at once not served", len(statuses) - statuses.count(200), 0)
    assert workers.worker_pids() == [pid]


PARTS = ["", "/", URI, URI[:7], URI[7:], "/" + URI, URI * 2, "%0a", "/x.php/%0d%0a", "x", "/" * 3000, "?", "%", "."]


def test_a_path_that_is_shorter_than_what_it_is_a_part_of_is_read_from_its_start(workers, figure):
    """CVE-2019-11043: PHP-FPM went back from PATH_INFO's end by a length that it had from SCRIPT_NAME."""
    base, wrong = [("REQUEST_METHOD", "GET"), ("HTTP_AUTHORIZATION", "Bearer " + ADMIN)], []
    pid, = workers.worker_pids()
    with Connection(workers.socket) as connection:
        for script in PARTS:
            for path in PARTS:
                for more in ([], [("REQUEST_URI", "")], [("PATH_TRANSLATED", path), ("SCRIPT_FILENAME", script), ("DOCUMENT_ROOT", path)]):
                    connection.send(fastcgi.request(base + [("SCRIPT_NAME", script), ("PATH_INFO", path), *more]))
                    status = connection.reply().status
                    if (status == 200) != (script + path == URI):
                        wrong.append((script, path, more, status))
    print(wrong)
    figure("pairs of SCRIPT_NAME and PATH_INFO of %d that are taken for another path" % (len(PARTS) ** 2 * 3), len(wrong), 0)
    assert workers.worker_pids() == [pid]


def shared_memory(pid):
    """Where the memory is that a pool's processes share: (start, size) of each part."""
    parts = re.findall(r"^(\w+)-(\w+) rw-s \S+ \S+ \d+ +/dev/zero", pathlib.Path("/proc/%d/maps" % pid).read_text(), re.M)
    return [(int(start, 16), int(end, 16) - int(start, 16)) for start, end in parts]


def scribble(pid, byte):
    with open("/proc/%d/mem" % pid, "r+b", buffering=0) as memory:
        for start, size in shared_memory(pid):
            memory.seek(start)
            assert memory.write(byte * size) == size


def test_the_others_outlive_whatever_a_worker_writes_to_the_memory_that_they_share(start_workers, alone):
    """CVE-2021-21703: PHP-FPM's master followed pointers that its workers could write."""
    workers = start_workers(alone, workers=2, sandbox="off")
    assert len(shared_memory(workers.worker_pids()[0])) >= 1
    for byte in (b"\1", b"\0"):  # all that a bool may be
        victim = workers.worker_pids()[0]
        scribble(victim, byte)
        os.kill(victim, signal.SIGKILL)
        servers.wait_until(lambda: victim not in workers.worker_pids(), "the worker's end")
        with fastcgi.Connection(workers.socket) as connection:  # of the other one, or of who comes after
            assert connection.ask("/-/metrics/").status == connection.ask(URI, "nobody-has-it").status - 203 == 200
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and workers.process.poll() is None
    servers.wait_until(lambda: len(workers.worker_pids()) == 2, "the workers to be replaced")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    assert " worker_failed " not in workers.log()  # as one would that crashes and is built with sanitizers


@contextlib.contextmanager
def traced(pid, calls, path):
    """strace of a process while it lasts; what it saw is in the path."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-s", "4000", "-e", "trace=" + calls, "-o", path, "-p", str(pid)], stderr=subprocess.PIPE)
    try:
        servers.wait_until(lambda: re.search(r"TracerPid:\s+[1-9]", pathlib.Path("/proc/%d/status" % pid).read_text()), "strace")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)


def test_the_supervisor_takes_and_reads_no_connection(start_workers, alone, directory):
    path = directory / "strace_of_supervisor"
    workers = start_workers(alone, sandbox="off")
    with traced(workers.pid, "accept,accept4,read,readv,recvfrom,recvmsg,kill,rt_sigtimedwait", path):
        assert [fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(50)] == [200] * 50
        os.kill(workers.pid, signal.SIGUSR1)
        servers.wait_until(lambda: "SIGUSR1" in path.read_text(), "the supervisor to hear")
    seen = "\n".join(line for line in path.read_text().splitlines() if line.startswith("%d " % workers.pid))  # not of the workers that it starts
    assert "SIGUSR1" in seen and not re.search("accept|read|recv", seen), seen


VARIABLES = [("HTTP_PROXY", "http://192.0.2.1:1"), ("http_proxy", "http://192.0.2.1:1"), ("PROXY", "x"), ("LD_PRELOAD", "/nonexistent/evil.so"),
             ("EVENT_MATCHER_DATABASE", "host=192.0.2.1"), ("FCGI_WEB_SERVER_ADDRS", "192.0.2.1"), ("MALLOC_CHECK_", "3"),
             *(("PG" + name, "192.0.2.1") for name in ("HOST", "HOSTADDR", "PORT", "USER", "DATABASE", "OPTIONS", "SERVICE", "SERVICEFILE",
                                                       "PASSFILE", "SYSCONFDIR", "SSLMODE", "TARGETSESSIONATTRS"))]


def test_no_parameter_reaches_the_environment_or_the_connection_string(start_workers, own, directory, figure):
    """CVE-2016-5385: a Proxy header became HTTP_PROXY. The session is lost, too: one that is opened later takes nothing from a client."""
    workers = start_workers(own, sandbox="off")
    pid, = workers.worker_pids()
    path = directory / ("strace_of_" + own.name)
    with traced(pid, "connect,openat,execve,sendto", path):
        for _ in range(2):
            assert fastcgi.ask_parameters(workers.socket, sample.parameters() + VARIABLES).status == 200
            own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % own.name)
        servers.wait_until(lambda: workers.log().count("the PostgreSQL connection is ready") >= 3, "the session to be opened anew")
    seen = path.read_text()
    assert "connect(" in seen and own.name in seen  # or it saw nothing
    places = seen + files_of(pid).decode("latin-1")
    figure("places where a parameter shows in what strace and /proc tell",
           len(re.findall(r"192\.0\.2\.1|/nonexistent/evil", places)), 0)


# In step
def mixed(number):
    """One of many kinds of requests by its number, the statuses that are right, and whether its reply has a body."""
    from_kind = [("GET", (), b"", {200}), ("HEAD", (), b"", {200}), ("FOO", (), b"", {405}), ("POST", (), b"x" * 3000, {405}),
                 ("GET", [("CONTENT_LENGTH", "5")], b"y" * 70000, {200}), ("POST", [("CONTENT_LENGTH", "99999")], b"", {405}),
                 ("GET", [("CONTENT_LENGTH", "1"), ("CONTENT_LENGTH", "2")], b"ab", {200}), ("OPTIONS", (), b"z", {204}),
                 ("HEAD", [("CONTENT_LENGTH", "-1")], b"q" * 9, {200}), ("GET", [("HTTP_AUTHORIZATION", "Bearer x")], b"", {400}),
                 ("GET", [("http_authorization", "Bearer x"), ("Request_Method", "POST")], b"", {200})]
    return from_kind[number * 7 % len(from_kind)]


def test_10000_mixed_requests_on_one_connection_stay_in_step(workers, figure):
    wrong = 0
    with Connection(workers.socket) as connection:
        for number in range(10000):
            method, more, body, right = mixed(number)
            given = fastcgi.parameters(URI, method, [("Authorization", "Bearer " + ADMIN)]) + list(more)
            connection.send(fastcgi.request(given, 1 + number % 65535, body=body))
            reply = connection.reply(1 + number % 65535)
            wrong += reply.status not in right or (method == "HEAD") != (not reply.body) and reply.status != 204
    figure("of 10,000 mixed requests answered wrongly or out of step", wrong, 0)
