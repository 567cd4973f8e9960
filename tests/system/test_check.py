# SPDX-License-Identifier: MIT
"""What --check says: a line for each thing that an operator asks, each of them seen to be bad once, and the same for machines."""
import json
import os
import re
import shutil
import socket
import subprocess

import jsonschema
import psycopg
import pytest

import sample
import servers
from servers import ROOT

SCHEMA = json.loads((ROOT / "docs" / "check.schema.json").read_text())
NAMES = SCHEMA["properties"]["findings"]["items"]["properties"]["name"]["enum"]
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def check(program, database, *arguments, prefix=(), **environment):
    dsn = database if isinstance(database, str) else database.dsn
    return subprocess.run([*prefix, program, *arguments, "--database=" + dsn], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                          env={**os.environ, "HOME": "/nonexistent", **environment}, **servers.unprivileged())


def findings(program, database, *arguments, code=0, **options):
    """Of each name the verdicts, what was found, and what to do; what is for machines has the form that is promised."""
    result = check(program, database, "--check=json", *arguments, **options)
    found = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    assert result.returncode == code and found["result"] == ("bad" if code else "good") and bool(found["fault"]) == bool(code), result
    return {line["name"]: (line["verdict"], line["found"], line["remedy"]) for line in found["findings"]}


def bad(found):
    return {name for name, (verdict, _, _) in found.items() if verdict != "good"}


# What is good
def test_a_good_database_has_a_line_of_each_name_on_one_screen(program, own):
    own.run("create table authentik_tenants_tenant (schema_name text, ready boolean); insert into authentik_tenants_tenant values ('public', true); "
            "grant select on authentik_tenants_tenant to event_matcher")
    result = check(program, own, "--check", "--listen=127.0.0.1:%d" % servers.free_port(), AUTHENTIK_POSTGRESQL__READ_REPLICAS__0__HOST="x")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and result.stderr == "" and lines.pop() == "settings and database are good"
    assert [line[6:18].rstrip() for line in lines] == NAMES and len(lines) <= 24 and max(map(len, lines)) <= 160
    assert {line[:6] for line in lines} == {"good  "}


def test_a_good_database_is_described(program, alone):
    found = findings(program, alone)
    assert bad(found) == set()
    assert re.fullmatch(r"event-matcher-fcgi \S+, libpq \d+\.\d+, \d+ workers", found["program"][1])
    assert found["server"][1].startswith("PostgreSQL ") and str(alone.server.directory) in found["server"][1]
    assert found["layout"][1] == "layout roles_user_groups: authentik 2026.2 and later" and found["standby"][1] == "no"
    assert found["role"][1] == "event_matcher: no attributes, member of no role" and found["pooler"][1] == "none was seen"
    assert abs(float(re.match(r"the server's is (\d+) ms (?:ahead of|behind) this host's", found["clock"][1])[1])) < 1000


def test_the_manual_names_every_line():
    manual = (ROOT / "event-matcher-fcgi.8.in").read_text()
    assert [name for name in NAMES if ".It Li %s\n" % name not in manual] == [] and len(NAMES) == len(set(NAMES)) > 20


# What is bad in the database: the change, the line, its verdict, a part of what it says and of what to do
CHANGES = {
    "a table is missing": ("drop table guardian_roleobjectpermission", "tables", "fail", "the table guardian_roleobjectpermission is missing", "migration"),
    "a column is missing": ("alter table authentik_core_token rename expiring to x", "columns", "fail", "the column authentik_core_token.expiring is missing", "migration"),
    "a column of another type": ("alter table authentik_core_token alter key type bytea using key::bytea", "columns", "fail", "has the type bytea, not text", "newer"),
    "a grant is revoked": ("revoke select (key) on authentik_core_token from event_matcher", "privileges", "fail",
                           "the privilege to select the column authentik_core_token.key is missing", "sql/role.sql"),
    "the schema is closed": ("revoke usage on schema public from public, event_matcher", "schema", "fail", "the schema, or the privilege to use it", "sql/role.sql"),
    "row-level security": ("alter table authentik_core_token enable row level security", "row security", "fail",
                           "row-level security hides rows of the table authentik_core_token", "BYPASSRLS"),
    "a new column": ("alter table authentik_policies_event_matcher_eventmatcherpolicy add severity text", "new columns", "warn", "the column severity", "newer release"),
    "a grant to write": ("grant update on authentik_core_user to event_matcher", "writing", "warn", "may write to 1 of the tables", "sql/role.sql"),
    "no index": ("drop index authentik_p_token_e00883_hash", "index", "warn", "no valid index", "sql/index.sql"),
    "no permission": ("truncate auth_permission cascade", "permission", "warn", "no permission view_eventmatcherpolicy", "migrations"),
    "two tenants": ("create table authentik_tenants_tenant (schema_name text, ready boolean); insert into authentik_tenants_tenant values ('a', true), "
                    "('b', true); grant select on authentik_tenants_tenant to event_matcher", "tenants", "warn", "authentik has 2 tenants", "--schema")}


@pytest.mark.parametrize("sql, name, verdict, said, remedy", CHANGES.values(), ids=CHANGES)
def test_what_is_bad_in_the_database_is_its_line_and_what_to_do(program, own, sql, name, verdict, said, remedy):
    own.run(sql)
    found = findings(program, own, code=1 if verdict == "fail" else 0)
    assert found[name][0] == verdict and said in found[name][1] and remedy in found[name][2]
    assert bad(found) == ({name, "sessions"} if verdict == "fail" else {name})
    text = check(program, own, "--check").stdout
    assert re.search(r"^%s  %-12s  .*%s.*: .*%s" % (verdict, name, re.escape(said[:30]), re.escape(remedy)), text, re.M)


def test_a_view_in_a_tables_place_is_a_warning(program, own):
    sample.intercept(own, "null")
    found = findings(program, own)
    assert bad(found) == {"views"} and "not a table but a view: authentik_policies_policy;" in found["views"][1]


def test_a_table_of_somebody_elses_is_named(program, own):
    owner = "else_" + own.name
    own.run("create role %s; alter table guardian_rolemodelpermission owner to %s" % (owner, owner))
    try:
        found = findings(program, own, code=1)
        assert found["owners"][0] == "fail" and "guardian_rolemodelpermission is of an owner" in found["owners"][1]
    finally:
        own.run("drop table guardian_rolemodelpermission; drop role " + owner)


def test_a_role_that_may_do_more_is_a_warning(program, alone):
    found = findings(program, alone.owner_dsn)
    assert bad(found) == {"role", "writing"} and found["role"][1].startswith("postgres: superuser, createrole, ") and "event_matcher" in found["role"][2]


def test_the_roles_of_which_a_role_is_a_member_are_named(program, own):
    role = "member_of_" + own.name
    own.run("create role %s login createdb in role event_matcher, pg_monitor" % role)
    try:
        assert findings(program, own.server.dsn(own.name, role))["role"][:2] == ("warn", role + ": createdb, member of event_matcher, pg_monitor")
    finally:
        own.run("drop role " + role)


def test_every_missing_thing_of_an_empty_database_is_named(program, own):
    own.run("drop schema public cascade; create schema public; grant usage on schema public to public")
    assert findings(program, own, code=1)["tables"][1].count(" is missing") == 16


# The connection
def test_what_a_server_says_is_not_said_to_the_terminal(program):
    result = check(program, "host=/nonexistent/\x1b[31m user=x", "--check")
    assert result.returncode == 1 and r"\x1b[31m" in result.stdout and r"\x1b[31m" in result.stderr
    assert not any(ord(character) < 0x20 for character in (result.stdout + result.stderr).replace("\n", ""))


def test_a_server_that_cannot_be_reached_is_named_without_a_password(program):
    found = findings(program, "host=/nonexistent user=x password=secretword", code=1)
    assert found["server"][0] == "fail" and "No such file" in found["server"][1] and "secretword" not in str(found) and "tables" not in found


@pytest.mark.parametrize("mode, said", [("session", "gives each client a session"), ("transaction", "lends sessions by the transaction"),
                                        ("statement", "lends sessions by the statement")])
def test_a_pooler_is_told_with_its_mode(program, start_pgbouncer, alone, mode, said):
    pooler = start_pgbouncer(alone.server, mode)
    assert said in findings(program, pooler.dsn(alone.name))["pooler"][1]


def test_a_pooler_with_room_for_one_session_is_no_fault(program, start_pgbouncer, alone):
    pooler = start_pgbouncer(alone.server, "session", size=1)
    assert bad(findings(program, pooler.dsn(alone.name))) == set()


def test_tls_is_told_with_protocol_cipher_and_certificate(program, guarded):
    guarded.run("alter role event_matcher password 'secretword'")
    dsn = "host=localhost port=%d dbname=em user=event_matcher password=secretword " % guarded.port
    found = findings(program, dsn)
    assert re.fullmatch(r"TLSv1\.\d, \S+, the server's certificate is not verified", found["encryption"][1]) and bad(found) == set()
    verified = findings(program, dsn + "sslmode=verify-full sslrootcert=%s/certificate" % guarded.directory)["encryption"]
    assert verified[0] == "good" and verified[1].endswith("certificate is verified")
    assert "localhost (127.0.0.1) port %d" % guarded.port in found["server"][1] or "localhost (::1) port" in found["server"][1]


class Distant(servers.Guarded):
    """The same in a network of its own, where it has an address that is none of loopback's; inside is what runs a program there."""

    NETWORK = ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "sh", "-c",
               'ip link set lo up && ip address add 192.0.2.2/32 dev lo && exec "$@"', "sh"]

    def start_again(self):
        self.arguments = [*self.NETWORK, *self.arguments, "-c", "listen_addresses=localhost,192.0.2.2"]
        super().start_again()
        self.inside = ["nsenter", "--preserve-credentials", "--user", "--net", "--target", str(self.pid)]


@pytest.fixture
def distant():
    path = servers.make_directory()
    server = Distant(path)
    for name in ("schema.sql", "sample.sql", "role.sql"):
        server.load(ROOT / "sql" / name, "postgres")
    with (server.data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 192.0.2.2/32 trust\n")
    server.run("select pg_reload_conf()")
    yield server
    server.stop()
    shutil.rmtree(path)


def test_a_connection_that_leaves_the_machine_is_to_be_encrypted_and_verified(program, distant):
    dsn = "host=192.0.2.2 port=%d dbname=postgres user=event_matcher sslmode=" % distant.port
    servers.wait_until(lambda: check(program, dsn + "disable", "--check", prefix=distant.inside).returncode == 0, "the rule that lets us in")
    found = findings(program, dsn + "disable", prefix=distant.inside)
    assert bad(found) == {"encryption"} and found["encryption"][1] == "none" and "sslmode=verify-full" in found["encryption"][2]
    found = findings(program, dsn + "require", prefix=distant.inside)
    assert bad(found) == {"encryption"} and "not verified" in found["encryption"][1] and "pose as the server" in found["encryption"][2]


def test_a_standby_is_told(program, alone, directory):
    path = servers.make_directory()
    subprocess.run([servers.BIN / "pg_basebackup", "-D", path / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h", alone.server.directory,
                    "-U", "postgres"], check=True, capture_output=True, cwd=path, **servers.unprivileged())
    standby = servers.Postgres(path)
    try:
        assert findings(program, standby.dsn(alone.name, "event_matcher"))["standby"][1].startswith("yes")
    finally:
        standby.stop()
        shutil.rmtree(path)


@pytest.mark.parametrize("offset, said", [("+1h", "behind this host's"), ("-1h", "ahead of this host's")])
def test_a_clock_that_is_off_is_a_warning(plain, alone, offset, said):
    assert os.path.exists(FAKETIME)
    found = findings(plain, alone, LD_PRELOAD=FAKETIME, FAKETIME=offset, FAKETIME_DONT_FAKE_MONOTONIC="1")
    assert bad(found) == {"clock"} and said in found["clock"][1] and abs(int(re.search(r"(\d+) ms", found["clock"][1])[1]) - 3600000) < 10000


# Where it would listen
def test_each_address_has_a_line(program, alone, directory):
    port = servers.free_port()
    result = check(program, alone, "--check", "--listen=unix:%s/check.sock 127.0.0.1:%d" % (directory, port))
    assert re.findall(r"^good  listen        (.*)$", result.stdout, re.M) == ["unix:%s/check.sock is free" % directory, "127.0.0.1:%d is free" % port]
    assert not (directory / "check.sock").exists() and not servers.connects(("127.0.0.1", port))


def test_a_pool_that_serves_there_is_told_from_another_program(program, start_workers, alone, directory):
    workers = start_workers(alone)
    assert findings(program, alone, "--listen=unix:" + workers.socket)["listen"][:2] == ("good", "unix:%s: a pool of this program serves there" % workers.socket)
    with socket.socket(socket.AF_UNIX) as another, socket.create_server(("127.0.0.1", 0)) as tcp:
        another.bind(str(directory / "another.sock"))
        os.chmod(directory / "another.sock", 0o777)
        another.listen()
        for address in ("unix:%s/another.sock" % directory, "127.0.0.1:%d" % tcp.getsockname()[1]):
            found = findings(program, alone, "--listen=" + address, code=1)
            assert bad(found) == {"listen"} and found["listen"][1] == address + " is taken: another program listens there"


def test_the_socket_of_the_metrics_has_a_line_too(program, start_workers, alone):
    port = servers.free_port()
    given = ("--metrics-listen=127.0.0.1:%d" % port,)
    assert findings(program, alone, *given)["listen"][:2] == ("good", "127.0.0.1:%d is free" % port)
    workers = start_workers(alone, metrics_listen="127.0.0.1:%d" % port)
    assert bad(findings(program, alone, "--listen=unix:" + workers.socket, *given)) == set()
    assert findings(program, alone, *given, code=1)["listen"][:2] == ("fail", "127.0.0.1:%d is taken: another program listens there" % port)


def test_a_place_where_nothing_can_be_made_is_named(program, alone, directory):
    closed = directory / "closed"
    closed.mkdir(mode=0o555)
    (directory / "a-file").write_text("")
    for address, said in (("unix:/nonexistent/x.sock", "making a file in the directory /nonexistent: No such file or directory"),
                          ("unix:%s/x.sock" % closed, "making a file in the directory %s: Permission denied" % closed),
                          ("unix:%s/a-file" % directory, "a-file: Address already in use"), ("192.0.2.1:9000", "listening on 192.0.2.1:9000: Cannot assign")):
        found = findings(program, alone, "--listen=" + address, code=1)
        assert bad(found) == {"listen"} and said in found["listen"][1]
    found = findings(program, alone, "--listen=unix:%s/y.sock" % directory, "--listen-group=no-such-group", code=1)
    assert "looking for the group no-such-group" in found["listen"][1]


def test_a_left_over_socket_is_free(program, alone, directory):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(directory / "left.sock"))
    os.chmod(directory / "left.sock", 0o777)
    assert findings(program, alone, "--listen=unix:%s/left.sock" % directory)["listen"][1].endswith("left.sock is free")


# Its exit code
def test_a_mistake_in_the_settings_is_exit_code_2_and_says_so_as_ever(program, alone):
    result = check(program, alone, "--check=json", "--workers=65")
    assert result.returncode == 2 and result.stdout == "" and "workers is to be between 0 and 64" in result.stderr


def test_a_check_changes_nothing_and_leaves_no_session(program, own):
    before = own.run("select count(*) from pg_stat_activity where datname = '%s'" % own.name)
    assert check(program, own, "--check").returncode == 0
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        servers.wait_until(lambda: owner.execute("select count(*) - 1 from pg_stat_activity where datname = %s", [own.name]).fetchone()[0] <= before[0][0] - 1,
                           "its sessions to end")
