# SPDX-License-Identifier: MIT
"""What others in the database, in front of the workers or beside them must not be able to do."""
import os
import re
import subprocess

import pytest

import fastcgi
import sample
import servers
from sample import ADMIN, MIXED, URI

SQL = servers.ROOT / "sql"
CALLED = " ".join(sorted({name for path in [*SQL.glob("*.sql"), *SQL.glob("statements/*.sql")]
                          for name in re.findall(r"(\w+) ?\(", path.read_text())}))
TEMPORARY = "create temporary table pg_{0} (nothing int);\n"


def said(database, since):
    """What hostile objects have said in the server's log, which is all of the server's tests'."""
    return re.findall(r"hostile: .*", database.server.log()[since:])


def invade(database, mallory, *places):
    """Lets mallory, who may create in these schemas, leave there whatever others may run into."""
    text = (servers.ROOT / "tests" / "system" / "hostile.sql").read_text().replace("mallory", mallory)
    for place in places:
        database.run('grant create, usage on schema "%s" to %s' % (place, mallory))
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "place=" + place, "-v", "names=" + CALLED, database.owner_dsn],
                       input=text, text=True, check=True, capture_output=True)


@pytest.fixture
def hostile(either):
    """A database where mallory has done so; a superuser's psql has temporary tables, too."""
    name = "mallory_of_" + either.name
    either.run("create role %s; create schema other" % name)
    invade(either, name, "public", "other")
    yield either
    either.run("drop owned by %s cascade" % name)
    either.run("drop role " + name)


def check(program, database, *arguments):
    return subprocess.run([program, "--check", "--database=" + database.dsn, *arguments], capture_output=True, text=True)


def answers(workers):
    """What each caller gets for the first policy."""
    return {key: fastcgi.ask(workers.socket, URI, key).status for key in [*MIXED, "mallory"]}


EXPECTED = {**{key: statuses[0] for key, statuses in MIXED.items()}, "mallory": 403}


def test_nothing_that_others_have_made_in_the_database_is_ever_called(start_workers, program, hostile):
    start = len(hostile.server.log())
    assert answers(start_workers(hostile)) == EXPECTED and check(program, hostile).returncode == 0
    tables = "".join(TEMPORARY.format(name) for name in ("namespace", "class", "attribute", "index", "roles"))
    for file in ("role.sql", "index.sql"):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", hostile.owner_dsn], check=True, capture_output=True,
                       input=tables + (SQL / file).read_text(), text=True)
    assert said(hostile, start) == []


def test_what_is_searched_before_the_servers_own_and_a_schema_of_the_roles_name_change_nothing(start_workers, program, own):
    """"$user" is searched first where nobody says otherwise, and a database or a role may say worse."""
    name = "mallory_of_" + own.name
    own.run("create role %s; create schema event_matcher; create schema postgres; grant usage on schema event_matcher, postgres to public" % name)
    try:
        invade(own, name, "event_matcher", "postgres")
        own.run("alter database %s set search_path = 'postgres, event_matcher, public, pg_catalog'" % own.name)
        own.run("alter role event_matcher in database %s set search_path = 'event_matcher, public, pg_catalog'" % own.name)
        start = len(own.server.log())
        assert answers(start_workers(own)) == EXPECTED and check(program, own).returncode == 0
        for file in ("role.sql", "index.sql"):
            own.server.load(SQL / file, own.name)
        assert said(own, start) == []
    finally:
        own.run("alter role event_matcher in database %s reset all" % own.name)
        own.run("set search_path = pg_catalog; drop owned by %s cascade; drop role %s" % (name, name))


def test_a_superuser_who_loads_the_schema_and_the_data_calls_nothing_of_others(start_workers, postgres):
    name = "mallorys_own"
    postgres.run("create database " + name)
    database = servers.Database(postgres, name)
    try:
        database.run("create role mallory_of_the_schema; create schema postgres; grant usage on schema postgres to public")
        invade(database, "mallory_of_the_schema", "public", "postgres")
        start = len(postgres.log())
        for file in ("schema.sql", "sample.sql", "role.sql", "index.sql"):
            postgres.load(SQL / file, name, "-o", "/dev/null")
        assert said(database, start) == []
        placed = database.run("select distinct schemaname::text from pg_catalog.pg_tables "
                              "where tablename::text operator(pg_catalog.~) '^authentik_'::text")
        assert placed == [("public",)]
        workers = start_workers(database)
        assert answers(workers) == EXPECTED and said(database, start) == [] and workers.stop() == 0
    finally:
        postgres.run("drop database %s with (force)" % name)
        postgres.run("drop role mallory_of_the_schema")


@pytest.mark.parametrize("stops", [0, 1])
def test_a_superuser_who_loads_the_data_into_a_table_of_somebody_elses_calls_nothing_of_theirs(postgres, stops):
    """Which was there before the schema was loaded, and that was told."""
    postgres.run("create database mallorys_table")
    try:
        database = servers.Database(postgres, "mallorys_table")
        database.run("create role mallory_of_the_table; grant create on schema public to mallory_of_the_table; set role mallory_of_the_table; "
                     "create table public.authentik_policies_policy (policy_uuid uuid, name text, execution_logging boolean); "
                     "create function public.spy() returns trigger language plpgsql as $$ begin raise 'hostile: a trigger'; end $$; "
                     "create trigger spy before insert on public.authentik_policies_policy for each row execute function public.spy()")
        start = len(postgres.log())
        for file in ("schema.sql", "sample.sql"):
            subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=%d" % stops, "-f", SQL / file, database.owner_dsn], capture_output=True)
        assert said(database, start) == [] and "neither you nor the owner of the database owns authentik_policies_policy" in postgres.log()[start:]
    finally:
        postgres.run("drop database mallorys_table with (force)")
        postgres.run("drop role mallory_of_the_table")


def test_the_hostile_objects_are_called_by_whoever_searches_their_schema(hostile):
    """Or the test above would prove nothing."""
    start = len(hostile.server.log())
    for asked in ("unnest('{a}'::text[])", "format('%s', 1)", "'a'::varchar = 'a'::varchar"):
        with pytest.raises(Exception, match="hostile: "):
            hostile.run("select set_config('search_path', 'public, pg_catalog', false)")
            hostile.server.run("set search_path = public, pg_catalog; select " + asked, hostile.name)
    assert len(said(hostile, start)) == 3


def test_a_table_that_somebody_else_made_says_nothing_of_who_belongs_to_what(start_workers, program, own):
    own.run("create role eve_of_%s; grant create on schema public to eve_of_%s" % (own.name, own.name))
    try:
        own.run("create table authentik_core_user_ak_groups as select id as user_id, group_uuid as group_id from authentik_core_user, "
                "authentik_core_group; alter table authentik_core_user_ak_groups owner to eve_of_%s; "
                "grant select on authentik_core_user_ak_groups to public" % own.name)
        assert "layout roles_user_groups" in check(program, own).stdout and answers(start_workers(own)) == EXPECTED
    finally:
        own.run("drop owned by eve_of_%s; drop role eve_of_%s" % (own.name, own.name))


def test_a_needed_table_that_somebody_else_made_is_not_taken(program, own):
    own.run("create role eve_of_%s; grant create on schema public to eve_of_%s" % (own.name, own.name))
    try:
        own.run("alter table authentik_core_user_roles owner to eve_of_%s" % own.name)
        missing = "authentik_core_user_roles is of an owner who may not act as that of authentik_core_token"
        assert missing in check(program, own).stderr
    finally:
        own.run("drop owned by eve_of_%s; drop role eve_of_%s" % (own.name, own.name))


def test_a_table_that_is_replaced_while_it_serves_is_not_taken_from_somebody_else(start_workers, own):
    """A restore, or a migration, lets the name go for a moment: a prepared statement reads whatever has it then."""
    eve = "eve_of_" + own.name
    own.run("create role %s; grant create on schema public to %s; grant select on authentik_core_group_roles to %s" % (eve, eve, eve))
    try:
        workers = start_workers(own, database_wait="0s")
        assert answers(workers) == EXPECTED
        own.run("alter table authentik_core_group_roles rename to away; set role %s; create table authentik_core_group_roles as "
                "select * from away; grant select on authentik_core_group_roles to public" % eve)
        said = "authentik_core_group_roles is of an owner who may not act as that of authentik_core_token"
        servers.wait_until(lambda: said in workers.log(), "it to be noticed")
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
        own.run("drop table authentik_core_group_roles; alter table away rename to authentik_core_group_roles")
        servers.wait_until(lambda: fastcgi.ask(workers.socket, URI, ADMIN).status == 200, "it to serve again")
    finally:
        own.run("drop owned by %s; drop role %s" % (eve, eve))


@pytest.mark.parametrize("made", ["type public.guardian_userobjectpermission as (user_id int, permission_id int, object_pk text)",
                                  "index guardian_userobjectpermission on public.eves (user_id)",
                                  "table public.authentik_tenants_tenant (schema_name text)"], ids=["a type", "an index", "tenants"])
def test_what_somebody_else_has_made_under_a_tables_name_does_not_stop_the_grants(own, made):
    eve = "eve_of_" + own.name
    own.run("create role %s; grant create on schema public to %s" % (eve, eve))
    try:
        own.run("set role %s; create table public.eves (user_id int); create %s" % (eve, made))
        own.server.load(SQL / "role.sql", own.name)
    finally:
        own.run("drop owned by %s; drop role %s" % (eve, eve))


def test_a_view_in_the_place_of_the_tenants_is_not_read(start_workers, own):
    own.run("create role eve_of_%s; grant create on schema public to eve_of_%s" % (own.name, own.name))
    try:
        own.run("set role eve_of_%s; create function public.spy() returns text language plpgsql as $$ begin raise 'hostile: spy'; "
                "end $$; create view public.authentik_tenants_tenant as select public.spy() as schema_name, true as ready; "
                "grant select on public.authentik_tenants_tenant to public" % own.name)
        start = len(own.server.log())
        assert answers(start_workers(own)) == EXPECTED and said(own, start) == []
    finally:
        own.run("drop owned by eve_of_%s; drop role eve_of_%s" % (own.name, own.name))


RLS = "alter table authentik_policies_policybinding enable row level security"


def test_row_level_security_is_named_and_nothing_is_answered_without_the_hidden_rows(start_workers, program, either):
    workers = start_workers(either, database_wait="0s")
    assert answers(workers) == EXPECTED
    either.run(RLS)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
    hidden = "row-level security hides rows of the table authentik_policies_policybinding from this role"
    assert hidden in check(program, either).stderr
    servers.wait_until(lambda: hidden in workers.log(), "the log to name the table")
    either.run(RLS.replace("enable", "disable"))
    servers.wait_until(lambda: fastcgi.ask(workers.socket, URI, ADMIN).status == 200, "it to serve again")


def test_a_role_that_row_level_security_does_not_bind_sees_all(program, own):
    own.run(RLS)
    assert check(program, own).returncode == 1
    owner = "owner_of_" + own.name
    own.run("create role %s login bypassrls in role event_matcher" % owner)
    try:
        assert subprocess.run([program, "--check", "--database=" + own.server.dsn(own.name, owner)], capture_output=True).returncode == 0
    finally:
        own.run("drop role " + owner)


def test_a_view_in_a_tables_place_is_served_with_a_warning(start_workers, program, own):
    sample.intercept(own, "null")
    warning = "not a table but a view: authentik_policies_policy;"
    workers = start_workers(own)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and warning in workers.log()
    assert "\nwarn  views         " + warning in check(program, own).stdout


def test_a_materialized_view_in_a_tables_place_is_served_with_a_warning(start_workers, program, own):
    own.run("alter table authentik_policies_policybinding rename to base; create materialized view authentik_policies_policybinding as "
            "select * from base; grant select on authentik_policies_policybinding to event_matcher")
    warning = "not a table but a materialized view: authentik_policies_policybinding;"
    workers = start_workers(own)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and warning in workers.log()
    assert "\nwarn  views         " + warning in check(program, own).stdout


SECRETS = ["postgresql://u:p@secretword@db/em", "postgresql://u:secret%word@db/em", "password=two secretwords",
           "postgresql://u:secret/word@db/em", "postgresql://u@db:secret/em", "host=a port=secret", "password='secret",
           "host=a connect_timeout=secret", "password=two secret=word", "u:secret@db/em", "sslmode=secret", "host=db;user=u;password=secret",
           "host=a,password=secret", "dbname=postgresql://u:secret@db/em", "postgresql://db/em;password=secret"]


@pytest.mark.parametrize("given", SECRETS)
@pytest.mark.parametrize("role", ["--check", "--listen=unix:/nonexistent/socket"])
def test_a_fault_in_the_connection_string_is_told_without_its_text(program, given, role):
    result = subprocess.run([program, role, "--database=" + given], capture_output=True, text=True)
    assert result.returncode == 2 and "database: " in result.stderr
    assert not re.search("secret|word@|two", result.stdout + result.stderr)


@pytest.mark.parametrize("variables, name", [
    ({"PGHOST": "postgresql://u:secret@db/em"}, "host"), ({"PGDATABASE": "postgresql://u:secret@db/em"}, "dbname"),
    ({"PGUSER": "u;password=secret"}, "user"), ({"PGPORT": "secret"}, "port"), ({"PGSSLMODE": "secret"}, "sslmode"),
    ({"AUTHENTIK_POSTGRESQL__HOST": "postgresql://u:secret@db/em"}, "host")])
def test_a_fault_of_a_variable_is_told_without_its_text(program, variables, name):
    for role in ("--check", "--listen=unix:/nonexistent/socket"):
        result = subprocess.run([program, role], capture_output=True, text=True, env={**os.environ, **variables})
        assert result.returncode == 2 and "database: its %s " % name in result.stderr
        assert "secret" not in result.stdout + result.stderr


def test_a_fault_of_a_service_file_is_told_without_its_text_also_where_it_comes_later(start_workers, program, own, directory):
    services = directory / "faulty_service.conf"
    good = "[em]\nhost=%s\nuser=event_matcher\ndbname=%s\n" % (own.server.directory, own.name)
    services.write_text(good)
    services.chmod(0o644)
    workers = start_workers("service=em", environment={"PGSERVICEFILE": str(services)})
    services.write_text("[em]\nhost=postgresql://u:secret@db/em\n")
    own.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = current_database()")
    servers.wait_until(lambda: "its host is to be a list of names" in workers.log(), "the log to name the keyword")
    result = subprocess.run([program, "--check", "--database=service=em"], capture_output=True, text=True,
                            env={**os.environ, "PGSERVICEFILE": str(services)})
    assert result.returncode == 2 and "secret" not in workers.log() + result.stdout + result.stderr
    services.write_text(good)
    servers.wait_until(lambda: fastcgi.ask(workers.socket, URI, ADMIN).status == 200, "it to serve again")


@pytest.mark.parametrize("arguments", [["--database=password=two", "secretwords"], ["--database", "host=a", "password=secret"],
                                       ["--databse=postgresql://u:secret@db/em"], ["--database=a", "-secret"]])
def test_a_word_that_went_astray_is_told_by_its_place(program, arguments):
    result = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert result.returncode == 2 and "secret" not in result.stderr


@pytest.mark.parametrize("line", ["postgresql://u:secret@db/em?sslmode=require", "the secret = x"])
def test_a_line_that_went_astray_is_told_by_its_place(program, directory, line):
    path = directory / "astray.conf"
    path.write_text("database =\n" + line + "\n")
    result = subprocess.run([program, "--check", "--config=%s" % path], capture_output=True, text=True)
    assert result.returncode == 2 and "astray.conf:2: " in result.stderr and "secret" not in result.stderr
