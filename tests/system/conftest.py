# SPDX-License-Identifier: MIT
"""The servers that the tests share: one PostgreSQL a run, databases made from templates, workers and nginx on demand."""
import functools
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import machine
import servers

SHARED = servers.ROOT.parent / "shared" / "authentik"
# Where the schema and the sample data are: alone has authentik's newest layout, tree that of the releases up to 2025.10.
# The recorded releases, each with its folder there.
RELEASES = {"2024.8": "", "2025.10": "2025.10/", "2025.12": "2025.12/", "2026.8": "2026.8/"}
LAYOUTS = {"alone": servers.ROOT / "sql", "tree": servers.ROOT / "tests" / "system" / "tree"}


def shared(name):
    """A file of the recordings; without it the test is skipped, but not in CI."""
    path = SHARED / name
    if not path.exists():
        assert os.environ.get("CI") != "true", "%s is missing, and CI must not go without" % path
        pytest.skip("the recordings are not here: %s" % path)
    return path


def install(package, path, *options):
    """A package from PyPI, into a folder of its own, for this run alone; without PyPI the test is skipped."""
    result = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--retries=1", "--timeout=15", "--root-user-action=ignore",
                             *options, "--target", path, package], capture_output=True, text=True)
    if result.returncode:
        pytest.skip("%s cannot be had from PyPI: %s" % (package, (result.stderr.strip() or "?").splitlines()[-1]))


MARKERS = ["recorded: needs the recordings of authentik; skipped where they are not, but not in CI",
           "once: looks at no program that is given, or proves nothing of it: need not run on each build",
           "known: about known answers; nothing can be seen of them where EVENT_MATCHER_KNOWN_ANSWERS is 0",
           "machines: starts machines, containers or hosts of their own; once as well"]
KNOWN = ["test_freshness.py", "test_freshness_exceptions.py"]
MACHINES = ["test_cluster.py", "test_compose.py", "test_kubernetes.py", "test_package.py", "test_trixie.py", "test_tutorial.py"]


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_runtest_setup(item):
    """Here, before any fixture: no server is started for nothing, and all skips have one place, so one line."""
    if item.get_closest_marker("recorded"):
        shared("recorded.jsonl")


@pytest.fixture
def figure(request):
    """figure(name, value, limit) notes a measured value beside its limit, and holds it; all are listed at the end of the run."""

    def note(name, value, limit):
        text = "%s: %s (at most %s)" % (name, "%.3g" % value if isinstance(value, float) else value, limit)
        print(text)
        request.node.user_properties.append(("figure", text))
        assert value <= limit, text

    return note


def pytest_terminal_summary(terminalreporter):
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind) if report.when == "call"]
    figures = sorted(text for report in reports for name, text in report.user_properties if name == "figure")
    if figures:
        terminalreporter.section("figures beside their limits")
        terminalreporter.write_line("\n".join(figures))


# The tests that take longest, in this order: they start first, each by itself, so that none is left to one process alone.
LONGEST = ["test_a_permission_that_appears_later_is_found", "test_an_index_that_comes_or_goes_is_noticed_and_planned_with",
           "test_backends_that_are_terminated_cost_no_request", "test_make_distcheck_builds_from_the_tarball_alone",
           "test_a_peer_that_makes_progress_outlives_receive_timeout", "test_a_promotion_is_seen",
           "test_what_reaches_other_sessions_after_its_commit_is_seen_after_the_next_reading_of_the_facts",
           "test_a_standby_is_never_answered_from_what_was_known_and_a_promoted_one_is_again",
           "test_what_does_not_follow_from_a_snapshot_is_never_known_from_its_first_answer_on",
           "test_of_ten_thousand_answers_each_after_an_update_none_is_stale", "test_what_is_known_is_found_anew_after_each_reading_of_the_facts",
           "test_hosts_that_are_upgraded_one_by_one_cost_no_request",
           "test_each_expression_of_the_dashboard_finds_a_value_in_a_real_prometheus"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Says of each test whether it is to run once, and what is to stay together: a file, whose tests share servers."""
    for item in items:
        if item.path.name in KNOWN:
            item.add_marker("known")
        if item.path.name in MACHINES:
            item.add_marker("machines")
        if "program" not in item.fixturenames or item.path.name in MACHINES:
            item.add_marker("once")
        item.add_marker(pytest.mark.xdist_group(item.originalname if item.originalname in LONGEST else item.path.name))
    items.sort(key=lambda item: LONGEST.index(item.originalname) if item.originalname in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def directory():
    path = servers.make_directory()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def program(directory):
    """A copy that the unprivileged user can read, wherever the checkout is."""
    built = pathlib.Path(os.environ.get("EVENT_MATCHER_FCGI", servers.ROOT / "build" / "event-matcher-fcgi"))
    copy = directory / "event-matcher-fcgi"
    shutil.copy(built, copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture(scope="session")
def postgres(directory):
    server = servers.Postgres(directory)
    for layout, path in LAYOUTS.items():
        server.run("create database %s_template" % layout)
        for file in (path / "schema.sql", path / "sample.sql", servers.ROOT / "sql" / "role.sql"):
            server.load(file, layout + "_template")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def recorded(postgres):
    """recorded(release): that authentik's database as it was recorded, with our role; loaded once, not to be changed."""

    @functools.cache
    def load(release):
        path, name = shared(RELEASES[release] + "database.sql"), "recorded_" + release.replace(".", "_")
        postgres.run("create database " + name)
        postgres.load(path, name, "-o", "/dev/null")
        postgres.load(servers.ROOT / "sql" / "role.sql", name)
        return servers.Database(postgres, name)

    return load


@pytest.fixture(scope="session")
def debian(tmp_path_factory):
    """A bare Debian 12 with systemd; what the package depends on waits in apt's cache."""
    path = machine.debootstrap("bookworm", ["systemd", "systemd-sysv"], tmp_path_factory.mktemp("debian") / "bookworm")
    subprocess.run(["chroot", path, "apt-get", "install", "-y", "-q", "--download-only", "libpq5", "libseccomp2", "libsodium23", "libuv1", "libyajl2"],
                   check=True, capture_output=True)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder with the packages that a clone's build leaves beside it, by the commands of docs/install.md."""
    import test_build  # which knows what a clone is
    folder = tmp_path_factory.mktemp("built")
    (folder / "clone").mkdir()
    for line in machine.commands("install.md", "Build")[0].splitlines():
        result = test_build.run(line.split(), test_build.check_out(folder / "clone"))
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return folder


@pytest.fixture(scope="session")
def package(built):
    return next(built.glob("event-matcher-fcgi_*.deb"))


def make_database(postgres, template, request):
    name = "t_" + str(abs(hash((request.node.nodeid, template))))
    postgres.run("create database %s template %s" % (name, template))
    yield servers.Database(postgres, name)
    postgres.run("drop database %s with (force)" % name)


@pytest.fixture(scope="module")
def alone(postgres, request):
    """A database made from sql/schema.sql and sql/sample.sql, for this module."""
    yield from make_database(postgres, "alone_template", request)


@pytest.fixture
def own(postgres, request):
    """The same, for one test that changes it."""
    yield from make_database(postgres, "alone_template", request)


@pytest.fixture(scope="module")
def tree(postgres, request):
    """A database of the old layout, with the same sample data, for this module."""
    yield from make_database(postgres, "tree_template", request)


@pytest.fixture
def own_tree(postgres, request):
    """The same, for one test that changes it."""
    yield from make_database(postgres, "tree_template", request)


@pytest.fixture(params=LAYOUTS)
def either(postgres, request):
    """A database of each layout in turn, for one test that changes it."""
    for database in make_database(postgres, request.param + "_template", request):
        database.layout = request.param
        yield database


@pytest.fixture
def copy(postgres, recorded, request):
    """copy(release): the same, for one test that changes it."""
    made = []

    def make(release):
        made.append(make_database(postgres, recorded(release).name, request))
        return next(made[-1])

    yield make
    for database in made:
        next(database, None)


def factory(kind, *fixed):
    """Starts servers of a kind, and at the end stops those that still run, in reverse order."""
    started = []

    def start(*arguments, **options):
        path = servers.make_directory()
        started.append((path, None))
        started[-1] = (path, kind(*fixed, path, *arguments, **options))
        return started[-1][1]

    yield start
    running = [server for _, server in reversed(started) if server]
    codes = [server.stop() - server.expected_code for server in running]
    logs = [server.log() for server in running]
    for path, _ in started:
        shutil.rmtree(path)
    assert not any(codes), "a server ended with %s: %s" % (codes, logs)
    assert [fault for server, log in zip(running, logs) for fault in server.faults if fault in log] == [], logs


@pytest.fixture(scope="module")
def guarded():
    """A server that lets our role in over TLS with a password only."""
    directory = servers.make_directory()
    server = servers.Guarded(directory)
    server.run("create database em")
    for path in ("schema.sql", "sample.sql", "role.sql"):
        server.load(servers.ROOT / "sql" / path, "em")
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def quiet_postgres():
    """One that nobody else writes to, so that what is known stays known until a test says otherwise."""
    directory = servers.make_directory()
    server = servers.Postgres(directory, "-c", "autovacuum=off", "-c", "max_prepared_transactions=10")
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
def still(quiet_postgres, start_workers):
    """still(**settings): a database of one test's own on that server, and a pool of workers that serves it."""
    made = []

    def make(**settings):
        name = "still_%d" % len(quiet_postgres.run("select from pg_database"))
        quiet_postgres.run("create database " + name)
        made.append(servers.Database(quiet_postgres, name))
        servers.load_sample(quiet_postgres, name)
        return made[-1], start_workers(made[-1], **settings)

    yield make
    for database in made:
        quiet_postgres.run("drop database %s with (force)" % database.name)


@pytest.fixture
def start_workers(program):
    yield from factory(servers.Workers, program)


@pytest.fixture(scope="session")
def plain(directory):
    """The plain program: a library that is preloaded gets in a sanitizer's way."""
    copy = directory / "plain"
    shutil.copy(os.environ.get("EVENT_MATCHER_PLAIN", servers.ROOT / "build" / "event-matcher-fcgi"), copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture
def start_plain(plain):
    yield from factory(servers.Workers, plain)


@pytest.fixture(scope="module")
def start_module_workers(program):
    yield from factory(servers.Workers, program)


@pytest.fixture
def start_pgbouncer():
    yield from factory(servers.Pgbouncer)


@pytest.fixture
def start_nginx():
    yield from factory(servers.Nginx)


@pytest.fixture(scope="module")
def start_module_nginx():
    yield from factory(servers.Nginx)


@pytest.fixture(scope="module")
def workers(start_module_workers, alone):
    """Workers on the sample data that this module's tests share."""
    return start_module_workers(alone)


@pytest.fixture(scope="module")
def nginx(start_module_nginx, workers):
    """nginx with the configuration as shipped, in front of those workers."""
    return start_module_nginx(workers.socket)


@pytest.fixture(scope="module")
def fail_malloc():
    """The library that lets an allocation fail: fail_malloc.c says which."""
    directory = servers.make_directory()
    library = directory / "fail_malloc.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).with_name("fail_malloc.c")], check=True)
    yield library
    shutil.rmtree(directory)
