# SPDX-License-Identifier: MIT
"""Real servers in private directories, unprivileged: PostgreSQL, our workers, nginx."""
import contextlib
import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A test that is not about a limit is not to meet it, however busy the machine is.
PATIENCE = {"request_timeout": "60s", "statement_timeout": "50s", "lock_timeout": "50s", "connect_timeout": "60s", "database_wait": "60s"}
# EVENT_MATCHER_POSTGRES: the bin directory of another PostgreSQL to test with.
BIN = pathlib.Path(os.environ.get("EVENT_MATCHER_POSTGRES") or
                   sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1])


def part_of_role(name):
    """The part of sql/role.sql of that name: other statements have it as a variable."""
    text = re.search(r"^-- %s: .*?^-- end of %s$" % (name, name), (ROOT / "sql" / "role.sql").read_text(), re.S | re.M).group()
    return re.sub(r"^--.*\n?", "", text, flags=re.M)


def needed():
    return part_of_role("needed")


def statement_variables(members="authentik_core_user_groups"):
    """The variables of sql/statements, for the schema public."""
    return {"schema": "public", "members": members, "layout": part_of_role("layout"), "needed": needed(),
            "statement_timeout": "1500", "lock_timeout": "500", "local": "false", "backend": "pg_backend_pid()"}


def psql_variables(members):
    return [option for name, value in statement_variables(members).items() for option in ("-v", "%s=%s" % (name, value))]


def statement(name, members="authentik_core_user_groups"):
    """A statement's text as a session fills it in."""
    text = re.sub(r"^--.*\n", "", (ROOT / "sql" / "statements" / (name + ".sql")).read_text(), flags=re.M)
    for variable, value in statement_variables(members).items():
        for before, after in ((":'%s'", "'%s'"), (':"%s"', '"%s"'), (":%s", "%s")):
            text = re.sub((before % variable) + r"\b" * before.endswith("s"), lambda _: after % value, text)
    return text


def unprivileged():
    """What makes subprocess start a program without privileges: PostgreSQL refuses root, and so do we."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def make_directory():
    """A directory with a path short enough for a unix socket, that the unprivileged user owns."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="em-", dir="/tmp"))
    if "user" in unprivileged():
        os.chown(path, unprivileged()["user"], unprivileged()["group"])
    path.chmod(0o755)
    return path


def options(**settings):
    """The settings as the program's arguments."""
    return ["--%s=%s" % (name.replace("_", "-"), value) for name, value in settings.items()]


def variables(**settings):
    """The settings as its environment."""
    return {"EVENT_MATCHER_" + name.upper(): str(value) for name, value in settings.items()}


def wait_until(condition, what, seconds=60):
    """Asks again and again until the answer is true; the error names what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited %s seconds in vain for: %s" % (seconds, what)
        time.sleep(0.01)


def connects(address):
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
        return probe.connect_ex(address) == 0


def is_there(pid):
    """Not as a zombie, which whoever adopts it may leave."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid):
    return [int(child) for child in pathlib.Path("/proc/{0}/task/{0}/children".format(pid)).read_text().split()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program in the background, its output in a file."""

    end_signal = signal.SIGTERM
    expected_code = 0
    faults = ("signal 6 ", "signal 11 ", "signal 31 ")  # in no log

    def __init__(self, arguments, directory, name, environment=None, **options):
        self.directory, self.log_path = directory, directory / (name + ".log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in arguments], cwd=directory, env={**os.environ, **(environment or {})},
                                            **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **unprivileged(), **options})
        self.pid = self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_ready(self, condition, what):
        wait_until(lambda: condition() or self.process.poll() is not None, what)
        assert self.process.poll() is None, "%s ended: %s" % (what, self.log()[-2000:])

    def successors(self):
        """Those that took the pool over in an upgrade in place, in turn."""
        return [int(pid) for pid in re.findall(r"upgrade: process (\d+) serves", self.log())]

    def supervisor(self):
        return [self.pid, *self.successors()][-1]

    def is_ours(self, pid):
        """Has that process our command line? An hour of upgrades is long enough for a number to be another's."""
        try:
            words = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return len(words) > 1 and words[1:] == [os.fsencode(str(word)) for word in self.process.args][1 - len(words):]

    def stop(self, number=None):
        """Ends it as its owner would, and returns its exit code; what took over from it ends, too."""
        try:
            return self.stop_itself(number)
        finally:
            left = [pid for pid in self.successors() if self.is_ours(pid)]
            for pid in left:
                os.kill(pid, number or self.end_signal)
            wait_until(lambda: not any(map(self.is_ours, left)), "the end of what took over")

    def stop_itself(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number or self.end_signal)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Postgres(Process):
    end_signal = signal.SIGINT

    def __init__(self, directory, *settings):
        self.data = directory / "data"
        if not self.data.exists():
            subprocess.run([BIN / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                            "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, cwd=directory,
                           **unprivileged())
        self.arguments = [BIN / "postgres", "-D", self.data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off",
                          "-c", "max_connections=200", *settings]
        self.directory = directory
        self.start_again()

    def start_again(self):
        super().__init__(self.arguments, self.directory, "postgres")
        self.wait_ready(self.answers, "PostgreSQL")

    def dsn(self, database="postgres", user="postgres"):
        return "host=%s user=%s dbname=%s" % (self.directory, user, database)

    def answers(self):
        try:
            psycopg.connect(self.dsn()).close()
            return True
        except psycopg.OperationalError:
            return False

    def run(self, sql, database="postgres"):
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            return connection.execute(sql).fetchall() if sql.startswith("select") else connection.execute(sql) and None

    def load(self, path, database, *options):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, self.dsn(database)],
                       stdin=open(path), check=True, capture_output=True, text=True)


def load_sample(server, database="postgres", *options):
    """authentik's tables, the sample data and our role."""
    for name in ("schema.sql", "sample.sql", "role.sql"):
        server.load(ROOT / "sql" / name, database, *options)


def add_standby(primary, directory, *settings):
    """A second server that follows the first one."""
    subprocess.run([BIN / "pg_basebackup", "-D", directory / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync",
                    "-h", primary.directory, "-U", "postgres"], check=True, capture_output=True, cwd=directory, **unprivileged())
    return Postgres(directory, *settings)


class Guarded(Postgres):
    """A server that takes only TLS with a password over TCP: everything that libpq may have to read is needed."""

    def __init__(self, directory):
        self.port = free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", directory / "key", "-out", directory / "certificate"],
                       check=True, capture_output=True, **unprivileged())
        super().__init__(directory, "-c", "ssl=on", "-c", "ssl_key_file=%s/key" % directory, "-c", "port=%d" % self.port,
                         "-c", "ssl_cert_file=%s/certificate" % directory, "-c", "listen_addresses=localhost")
        (self.data / "pg_hba.conf").write_text("local all postgres trust\nhostssl all all localhost scram-sha-256\n")
        self.run("select pg_reload_conf()")

    def dsn(self, database="postgres", user="postgres"):
        return super().dsn(database, user) + " port=%d" % self.port


class Database:
    """One database of a server: its connection strings, and statements run by its owner."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.dsn = server.dsn(name, "event_matcher")
        self.owner_dsn = server.dsn(name)

    def run(self, sql):
        return self.server.run(sql, self.name)


class Pgbouncer(Process):
    """PgBouncer before a server, on a unix socket in a directory of its own; forced is the user of every session, if any."""

    end_signal = signal.SIGTERM
    expected_code = 1  # as PgBouncer 1.18 ends at once

    def __init__(self, directory, server, mode, size=20, forced=None, **settings):
        users = "".join('"%s" ""\n' % user for user in ("postgres", "event_matcher"))
        (directory / "users.txt").write_text(users)
        settings = {"listen_addr": "", "unix_socket_dir": directory, "listen_port": 5432, "auth_type": "trust", "pool_mode": mode,
                    "auth_file": directory / "users.txt", "default_pool_size": size, "max_client_conn": 200, "admin_users": "postgres",
                    "server_login_retry": 1, "logfile": "", **settings}
        (directory / "pgbouncer.ini").write_text(
            "[databases]\n* = host=%s%s\n[pgbouncer]\n" % (server.directory, " user=" + forced if forced else "") +
            "".join("%s = %s\n" % pair for pair in settings.items()))
        for path in directory.iterdir():
            path.chmod(0o644)
        super().__init__(["pgbouncer", directory / "pgbouncer.ini"], directory, "pgbouncer")
        self.wait_ready(lambda: connects(str(directory / ".s.PGSQL.5432")), "PgBouncer")

    def dsn(self, database, user="event_matcher"):
        return "host=%s user=%s dbname=%s" % (self.directory, user, database)


class Workers(Process):
    """A pool, ready when each worker serves, and has its connection to PostgreSQL where there is a database to be."""

    def __init__(self, program, directory, database, environment=None, prefix=(), stderr_to=None, has_database=True, extra_groups=(), **settings):
        self.socket = settings.pop("socket", str(directory / "workers.sock"))
        settings = {"listen": "unix:" + self.socket, "workers": 1,
                    "database": database if isinstance(database, str) else database.dsn, **PATIENCE, **settings}
        settings = {name: value for name, value in settings.items() if value is not None}
        self.count, self.has_database = settings["workers"], has_database
        given = {} if stderr_to is None else {"stderr": stderr_to}
        if os.getuid() == 0:
            given["extra_groups"] = extra_groups
        super().__init__([*prefix, program, *options(**settings)], directory, "workers", environment, **given)
        self.wait_ready(self.is_ready if stderr_to is None else lambda: connects(self.socket), "the workers")

    def is_ready(self):
        """True once as many workers as there are have said so; a connection to ask them would count as a client's."""
        said = ["a worker is serving"]
        if self.has_database:
            said += ["the PostgreSQL connection is ready"]
        log = self.log()  # text or objects
        return all(len(set(re.findall(r'(?: info |"info","pid":)(\d+)(?: \w+ |,"event":"\w+","message":")%s\b' % text, log))) >= self.count for text in said)

    def worker_pids(self):
        return children(self.supervisor())

    @contextlib.contextmanager
    def standing_still(self):
        """What arrives meanwhile, the one worker sees in one turn of its loop."""
        pid = self.worker_pids()[0]
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] == "T", "the worker to stand still")
        yield
        os.kill(pid, signal.SIGCONT)


class Nginx(Process):
    end_signal = signal.SIGQUIT
    prefix = ()  # what starts it elsewhere

    def __init__(self, directory, workers_socket, site=None, authentik=None, port=None, tenant=None, extra="", extra_groups=()):
        shutil.copytree(ROOT / "nginx", directory, dirs_exist_ok=True)
        upstream = (directory / "upstream.conf").read_text()
        address = workers_socket if workers_socket[0] != "/" else "unix:" + workers_socket
        (directory / "upstream.conf").write_text(upstream.replace("unix:/run/event-matcher-fcgi/event-matcher-fcgi.sock", address))
        self.socket, self.port = str(directory / "nginx.sock"), port
        (directory / "listen.conf").write_text("listen unix:%s;\n" % self.socket + ("listen 127.0.0.1:%d;\n" % port if port else "") + extra + "\n")
        if site:
            self.use_site(directory, site, authentik)
        if tenant:
            self.use_tenant(directory, tenant)
        for path in directory.iterdir():
            path.chmod(0o644)
        given = {"extra_groups": extra_groups} if os.getuid() == 0 else {}
        super().__init__([*self.prefix, "nginx", "-p", directory, "-c", directory / "nginx.conf"], directory, "nginx", **given)
        self.wait_ready(lambda: os.path.exists(self.socket) and connects(self.socket), "nginx")

    @staticmethod
    def use_tenant(directory, socket_of_two):
        """As tenants.http.conf says, with another socket for two.example."""
        tenants = directory / "tenants.http.conf"
        tenants.write_text(tenants.read_text().replace("/run/event-matcher-fcgi/two.sock", socket_of_two))
        for name, line, instead in (("nginx.conf", "include upstream.conf;", "include upstream.conf; include tenants.http.conf;"),
                                    ("event-matcher.conf", "fastcgi_pass event_matcher;", "fastcgi_pass $event_matcher_of_host;")):
            (directory / name).write_text((directory / name).read_text().replace(line, instead))

    @staticmethod
    def use_site(directory, site, authentik):
        """What a class made from this one changes in the files."""


class HAProxy(Process):
    """Another web server in front of the workers, with as little configuration as it takes."""

    expected_code = -signal.SIGTERM
    CONFIGURATION = """
global
    tune.bufsize 131072
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
fcgi-app workers
    docroot /
    option keep-conn
    pass-header Authorization
frontend clients
    bind unix@{socket} mode 0666
    default_backend workers
backend workers
    use-fcgi-app workers
    server pool unix@{workers} proto fcgi
"""

    def __init__(self, directory, workers_socket):
        self.socket = str(directory / "haproxy.sock")
        (directory / "haproxy.cfg").write_text(self.CONFIGURATION.format(socket=self.socket, workers=workers_socket))
        super().__init__(["haproxy", "-db", "-f", directory / "haproxy.cfg"], directory, "haproxy")
        self.wait_ready(lambda: os.path.exists(self.socket) and connects(self.socket), "HAProxy")
