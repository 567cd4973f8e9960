# SPDX-License-Identifier: MIT
"""What the benchmark runs against: PostgreSQL with its rows, pools of our workers, the two baselines, nginx before all."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import fastcgi  # noqa: E402
import servers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {"superuser": 1, "role": 2, "grants": 3, "deep": 4, "token": 5}
SIZES = {"policies": 10000, "groups": 10, "depth": 1, "memberships": 5, "tokens": 0, "large": 0}
SYSTEM = servers.ROOT / "tests" / "system"
# Of authentik's newest layout, and of that of its releases up to 2025.10: the schema, the rows, the index on access tokens.
LAYOUTS = {"alone": (servers.ROOT / "sql" / "schema.sql", HERE / "data.sql", "authentik_p_token_e00883_hash"),
           "tree": (SYSTEM / "tree" / "schema.sql", HERE / "data_tree.sql", "event_matcher_accesstoken_token")}
LARGE = 10000000  # the number of the one policy whose action is :large bytes long


def key(kind, n):
    """The key of the n-th of the 4,000 callers of a kind."""
    return hashlib.md5(b"%d" % (KINDS[kind] * 10000 + n)).hexdigest() + "-bench"


def uuid(n):
    return "00000000-0000-4000-8000-%012d" % n


def pairs(kind="superuser", keys=4000, policies=10000, count=4000, seed=1):
    """(policy, key) in random order, each of which answers 200: a caller by object grants asks for one of its own five."""
    generator = random.Random(seed)
    callers = generator.sample(range(1, 4001), keys)
    chosen = [callers[n % keys] for n in range(count)]
    generator.shuffle(chosen)
    return [(n + 1000 * generator.randrange(5) if kind == "grants" else generator.randrange(1, policies + 1), key(kind, n))
            for n in chosen]


def children(pid):
    return [int(child) for child in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]


NGINX = """
worker_processes 2; worker_rlimit_nofile 30000; daemon off; pid nginx.pid; error_log stderr crit;
events { worker_connections 12000; }
http {
    client_body_temp_path body.tmp; fastcgi_temp_path fastcgi.tmp; proxy_temp_path p.tmp; scgi_temp_path s.tmp; uwsgi_temp_path u.tmp;
    access_log off; keepalive_requests 100000000;
%s
}
"""
UPSTREAM = """
    upstream %(name)s { zone %(name)s 64k; %(lines)s %(keepalive)s }
    server { listen 127.0.0.1:%(port)d backlog=4096; location / { include %(name)s.conf; } }
"""
STATIC = """
    server { listen 127.0.0.1:%(port)d backlog=4096; default_type application/json; root static; location / { try_files /file =404; } }
"""


class Stack:
    """All of it in directories of its own; ports has nginx's port for each name once start_nginx has been called."""

    def __init__(self, build, index=True, layout="alone", **sizes):
        self.build, self.running, self.directories = pathlib.Path(build), [], []
        self.sockets, self.ports, self.requests = {}, {}, 0
        self.directory = self.new_directory()
        self.postgres = self.started(servers.Postgres(self.directory, "-c", "shared_buffers=1GB", "-c", "max_connections=300",
                                                      "-c", "maintenance_work_mem=512MB", "-c", "max_wal_size=16GB",
                                                      "-c", "wal_level=minimal", "-c", "max_wal_senders=0"))
        self.load(index, LAYOUTS[layout], {**SIZES, **sizes})

    def new_directory(self):
        self.directories.append(servers.make_directory())
        return self.directories[-1]

    def started(self, process):
        self.running.append(process)
        return process

    def load(self, index, layout, sizes):
        schema, data, token_index = layout
        for path in (schema, servers.ROOT / "sql" / "role.sql"):
            self.postgres.load(path, "postgres")
        if not index:
            self.postgres.run("drop index " + token_index)
        options = [item for name, value in sizes.items() for item in ("-v", "%s=%d" % (name, value))]
        self.postgres.load(data, "postgres", *options)
        self.postgres.run("checkpoint")
        os.sync()  # or what is written back meanwhile would be measured, too

    def program(self, name):
        """The unprivileged servers' own copy of a program: they need not see the build directory."""
        path = self.directory / name
        if not path.exists():
            shutil.copy(self.build / name, path)
            path.chmod(0o755)
        return path

    def add_workers(self, name="ours", workers=1, **settings):
        pool = self.started(servers.Workers(self.program("event-matcher-fcgi"), self.new_directory(),
                                            self.postgres.dsn(user="event_matcher"), workers=workers, **settings))
        self.sockets[name] = pool.socket
        servers.wait_until(lambda: self.ask(name, 1, key("superuser", 1)).status == 200, "the workers' database")
        return pool

    def ask(self, name, policy, given):
        return fastcgi.ask(self.sockets[name], fastcgi.URI.format(uuid(policy)), given)

    def add_noop(self, name="noop", body=None):
        """The no-op, with an answer of the size of ours, or of so many bytes."""
        path = self.new_directory() / "noop.sock"
        size = body or len(self.ask("ours", 1, key("superuser", 1)).body)
        noop = self.started(servers.Process([self.program("noop"), "--listen=unix:%s" % path], path.parent, "noop",
                                            {"NOOP_BODY_SIZE": str(size)}))
        noop.wait_ready(lambda: servers.connects(str(path)), "the no-op")
        self.sockets[name] = path
        return noop

    def add_blocking(self, name="blocking"):
        path = self.new_directory() / "blocking.sock"
        blocking = self.started(servers.Process([self.program("blocking"), path, self.postgres.dsn()], path.parent, "blocking"))
        blocking.wait_ready(lambda: servers.connects(str(path)), "the blocking baseline")
        self.sockets[name] = path

    def start_nginx(self):
        """nginx with our own location, before everything added so far, and a static file of our answer's size."""
        directory = self.new_directory()
        location = (servers.ROOT / "nginx" / "event-matcher.conf").read_text()
        (directory / "static").mkdir()
        (directory / "static" / "file").write_bytes(b"0" * len(self.ask("ours", 1, key("superuser", 1)).body))
        blocks = []
        for name, path in self.sockets.items():
            self.ports[name] = servers.free_port()
            # libfcgi holds a thread for each kept connection
            kept = not name.startswith("blocking")
            conf = location.replace("fastcgi_pass event_matcher", "fastcgi_pass " + name)
            (directory / (name + ".conf")).write_text(conf if kept else conf.replace("keep_conn on", "keep_conn off"))
            blocks.append(UPSTREAM % {"name": name, "port": self.ports[name], "keepalive": "keepalive 128;" if kept else "",
                                      "lines": ("server unix:%s max_fails=0; " % path) * 16})
        self.ports["static"] = servers.free_port()
        blocks.append(STATIC % {"port": self.ports["static"]})
        (directory / "bench.conf").write_text(NGINX % "".join(blocks))
        self.nginx = self.started(servers.Process(["nginx", "-p", directory, "-c", directory / "bench.conf"], directory, "nginx"))
        self.nginx.end_signal = servers.signal.SIGQUIT
        self.nginx.wait_ready(lambda: servers.connects(("127.0.0.1", self.ports["static"])), "nginx")

    def write_requests(self, chosen):
        """A file for requests.lua."""
        self.requests += 1
        path = self.directory / ("requests-%d" % self.requests)
        path.write_text("".join("%s %s\n" % (fastcgi.URI.format(uuid(n)), given) for n, given in chosen))
        return path

    def verify(self, chosen, name="ours"):
        """Each answer's body is the row's."""
        with fastcgi.Connection(self.sockets[name]) as connection:
            for n, given in chosen:
                reply = connection.ask(fastcgi.URI.format(uuid(n)), given)
                body = json.loads(reply.body)
                expected = (uuid(n), "policy-%08d" % n, "login_failed", 1)
                assert reply.status == 200, (n, given, reply.raw)
                assert (body["pk"], body["name"], body["action"], body["bound_to"]) == expected, (n, given, body)

    def stop(self):
        """Ends everything, the last started first; no transaction of ours may have been left open."""
        old = self.postgres.run("select count(*) from pg_stat_activity where usename = 'event_matcher' "
                                "and clock_timestamp() - xact_start > '1 s'")
        for process in reversed(self.running):
            process.stop()
        for path in self.directories:
            shutil.rmtree(path)
        assert old[0][0] == 0, "a session of ours has been in a transaction for more than a second"
