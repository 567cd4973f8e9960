# SPDX-License-Identifier: MIT
"""The Compose files and docs/compose.md with a real engine: its commands in turn, and what happens to containers under load."""
import collections
import http.client
import json
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest

import engine
import sample
import servers

LIMIT_MB = 40  # the image, over its base
PASSWORD = 'a+$b%s /="@:#?\\c'

Answer = collections.namedtuple("Answer", "status seconds")
Reply = collections.namedtuple("Reply", "status authentik body")


class Asking:
    """Six clients that ask for a policy on and on, and look at each answer; status 0 is no answer, -1 one that is not ours."""

    def __init__(self, port):
        self.port, self.answers, self.ended = port, [], threading.Event()
        self.threads = [threading.Thread(target=self.ask_on, daemon=True) for _ in range(6)]

    def ask_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.ended.is_set():
            kept, began = connection.sock is not None, time.monotonic()
            status = self.ask(connection)
            if status == 0 and kept:  # a server may close a kept connection at any time: clients ask once more, on a new one
                status = self.ask(connection)
            self.answers.append(Answer(status, time.monotonic() - began))
            self.ended.wait(0.03)

    @staticmethod
    def ask(connection):
        try:
            connection.request("GET", sample.URI, headers=dict(sample.KEY))
            reply = connection.getresponse()
            whole = sample.POLICY.encode() in reply.read()
            return reply.status if whole or reply.status != 200 else -1
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for(20)
        return self

    def wait_for(self, count):
        """Until so many more have been answered rightly."""
        before = self.counted()[200]
        servers.wait_until(lambda: self.counted()[200] >= before + count, "%d more answers" % count)

    def __exit__(self, *failed):
        if not any(failed):
            self.wait_for(100)
        self.ended.set()
        for thread in self.threads:
            thread.join(30)

    def counted(self):
        return collections.Counter(answer.status for answer in list(self.answers))

    def failed(self):
        return {status: count for status, count in self.counted().items() if status != 200}


@pytest.fixture(scope="module")
def images():
    if engine.absence():
        pytest.skip(engine.absence())
    made = engine.Images()
    try:
        made.make()
        yield made
    finally:
        made.remove()


def end(project, command):
    """By the document's own command, after which nothing is left."""
    try:
        project.run(command)
        assert project.left() == [""] * 3
    finally:
        project.remove()


@pytest.fixture(scope="module")
def development(images):
    """The development stack with two containers of ours, by the document's commands."""
    up, _, down = engine.commands("Development")
    project = engine.Project(servers.ROOT, images)
    try:
        lines = up.splitlines()
        project.run(lines[0])
        project.answered = project.run(lines[1])
        project.wait_healthy(1)
        with Asking(project.port) as asking:
            for line, count in zip(lines[2:], (3, 2)):
                project.run(line)
                project.wait_healthy(count)
        project.scaled = asking
        yield project
    finally:
        end(project, down)


def test_the_development_stacks_nginx_asks_as_nginx_does_anywhere():
    """But that it finds containers by their name, and keeps no connection to what may be gone."""
    asked = [set(re.findall(r"^\w.*;$", (servers.ROOT / path).read_text(), re.M)) for path in ("nginx/event-matcher.conf", "compose/event-matcher.conf")]
    assert asked[0] - asked[1] == {"fastcgi_pass event_matcher;", "fastcgi_keep_conn on;", "fastcgi_next_upstream_tries 2;"}
    assert {line.split()[0] for line in asked[1] - asked[0]} == {"resolver", "resolver_timeout", "set", "fastcgi_pass", "fastcgi_next_upstream_tries"}


def test_the_image_is_small_and_without_kerberos_and_ldap(images, figure):
    size = [int(engine.docker("image", "inspect", "-f", "{{.Size}}", image)) for image in (images.program, images.debian)]
    figure("the image over its base, MB", (size[0] - size[1]) / 1e6, LIMIT_MB)
    libraries = engine.docker("run", "--rm", "--network=none", "--entrypoint=ldd", images.program, "/usr/local/sbin/event-matcher-fcgi")
    assert "libssl" in libraries and not [name for name in ("krb5", "gssapi", "ldap", "libpq") if name in libraries]


def test_without_kerberos_libpq_says_so_and_fails(development):
    """What stands in the place of Kerberos is called, as libpq asks for a ticket here."""
    database = "host=postgresql user=event_matcher dbname=authentik gssencmode=require"
    run = subprocess.run(["docker", "run", "--rm", "--network=%s_data" % development.name, development.environment["EVENT_MATCHER_IMAGE"],
                          "--check", "--database=" + database], capture_output=True, text=True)
    assert run.returncode == 1 and "GSSAPI encryption required" in run.stderr, run


def test_the_documents_line_gets_the_policy(development):
    assert json.loads(development.answered)["pk"] == sample.POLICY


def test_containers_that_come_and_go_are_found_without_a_lost_request(development):
    assert development.scaled.failed() == {}


def of_status(pid, *names):
    lines = dict(line.split(":\t", 1) for line in pathlib.Path("/proc/%s/status" % pid).read_text().splitlines() if ":\t" in line)
    return [lines[name].split()[0] for name in names]


def test_nothing_runs_with_privileges_and_the_sandbox_is_on(development):
    for service in ("event-matcher", "nginx", "postgresql"):
        container = development.containers(service)[0]
        pid = engine.docker("inspect", "-f", "{{.State.Pid}}", container)
        assert engine.docker("inspect", "-f", "{{.HostConfig.ReadonlyRootfs}}", container) == "true"
        assert of_status(pid, "CapEff", "NoNewPrivs", "Seccomp") == ["0" * 16, "1", "2"] and of_status(pid, "Uid") != ["0"]
    pid = engine.docker("inspect", "-f", "{{.State.Pid}}", development.containers()[0])
    worker = pathlib.Path("/proc/%s/task/%s/children" % (pid, pid)).read_text().split()[0]
    # The engine's filter, and the worker's own.
    assert int(of_status(worker, "Seccomp_filters")[0]) > int(of_status(pid, "Seccomp_filters")[0]) >= 1


@pytest.mark.parametrize("what", ["kill", "stop", "pause"])
def test_one_of_two_that_is_lost_costs_no_request(development, what):
    container = development.containers()[-1]  # the oldest: of no other had nginx heard at its start
    with Asking(development.port) as asking:
        engine.docker(what, container)
        asking.wait_for(60)
        engine.docker("unpause" if what == "pause" else "start", container)
        development.wait_healthy(2)
    assert asking.failed() == {}
    assert max(answer.seconds for answer in asking.answers) < 10


def test_the_image_is_replaced_container_by_container_without_a_lost_request(development, images):
    build, replace, _ = engine.commands("Development")[1].splitlines()
    development.run(build)
    newer = images.newer()
    with Asking(development.port) as asking:
        development.run(replace)
    assert asking.failed() == {}
    assert {engine.docker("inspect", "-f", "{{.Image}}", container) for container in development.containers()} == {newer}
    assert len(development.containers()) == 2


def test_a_new_configuration_of_nginx_costs_no_request(development):
    hang_up = engine.commands("Development")[1].splitlines()[-1]
    nginx = development.containers("nginx")[0]
    workers = lambda: set(engine.docker("top", nginx, "-eo", "pid,args").split("\n")[2:])
    before = workers()
    with Asking(development.port) as asking:
        development.run(hang_up)
        servers.wait_until(lambda: not before & workers(), "nginx's new workers")
    assert asking.failed() == {}


def test_a_restart_of_the_database_costs_a_few_503_and_heals(development, figure):
    with Asking(development.port) as asking:
        began = time.monotonic()
        development.run("docker-compose restart postgresql")
        asking.wait_for(60)
        print("PostgreSQL's restart: %.1f s, %s" % (time.monotonic() - began, asking.counted()))
    assert set(asking.failed()) <= {503}


def test_a_restart_of_nginx_costs_only_what_comes_meanwhile(development):
    with Asking(development.port) as asking:
        began = time.monotonic()
        development.run("docker-compose restart nginx")
        asking.wait_for(60)
        print("nginx's restart: %.1f s, %s" % (time.monotonic() - began, asking.counted()))
    assert set(asking.failed()) <= {0}


class Beside(engine.Project):
    """authentik's own file and .env in a directory, this checkout beside it, and the document's commands."""

    def __init__(self, path, images):
        (path / "event-matcher-fcgi").symlink_to(servers.ROOT)
        (path / "authentik").mkdir()
        shutil.copy(engine.IMAGES / "authentik.yaml", path / "authentik" / "docker-compose.yml")
        (path / "authentik" / ".env").write_text("PG_PASS='%s'\nPG_USER='us-er'\nPG_DB='d%%b'\nAUTHENTIK_SECRET_KEY=another" % PASSWORD)
        super().__init__(path / "authentik", images)

    def ask(self, path=sample.URI, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers=dict(sample.KEY))
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers.get("X-Authentik"), reply.read())

    def of_authentik(self):
        """Its containers, each of which is started anew where its environment has changed."""
        return [self.containers(service) for service in ("postgresql", "server", "worker")]

    def made(self):
        """What there is of ours in its database, and of volumes."""
        found = engine.docker("exec", self.containers("postgresql")[0], "psql", "-XAtq", "-U", "us-er", "d%b", "-c",
                              "select rolname from pg_roles where rolname ~ 'event_matcher' union select relname from pg_class where relname ~ '^event_matcher'")
        return found.split() + engine.docker("volume", "ls", "-q", "--filter", "name=%s_event-matcher" % self.name).split()

    def make_tables(self):
        """As authentik does at its first start."""
        for name in ("schema", "sample"):
            with open(servers.ROOT / "sql" / (name + ".sql")) as file:
                engine.docker("exec", "-i", self.containers("postgresql")[0], "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "us-er", "d%b", stdin=file)


@pytest.fixture(scope="module")
def beside(images, tmp_path_factory):
    up, more, again, back = engine.commands("Beside authentik")
    project = Beside(tmp_path_factory.mktemp("compose"), images)
    try:
        project.run("docker-compose up -d")
        project.first = project.of_authentik()
        project.said = project.run(up)
        project.before = project.ask()
        project.make_tables()
        project.run(again)
        servers.wait_until(lambda: project.ask().authentik is None, "an answer of ours", 90)
        project.run(more.splitlines()[0])
        project.wait_healthy(2)
        yield project
        assert len(project.made()) > 2
        project.run(back)
        assert project.containers() + project.containers("event-matcher-nginx") + project.made() == []
        project.run("docker-compose up -d")
        assert project.of_authentik() == project.first
        project.run("docker-compose down -v")
    finally:
        project.remove()


def test_beside_authentik_whatever_is_not_ours_is_authentiks(beside):
    assert "authentik: GET 127.0.0.1" in beside.said and beside.before.authentik == "1"
    assert beside.ask().status == 200 and json.loads(beside.ask().body)["pk"] == sample.POLICY
    theirs = [beside.ask(sample.URI + "?page=1"), beside.ask(sample.URI, "PUT"), beside.ask("/"), beside.ask(sample.URI[:-3])]
    assert [(answer.status, answer.authentik) for answer in theirs] == [(200, "1")] * 4
    long = beside.ask("/?next=" + 20000 * "x")
    assert (long.status, long.authentik) == (414, "1"), "for authentik's stand-in, an nginx, to refuse, and not for ours before it"


def test_beside_authentik_none_of_its_containers_is_started_anew(beside):
    assert all(beside.first) and beside.of_authentik() == beside.first


def test_beside_authentik_a_second_up_changes_nothing(beside):
    before = [beside.containers(service) for service in ("event-matcher", "event-matcher-nginx", "server")]
    beside.run("docker-compose up -d --scale event-matcher=2")
    assert [beside.containers(service) for service in ("event-matcher", "event-matcher-nginx", "server")] == before
    servers.wait_until(lambda: not beside.containers("event-matcher-init"), "the role to be made again")
    assert beside.ask().status == 200 and beside.ask().authentik is None


def test_beside_authentik_the_workers_know_none_of_its_secrets(beside):
    container = beside.containers()[0]
    assert "PG_PASS" not in engine.docker("inspect", container) and "SECRET_KEY" not in engine.docker("inspect", container)
    written = engine.docker("exec", container, "stat", "-c", "%a %s", "/password/event_matcher")
    assert written == "444 48"


def test_beside_authentik_an_upgrade_of_ours_and_the_loss_of_one_cost_no_request(beside, images):
    _, build, replace = engine.commands("Beside authentik")[1].splitlines()
    beside.run(build)
    newer = images.newer()
    with Asking(beside.port) as asking:
        beside.run(replace)
        engine.docker("kill", beside.containers()[0])
    assert asking.failed() == {}
    assert {engine.docker("inspect", "-f", "{{.Image}}", container) for container in beside.containers()} == {newer}


def test_beside_authentik_it_answers_while_all_of_ours_are_gone(beside):
    for container in beside.containers():
        engine.docker("stop", container)
    servers.wait_until(lambda: beside.ask().authentik == "1", "authentik's answer")
    replies = [beside.ask() for _ in range(10)]
    assert [(reply.status, reply.authentik) for reply in replies] == [(200, "1")] * 10
