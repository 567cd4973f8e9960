# SPDX-License-Identifier: MIT
"""The database: what is missing is named, a loss is healed, errors are what the contract says, the role is enough."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import psycopg
import pytest

import fastcgi
import metrics
import sample
import servers
from sample import ADMIN, POLICIES, URI

UNAVAILABLE = (503, {"detail": "Service temporarily unavailable."})
LATE = (504, {"detail": "The database did not answer in time."})
ERROR = (500, {"detail": "Internal server error."})


def ask(workers, key=ADMIN):
    reply = fastcgi.ask(workers.socket, URI, key)
    assert (reply.headers.get("retry-after") == "1") == (reply.status == 503)
    return reply.status, json.loads(reply.body)


def serves(workers):
    return ask(workers)[0] == 200


def check(program, dsn, *arguments):
    return subprocess.run([program, "--check", "--database=" + dsn, *arguments], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)


@pytest.fixture
def own_postgres():
    """A server of the test's own, to stop and start."""
    path = servers.make_directory()
    server = servers.Postgres(path)
    for name in ("schema.sql", "sample.sql", "role.sql"):
        server.load(servers.ROOT / "sql" / name, "postgres")
    running = [server]
    yield running
    running[-1].stop()
    subprocess.run(["rm", "-r", str(path)], check=True)


@pytest.mark.parametrize("change, missing", [
    ("drop table guardian_roleobjectpermission", "the table guardian_roleobjectpermission is missing"),
    ("alter table authentik_core_token rename expiring to x", "the column authentik_core_token.expiring is missing"),
    ("revoke select (key) on authentik_core_token from event_matcher",
     "the privilege to select the column authentik_core_token.key is missing"),
    ("revoke usage on schema public from public, event_matcher", "the schema, or the privilege to use it, is missing")])
def test_check_names_what_is_missing(program, own, change, missing):
    own.run(change)
    result = check(program, own.dsn)
    assert result.returncode == 1 and result.stderr.endswith("in schema public %s\n" % missing)


def test_check_names_every_missing_thing_of_an_empty_database(program, own):
    own.run("drop schema public cascade; create schema public; grant usage on schema public to public")
    assert check(program, own.dsn).stderr.count(" is missing") == 16


def test_check_names_a_database_that_cannot_be_reached_without_its_password(program, tmp_path):
    result = check(program, "host=%s user=x password=secret" % tmp_path)
    assert result.returncode == 1 and "No such file" in result.stderr and "secret" not in result.stderr


def test_another_schema_is_found_by_its_name(program, own, start_workers):
    own.run('alter schema public rename to "Te nant"')
    assert check(program, own.dsn).returncode == 1
    assert check(program, own.dsn, "--schema=Te nant").returncode == 0
    assert serves(start_workers(own, schema="Te nant"))


def test_a_database_that_is_not_ready_yet_is_waited_for(start_workers, own):
    own.run("alter table authentik_core_user rename to migrating")
    workers = start_workers(own, has_database=False, database_wait="1s")
    servers.wait_until(lambda: "the table authentik_core_user is missing" in workers.log(), "the missing table to be named")
    assert ask(workers) == UNAVAILABLE
    own.run("alter table migrating rename to authentik_core_user")
    servers.wait_until(lambda: serves(workers), "the service")
    assert workers.log().count("the table authentik_core_user is missing") == 1


def test_a_table_that_goes_while_serving_gives_503_is_named_and_healed(start_workers, own):
    workers = start_workers(own, database_wait="500ms")
    assert serves(workers)
    own.run("alter table authentik_policies_policybinding rename to gone")
    assert ask(workers) == UNAVAILABLE
    servers.wait_until(lambda: "authentik_policies_policybinding is missing" in workers.log(), "the table to be named")
    own.run("alter table gone rename to authentik_policies_policybinding")
    servers.wait_until(lambda: serves(workers), "the service")


def seconds_until_unavailable(workers):
    started = time.monotonic()
    assert ask(workers) == UNAVAILABLE
    return time.monotonic() - started


def test_a_lost_database_gives_503_and_heals_by_itself(start_workers, own_postgres):
    workers = start_workers(own_postgres[0].dsn(user="event_matcher"), database_wait="2s")
    assert serves(workers)
    own_postgres[0].stop()
    servers.wait_until(lambda: ask(workers) == UNAVAILABLE, "a 503")
    assert min(seconds_until_unavailable(workers) for _ in range(5)) < 1  # who waits, waits 2 seconds
    own_postgres.append(servers.Postgres(own_postgres[0].directory))
    servers.wait_until(lambda: serves(workers), "the service")


def test_a_start_without_a_database_serves_once_it_is_there(start_workers, own_postgres):
    own_postgres[0].stop()
    workers = start_workers(own_postgres[0].dsn(user="event_matcher"), has_database=False, database_wait="1s")
    assert ask(workers) == UNAVAILABLE
    own_postgres.append(servers.Postgres(own_postgres[0].directory))
    servers.wait_until(lambda: serves(workers), "the service")


def test_a_request_outlives_a_restart(start_workers, own_postgres):
    workers = start_workers(own_postgres[0].dsn(user="event_matcher"))
    assert serves(workers)
    own_postgres[0].stop()
    with fastcgi.Connection(workers.socket, timeout=60) as connection:
        connection.send(sample.request())
        own_postgres.append(servers.Postgres(own_postgres[0].directory))
        assert connection.reply().status == 200


def test_backends_that_are_terminated_cost_no_request(start_workers, own):
    workers = start_workers(own)
    assert serves(workers)
    for _ in range(20):
        own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' "
                "and datname = '%s'" % own.name)
        assert serves(workers)


def test_a_server_that_is_stopped_gives_504_at_the_deadline(start_workers, own):
    workers = start_workers(own, request_timeout="500ms", statement_timeout="400ms")
    assert serves(workers)
    backends = [pid for pid, in own.run("select pid from pg_stat_activity where usename = 'event_matcher' "
                                        "and datname = '%s'" % own.name)]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert ask(workers) == LATE
        assert 0.4 < time.monotonic() - started < 20  # connecting anew may take 60
        servers.wait_until(lambda: serves(workers), "a new connection")
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def held(own):
    """A database where who reads POLICY waits for a lock while the test holds it; the list is of the waiting backends."""
    sample.intercept(own, "perform pg_advisory_xact_lock_shared(1)")
    own.waiting = lambda: [pid for pid, in own.run("select pid from pg_locks where locktype = 'advisory' and not granted")]
    with psycopg.connect(own.owner_dsn) as lock:
        lock.execute("select pg_advisory_xact_lock(1)")
        yield own


def test_a_question_whose_batch_is_overdue_a_second_time_is_answered_504(start_workers, held):
    workers, stopped = start_workers(held, statement_timeout="2s"), []
    with fastcgi.Connection(workers.socket) as client:
        client.send(sample.request())
        try:
            for _ in range(2):
                servers.wait_until(lambda: set(held.waiting()) - set(stopped), "a backend to wait for the lock")
                stopped += set(held.waiting()) - set(stopped)
                os.kill(stopped[-1], signal.SIGSTOP)  # or it would end the statement by itself
            assert client.reply().status == 504
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    assert workers.log().count("it did not answer within statement_timeout") == 2


def test_a_question_whose_client_has_gone_is_not_asked_again(start_workers, held):
    workers = start_workers(held, log_level="debug")
    with fastcgi.Connection(workers.socket) as client:
        client.send(sample.request())
        servers.wait_until(held.waiting, "the question to be with the database")
    servers.wait_until(lambda: "the peer has closed it" in workers.log(), "the client's end to be noticed")
    held.run("select pg_terminate_backend(%d)" % held.waiting()[0])
    servers.wait_until(lambda: workers.log().count("the PostgreSQL connection is ready") == 2, "another connection")
    with fastcgi.Connection(workers.socket, timeout=20) as another:  # who would wait behind it
        assert another.ask(fastcgi.URI.format(POLICIES[1]), ADMIN).status == 200
    assert held.waiting() == []


def test_more_token_lookups_than_allowed_are_told_503(start_workers, own):
    workers = start_workers(own, max_token_lookups=2)
    assert ask(workers, "sample-token-admin")[0] == 200  # the session for them is there
    with psycopg.connect(own.owner_dsn) as lock, contextlib.ExitStack() as kept:
        lock.execute("lock table authentik_providers_oauth2_accesstoken in access exclusive mode")
        clients = [kept.enter_context(fastcgi.Connection(workers.socket)) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(sample.request(key="nobody-%d" % number))
            if number == 0:
                servers.wait_until(lambda: own.run("select count(*) from pg_locks where not granted")[0][0], "the first to wait")
        assert serves(workers)  # so the others have been asked about before, and wait behind the first
        with fastcgi.Connection(workers.socket, timeout=20) as surplus:
            assert surplus.ask(URI, "nobody").status == 503
        lock.rollback()
        assert [client.reply().status for client in clients] == [403] * 3


FAILURES = {
    "57014": LATE, "53300": UNAVAILABLE, "53200": UNAVAILABLE, "42501": UNAVAILABLE, "42P01": UNAVAILABLE,
    "42703": UNAVAILABLE, "42883": UNAVAILABLE, "42804": UNAVAILABLE, "3F000": UNAVAILABLE, "55000": UNAVAILABLE,
    "55006": UNAVAILABLE, "72000": UNAVAILABLE, "HV00N": UNAVAILABLE, "58030": UNAVAILABLE, "25006": UNAVAILABLE, "08006": UNAVAILABLE, "57P03": UNAVAILABLE,
    "42601": ERROR, "XX000": ERROR, "42P18": ERROR, "22012": ERROR, "40001": UNAVAILABLE, "40P01": UNAVAILABLE, "0A000": ERROR, "57P01": UNAVAILABLE}


@pytest.mark.parametrize("sqlstate", FAILURES)
def test_an_error_of_the_database_is_told_by_its_class_and_nothing_else(start_workers, own, sqlstate):
    sample.fail(own, sqlstate)
    workers = start_workers(own)
    other = fastcgi.URI.format(POLICIES[1])
    assert fastcgi.ask(workers.socket, other, ADMIN).status == 200
    assert ask(workers) == FAILURES[sqlstate]
    servers.wait_until(lambda: fastcgi.ask(workers.socket, other, ADMIN).status == 200, "the service")


def test_one_bad_row_fails_only_its_own_question_of_a_batch(start_workers, own):
    sample.intercept(own, "return (1 / 0)::text")
    workers = start_workers(own)
    good = fastcgi.URI.format(POLICIES[1])
    connections = [fastcgi.Connection(workers.socket) for _ in range(20)]
    for number, connection in enumerate(connections):
        connection.send(sample.request(good if number % 2 else URI))
    assert [connection.reply().status for connection in connections] == [500, 200] * 10
    for connection in connections:
        connection.socket.close()


def test_a_permission_that_appears_later_is_found(start_workers, own):
    own.run("create table kept as select * from auth_permission; create table grants as select * from "
            "guardian_rolemodelpermission; truncate auth_permission cascade")
    workers = start_workers(own)
    assert serves(workers) and ask(workers, "sample-key-auditor")[0] == 403
    assert "no permission view_eventmatcherpolicy" in workers.log()
    own.run("insert into auth_permission select * from kept; insert into guardian_rolemodelpermission select * from grants")
    servers.wait_until(lambda: ask(workers, "sample-key-auditor")[0] == 200, "the permission")
    own.run("truncate auth_permission cascade; update kept set id = 77; update grants set permission_id = 77; "
            "insert into auth_permission select * from kept; insert into guardian_rolemodelpermission select * from grants")
    servers.wait_until(lambda: ask(workers, "sample-key-auditor")[0] == 200, "the permission under another id")


def test_an_index_that_comes_or_goes_is_noticed_and_planned_with(start_workers, own):
    own.run("drop index authentik_p_token_e00883_hash")
    workers = start_workers(own)
    assert ask(workers, "sample-token-admin")[0] == 200
    for count, change in enumerate(["create index on authentik_providers_oauth2_accesstoken (token, id)",
                                    "drop index authentik_providers_oauth2_accesstoken_token_id_idx"], 1):
        own.run(change)
        servers.wait_until(lambda: workers.log().count("has come or gone") == count, "the change to be noticed")
        assert ask(workers, "sample-token-admin")[0] == 200
        assert workers.log().count("for access tokens is ready") == count + 1
    assert workers.log().count("no valid index") == 1  # it is no news the second time


def test_a_batch_that_waits_behind_a_slow_one_is_not_taken_for_a_lost_connection(start_workers, own):
    """The first two batches need a table that is locked, each until its statement_timeout; the third does not."""
    workers = start_workers(own, statement_timeout="600ms", log_level="debug", known_answers=0)
    assert serves(workers) and ask(workers, "sample-key-employee")[0] == 403  # whose rights are asked for along from now on
    with psycopg.connect(own.owner_dsn) as lock, contextlib.ExitStack() as kept:
        lock.execute("lock table guardian_roleobjectpermission in access exclusive mode")
        clients = [kept.enter_context(fastcgi.Connection(workers.socket)) for _ in range(101)]
        for number, client in enumerate(clients):
            if number == 1:
                servers.wait_until(lambda: own.run("select count(*) from pg_locks where not granted")[0][0], "the first batch to wait")
            if number == 100:
                servers.wait_until(lambda: metrics.read(metrics.ask(workers))["event_matcher_requests_in_flight"] == 100, "the second to be sent")
            client.send(sample.request(key="sample-key-employee" if number < 2 else ADMIN))
        got = [client.reply().status for client in clients]
    assert got[:2] == [504, 504] and got[-1] == 200 and set(got) == {200, 504}, got
    assert "is lost" not in workers.log()


def test_what_the_server_says_is_a_line_of_the_log_as_any_other(start_workers, own):
    workers = start_workers(own)
    assert serves(workers)
    own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % own.name)
    servers.wait_until(lambda: "is lost: " in workers.log(), "the loss to be noticed")
    assert serves(workers)
    for line in workers.log().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (error|warning|info) \d+ \S", line), line
    assert "terminating connection due to administrator command" in workers.log(), workers.log()


def test_the_keys_never_reach_the_log(start_workers, own):
    workers = start_workers(own, log_level="debug", database_wait="500ms")
    ask(workers)
    ask(workers, "a-key-that-nobody-has")
    own.run("alter table authentik_core_token rename to gone")
    ask(workers)
    assert ADMIN not in workers.log() and "nobody-has" not in workers.log()


ALLOWED = {"authentik_core_token": "token_uuid, key, intent, expiring, expires, user_id"}


@pytest.mark.parametrize("sql", [
    "select username from authentik_core_user", "select identifier from authentik_core_token",
    "select * from authentik_core_token", "select name from authentik_core_group",
    "update authentik_core_token set key = ''", "delete from authentik_policies_policy",
    "insert into authentik_rbac_role (name) values ('x')", "truncate authentik_core_token", "create table public.x ()",
    "create schema x", "create role x", "select pg_read_file('/etc/passwd')", "copy (select 1) to program 'true'",
    "select lo_import('/etc/passwd')", "set role postgres", "alter role event_matcher superuser"])
def test_the_role_is_refused_everything_else(alone, sql):
    with psycopg.connect(alone.dsn, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql)


def test_role_sql_runs_as_the_tables_owner_with_createrole(own, start_workers):
    owner = "owner_of_" + own.name
    own.run("create role %s login createrole" % owner)
    try:
        own.run("grant event_matcher to %s with admin option" % owner)  # as who has created it would have
        own.run("alter database %s owner to %s; alter schema public owner to %s" % (own.name, owner, owner))
        for table, in own.run("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'm')"):
            own.run("alter table %s owner to %s" % (table, owner))
        own.run("revoke select on all tables in schema public from event_matcher")
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", servers.ROOT / "sql" / "role.sql",
                        own.server.dsn(own.name, owner)], check=True, capture_output=True)
        assert serves(start_workers(own))
    finally:
        own.run("reassign owned by %s to postgres; drop owned by %s; drop role %s" % (owner, owner, owner))


def test_role_sql_may_run_again_and_with_a_password_and_schema(own, start_workers):
    path = servers.ROOT / "sql" / "role.sql"
    own.run("alter schema public rename to tenant")
    own.server.load(path, own.name, "-v", "schema=tenant", "-v", "password=it's")
    assert serves(start_workers(own, schema="tenant"))


# What each table of the list in role.sql has: the layouts that need it, whether it is granted whole, its columns.
NEEDED = [(set(layouts.split(",")), table, share == "whole", {pair.split(" ")[0] for pair in columns.split(", ")})
          for layouts, table, share, columns in re.findall(r"\('\{(.*)\}', '(\w+)', '(whole|columns)',\s+'(.*)'\)", servers.needed())]
MEMBERS = {"alone": "authentik_core_user_groups", "tree": "authentik_core_user_ak_groups"}
OF_LAYOUT = {"alone": "roles_user_groups", "tree": "tree"}


def needed_columns(layout):
    return {(table, column) for layouts, table, _, columns in NEEDED if OF_LAYOUT[layout] in layouts for column in columns}


def privileges(database):
    """The tables that the role may select whole, and the columns of others."""
    whole = {table for table, in database.run("select table_name from information_schema.table_privileges where "
                                              "grantee = 'event_matcher' and privilege_type = 'SELECT'")}
    columns = database.run("select table_name, column_name from information_schema.column_privileges where "
                           "grantee = 'event_matcher' and privilege_type = 'SELECT'")
    return whole, {(table, column) for table, column in columns if table not in whole}


def test_the_role_may_select_the_tables_and_columns_that_are_needed_and_no_others(either):
    whole, columns = privileges(either)
    wanted = needed_columns(either.layout)
    secret = {table for _, table, is_whole, _ in NEEDED if not is_whole}
    there = {table for table, in either.run("select relname from pg_class where relkind = 'r'")}  # views have no entry there
    assert whole & secret == set() and whole >= {table for table, _ in wanted if table in there} - secret
    assert whole <= {table for _, table, _, _ in NEEDED} and columns == {pair for pair in wanted if pair[0] in secret}
    assert secret == {"authentik_core_token", "authentik_providers_oauth2_accesstoken", "authentik_core_user", "authentik_core_group"}


def test_each_schema_has_every_column_that_its_layout_needs(either):
    there = either.run("select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid "
                       "where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped")
    assert needed_columns(either.layout) <= set(there) and len(needed_columns(either.layout)) > 40


@pytest.mark.parametrize("layout", OF_LAYOUT)
def test_a_table_is_named_in_one_way_for_each_layout(layout):
    tables = [table for layouts, table, _, _ in NEEDED if OF_LAYOUT[layout] in layouts]
    assert len(tables) == len(set(tables)) == 16


def test_the_statements_run_in_psql(either):
    either.run("create table if not exists authentik_tenants_tenant (schema_name text, ready boolean)")
    for path in sorted((servers.ROOT / "sql" / "statements").glob("*.sql")):
        if not path.stem.endswith({"alone": "_tree", "tree": "_roles"}[either.layout]):
            either.server.load(path, either.name, *servers.psql_variables(MEMBERS[either.layout]))


# The indexes of sql/index.sql, their tables, and the statements that are to use them.
INDEXES = {"event_matcher_accesstoken_token": ("authentik_providers_oauth2_accesstoken", {"access_token": "array['x']"}),
           "event_matcher_token_key": ("authentik_core_token", {"caller": "array['x'], null, null", "caller_known": "array['x'], null",
                                                                "caller_one": "'x', null"})}


def make_indexes(database, *options):
    return subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-f", servers.ROOT / "sql" / "index.sql", database.owner_dsn],
                          capture_output=True, text=True)


def test_index_sql_makes_indexes_that_the_lookups_use(own):
    own.run("drop index authentik_p_token_e00883_hash; alter schema public rename to tenant")
    assert make_indexes(own, "-v", "schema=tenant").returncode == 0
    own.run("alter schema tenant rename to public")
    own.run("insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope) "
            "select 1, 't' || n, '' from generate_series(1, 20000) n; analyze authentik_providers_oauth2_accesstoken")
    with psycopg.connect(own.dsn) as connection:
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.execute(servers.statement("session_lookup"))
        for index, (_, statements) in INDEXES.items():
            for name, parameters in statements.items():
                connection.execute(servers.statement(name))
                plan = "\n".join(row for row, in connection.execute("explain execute %s (%s)" % (name, parameters)))
                assert "using %s on" % index in plan, plan


def test_index_sql_makes_no_second_index_of_access_tokens(own):
    assert make_indexes(own).returncode == make_indexes(own).returncode == 0
    made = own.run("select relname::text from pg_class where relname ~ '^event_matcher_'")
    assert made == [("event_matcher_token_key",)]


@pytest.mark.parametrize("index", INDEXES)
def test_index_sql_says_where_an_index_of_its_own_is_invalid(own, index):
    own.run("drop index authentik_p_token_e00883_hash")
    assert make_indexes(own).returncode == 0
    own.run("update pg_index set indisvalid = false where indexrelid = '%s'::regclass" % index)
    result = make_indexes(own)
    assert result.returncode == 3 and "the index %s is invalid" % index in result.stderr
    assert "drop index concurrently %s; and again" % index in result.stderr
    own.run("drop index concurrently %s" % index)
    assert make_indexes(own).returncode == 0


def test_index_sql_does_not_take_what_has_its_name_for_its_index(own):
    own.run("create index event_matcher_token_key on authentik_core_group (name)")
    assert "the index event_matcher_token_key is invalid" in make_indexes(own).stderr
