# SPDX-License-Identifier: MIT
"""What the benchmark runs against: PostgreSQL with its rows, pools of ours, what they are compared with, nginx before all."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

from callers import key, uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import fastcgi  # noqa: E402
import servers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SIZES = {"policies": 10000, "groups": 10, "depth": 1, "memberships": 5, "tokens": 0, "large": 0}
SYSTEM = servers.ROOT / "tests" / "system"
# Of authentik's newest layout, and of that of its releases up to 2025.10: the schema, the rows, the index on access tokens.
LAYOUTS = {"alone": (servers.ROOT / "sql" / "schema.sql", HERE / "data.sql", "authentik_p_token_e00883_hash"),
           "tree": (SYSTEM / "tree" / "schema.sql", HERE / "data_tree.sql", "event_matcher_accesstoken_token")}

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
PROXY = """proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Request-Id $request_id;"""
LOCATION = (servers.ROOT / "nginx" / "event-matcher.conf").read_text()
UNKEPT = ("keep_conn on", "keep_conn off")
# All that a request has to know in one statement, and the settings by which its plan is right and cheap: peer/src/session.rs.
STATEMENT = re.sub(r"^--.*\n", "", (HERE / "peer" / "sql" / "scalar.sql").read_text(), flags=re.M)
SESSION = " ".join("-c " + setting for setting in (
    "plan_cache_mode=force_generic_plan", "jit=off", "max_parallel_workers_per_gather=0", "enable_seqscan=off", "enable_hashjoin=off",
    "enable_mergejoin=off", "enable_bitmapscan=off", "enable_memoize=off", "join_collapse_limit=1"))


def default_workers(program):
    """As many as the program starts where nobody says how many."""
    settings = subprocess.run([program, "--listen=unix:/unused", "--database=host=unused", "--dump-config"], check=True,
                              capture_output=True, text=True).stdout
    return int(re.search(r"^workers = (\d+)", settings, re.M).group(1))


def knows(program, setting):
    """Has the program that setting?"""
    return "  --%s=" % setting in subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout


class Shipped(servers.Workers):
    """A pool with the settings that the program has of itself: those by which the tests are patient are left out."""

    def __init__(self, program, directory, database, **settings):
        super().__init__(program, directory, database, **{**dict.fromkeys(servers.PATIENCE), **settings})


class UnixHTTP(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("peer")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def verify_row(reply, n, given):
    """The answer is that of data.sql's n-th policy."""
    body = json.loads(reply.body)
    assert reply.status == 200, (n, given, reply.raw)
    assert (body["pk"], body["name"], body["action"], body["bound_to"]) == (uuid(n), "policy-%08d" % n, "login_failed", 1), (n, given, body)


class Stack:
    """All of it in directories of its own; ports has nginx's port for each name once start_nginx has been called."""

    def __init__(self, build, index=True, layout="alone", **sizes):
        self.build, self.running, self.directories = pathlib.Path(build), [], []
        self.sockets, self.locations, self.ports, self.roots, self.requests = {}, {}, {}, {}, 0
        self.directory = self.new_directory()
        self.workers = default_workers(self.program("event-matcher-fcgi"))
        self.postgres = self.started(servers.Postgres(self.directory, "-c", "shared_buffers=1GB", "-c", "max_connections=300",
                                                      "-c", "maintenance_work_mem=512MB", "-c", "max_wal_size=16GB",
                                                      "-c", "wal_level=minimal", "-c", "max_wal_senders=0"))
        self.load(index, LAYOUTS[layout], {**SIZES, **sizes})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

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
        path = self.directory / pathlib.Path(name).name
        if not path.exists():
            shutil.copy(self.build / name, path)
            path.chmod(0o755)
        return path

    def add_workers(self, name="ours", workers=None, **settings):
        """A pool of ours: as many workers as the program starts of itself, or so many."""
        pool = self.started(Shipped(self.program("event-matcher-fcgi"), self.new_directory(), self.dsn(),
                                    workers=workers or self.workers, **settings))
        self.add(name, pool, pool.socket, LOCATION)
        servers.wait_until(lambda: self.ask(name, 1, key("superuser", 1)).status == 200, "the workers' database")
        return pool

    def add(self, name, process, path, location):
        """Something that nginx is to stand before, and the location by which it does."""
        self.sockets[name], self.roots[name] = path, process.pid
        self.locations[name] = location.replace("fastcgi_pass event_matcher", "fastcgi_pass " + name)

    def add_other(self, name, location, program, *arguments, **environment):
        """One of those that ours is compared with, once it takes connections; "SOCKET" stands for the socket's path."""
        path = self.new_directory() / (name + ".sock")
        filled = [str(text).replace("SOCKET", str(path)) for text in (*arguments, *environment.values())]
        process = self.started(servers.Process([self.program(program), *filled[:len(arguments)]], path.parent, name,
                                               dict(zip(environment, filled[len(arguments):]))))
        process.wait_ready(lambda: servers.connects(str(path)), name)
        self.add(name, process, path, location)

    def add_noop(self, name="noop", body=None):
        """The no-op, with an answer of the size of ours, or of so many bytes."""
        size = body or len(self.ask("ours", 1, key("superuser", 1)).body)
        self.add_other(name, LOCATION, "noop", "--listen=unix:SOCKET", NOOP_BODY_SIZE=size)

    def add_blocking(self, name="blocking"):
        """libfcgi's threads; each would be held by a kept connection."""
        self.add_other(name, LOCATION.replace(*UNKEPT), "blocking", "SOCKET", "%s options='%s'" % (self.dsn(), SESSION), STATEMENT)

    def add_peer(self, mode, program):
        """The Rust service, with one of its two ways to ask; a thread and a session for each of our workers."""
        self.add_other(mode, PROXY % mode, program, PEER_SOCKET="SOCKET", PEER_DATABASE=self.dsn(), PEER_MODE=mode, PEER_THREADS=self.workers)

    def dsn(self):
        return self.postgres.dsn(user="event_matcher")

    def ask(self, name, policy, given):
        return fastcgi.ask(self.sockets[name], fastcgi.URI.format(uuid(policy)), given)

    def start_nginx(self):
        """nginx with our own location, before everything added so far, and a static file of our answer's size."""
        directory = self.new_directory()
        (directory / "static").mkdir()
        (directory / "static" / "file").write_bytes(b"0" * len(self.ask("ours", 1, key("superuser", 1)).body))
        blocks = []
        for name, path in self.sockets.items():
            self.ports[name] = servers.free_port()
            (directory / (name + ".conf")).write_text(self.locations[name])
            blocks.append(UPSTREAM % {"name": name, "port": self.ports[name], "keepalive": "keepalive 128;" * (UNKEPT[1] not in self.locations[name]),
                                      "lines": ("server unix:%s max_fails=0; " % path) * 16})
        self.ports["static"] = servers.free_port()
        blocks.append(STATIC % {"port": self.ports["static"]})
        (directory / "bench.conf").write_text(NGINX % "".join(blocks))
        self.nginx = self.started(servers.Process(["nginx", "-p", directory, "-c", directory / "bench.conf"], directory, "nginx"))
        self.nginx.end_signal = servers.signal.SIGQUIT
        self.nginx.wait_ready(lambda: servers.connects(("127.0.0.1", self.ports["static"])), "nginx")

    def requests_of(self, chosen, name="ours"):
        """A file of requests, whose answers have all been compared with the rows."""
        self.verify(chosen, name)
        return self.write_requests(chosen)

    def write_requests(self, chosen):
        """A file for requests.lua and for the paced client."""
        self.requests += 1
        path = self.directory / ("requests-%d" % self.requests)
        path.write_text("".join("%s %s\n" % (fastcgi.URI.format(uuid(n)), given) for n, given in chosen))
        return path

    def verify(self, chosen, name="ours"):
        """Each answer's body is the row's; sixteen are asked for at a time."""
        with contextlib.ExitStack() as opened:
            connections = [opened.enter_context(fastcgi.Connection(self.sockets[name])) for _ in range(16)]
            for at in range(0, len(chosen), 16):
                asked = list(zip(connections, chosen[at:at + 16]))
                for connection, (n, given) in asked:
                    connection.send(fastcgi.request(fastcgi.parameters(fastcgi.URI.format(uuid(n)), headers=[("Authorization", "Bearer " + given)])))
                for connection, (n, given) in asked:
                    verify_row(connection.reply(), n, given)

    def verify_same(self, chosen, name):
        """Each answer of a peer has our status, and where that is 200 the same bytes and type."""
        peer = UnixHTTP(self.sockets[name])
        with fastcgi.Connection(self.sockets["ours"]) as connection:
            for n, given in chosen:
                ours = connection.ask(fastcgi.URI.format(uuid(n)), given)
                peer.request("GET", fastcgi.URI.format(uuid(n)), headers={"Authorization": "Bearer " + given})
                reply = peer.getresponse()
                found = reply.status, reply.getheader("Content-Type"), reply.read()
                expected = ours.status, ours.headers["content-type"], ours.body
                assert found == expected or found[0] == expected[0] != 200, (name, n, given, found, expected)
        peer.close()

    def components(self, name):
        """Whose CPU a request costs that goes there: the process at the root of each, None: nobody."""
        return {"nginx": self.nginx.pid, "worker": self.roots.get(name), "PostgreSQL": self.postgres.pid}

    def sessions(self):
        """The processes of PostgreSQL that serve ours, or a peer."""
        return [pid for pid, in self.postgres.run("select pid from pg_stat_activity where usename = 'event_matcher'")]

    def stop(self):
        """Ends everything, the last started first; no transaction of ours may have been left open."""
        old = self.postgres.run("select count(*) from pg_stat_activity where usename = 'event_matcher' "
                                "and clock_timestamp() - xact_start > '1 s'")
        for process in reversed(self.running):
            process.stop()
        for path in self.directories:
            shutil.rmtree(path)
        assert old[0][0] == 0, "a session of ours has been in a transaction for more than a second"


def usual(build, twin=True, **options):
    """The stack of most comparisons: a pool of ours, and another one that is to be measured like a variant: the A/A."""
    stack = Stack(build, **options)
    try:
        stack.pool = stack.add_workers()
        if twin:
            stack.add_workers("twin")
        return stack
    except BaseException:
        stack.stop()
        raise
