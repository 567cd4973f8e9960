# SPDX-License-Identifier: MIT
"""What changed between authentik's releases is followed by what the catalogue shows: each trap, its smallest input."""
import json
import subprocess

import psycopg
import pytest

import fastcgi
import rawhttp
import sample
import servers
from sample import ADMIN, POLICY, URI

MISSING = fastcgi.URI.format(sample.MISSING)
POLICIES_TABLE = "authentik_policies_event_matcher_eventmatcherpolicy"


def ask(workers, key=ADMIN, uri=URI):
    reply = fastcgi.ask(workers.socket, uri, key)
    return reply.status, json.loads(reply.body)


def detail(workers, key=ADMIN, uri=URI):
    return ask(workers, key, uri)[1].get("detail")


def check(program, database, *arguments):
    return subprocess.run([program, "--check", "--database=" + database.dsn, *arguments], capture_output=True, text=True, timeout=120)


def run_role(database, *options):
    """What role.sql says: its notices."""
    result = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-f", servers.ROOT / "sql" / "role.sql",
                             database.owner_dsn], check=True, capture_output=True, text=True)
    return [line.partition("NOTICE:  ")[2] for line in result.stderr.splitlines()]


def test_rights_of_the_old_tables_are_ignored_where_roles_hold_the_rights(start_workers, own):
    own.run("create table authentik_core_user_user_permissions as select u.id as user_id, p.id as permission_id"
            " from authentik_core_user u, auth_permission p")
    assert ask(start_workers(own), "sample-key-employee")[0] == 403


def test_a_table_of_the_old_name_with_the_new_meaning_is_told_by_its_type(program, own):
    own.run("alter table authentik_core_user_groups drop constraint authentik_core_user_groups_group_id_fkey, alter group_id type text")
    result = check(program, own)
    assert result.returncode == 1
    assert "the column authentik_core_user_groups.group_id has the type text, not uuid" in result.stderr


def test_stale_tables_of_the_old_rules_are_no_sign_of_them(program, own):
    own.run("create table auth_group_permissions (id int, group_id int, permission_id int);"
            "create table authentik_core_user_user_permissions (id int, user_id int, permission_id int)")
    assert "layout roles_user_groups" in check(program, own).stdout


@pytest.mark.parametrize("change, has", [("drop column query", False), ("add column query text default 'later'", True)])
def test_a_query_that_comes_or_goes_is_in_the_very_next_answer(start_workers, own, change, has):
    if has:
        own.run("alter table %s drop column query" % POLICIES_TABLE)
    workers = start_workers(own)
    before, keys = ask(workers)[1], list(sample_keys())
    own.run("alter table %s %s" % (POLICIES_TABLE, change))
    status, after = ask(workers)
    assert status == 200 and ("query" in before, "query" in after) == (not has, has)
    assert list(after)[:len(keys)] == keys and (not has or list(after.items())[-1] == ("query", "later"))


def sample_keys():
    return ("pk name execution_logging component verbose_name verbose_name_plural meta_model_name bound_to"
            " action client_ip app model").split()


def test_a_privilege_that_an_upgrade_left_out_is_named_and_healed_by_role_sql(start_workers, own):
    workers = start_workers(own, database_wait="500ms")
    own.run("alter table authentik_core_user_roles rename to kept;"
            "create table authentik_core_user_roles as select * from kept")  # a new table has no grants
    servers.wait_until(lambda: ask(workers, "sample-key-dashboard")[0] == 503, "the missing privilege")
    servers.wait_until(lambda: "privilege to select the column authentik_core_user_roles.user_id is missing" in workers.log(), "its name")
    run_role(own)
    servers.wait_until(lambda: ask(workers, "sample-key-dashboard")[0] == 200, "the answer after role.sql", seconds=11)


@pytest.mark.parametrize("spelling", ["'{' || %s || '}'", "replace(%s, '-', '')", "'no-uuid'"])
def test_an_object_pk_in_another_spelling_grants_nothing(start_workers, own, spelling):
    own.run("update guardian_roleobjectpermission set object_pk = " + spelling % "object_pk" if "%s" in spelling
            else "update guardian_roleobjectpermission set object_pk = " + spelling + " || id")
    assert ask(start_workers(own), "sample-key-helpdesk", fastcgi.URI.format(sample.POLICIES[2]))[0] == 403


def test_a_role_of_the_anonymous_user_opens_nothing_to_who_has_no_key(start_workers, own):
    own.run("insert into authentik_core_user_roles (user_id, role_id) select u.id, p.role_id from authentik_core_user u,"
            " guardian_rolemodelpermission p on conflict do nothing")
    assert ask(start_workers(own), None)[0] == 403


def make_tenants(database, *schemas):
    database.run("create table authentik_tenants_tenant (schema_name text, ready boolean)")
    for schema in schemas:
        database.run("insert into authentik_tenants_tenant values ('%s', true)" % schema)


def test_several_tenants_are_warned_of_and_one_is_not(program, own):
    make_tenants(own, "public")
    run_role(own)
    assert "\ngood  tenants       one\n" in check(program, own).stdout
    own.run("insert into authentik_tenants_tenant values ('t_other', true), ('t_unready', false)")
    assert "\nwarn  tenants       authentik has 2 tenants, in the schemas public, t_other" in check(program, own).stdout


def test_two_pools_serve_two_tenants_by_the_host_that_is_asked(start_workers, start_nginx, own, postgres):
    """As nginx/tenants.http.conf says: each host its pool, each pool its schema."""
    own.run("alter schema public rename to t_one; create schema public")
    for name in ("schema.sql", "sample.sql"):
        own.server.load(servers.ROOT / "sql" / name, own.name)
    own.run("update authentik_policies_policy set name = name || ' of two'; alter schema public rename to t_two; create schema public")
    pools = []
    for schema in ("t_one", "t_two"):
        run_role(own, "-v", "schema=" + schema)
        pools.append(start_workers(own, schema=schema))
    nginx = start_nginx(pools[0].socket, tenant=pools[1].socket)
    names = [rawhttp.ask(nginx.socket, "GET", URI, sample.KEY, host=host).content for host in ("one.example", "two.example")]
    assert b" of two" not in names[0] and b" of two" in names[1]


def deepen(database, depth):
    """A chain of groups, the last a superuser's; the employee is in the first."""
    database.run("insert into authentik_core_group (group_uuid, name, is_superuser) select ('00000000-0000-4000-8000-' ||"
                 " to_char(n, 'FM000000000000'))::uuid, 'chain ' || n, n = %d from generate_series(1, %d) n" % (depth, depth))
    database.run("insert into authentik_core_groupparentage (child_id, parent_id) select"
                 " ('00000000-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid,"
                 " ('00000000-0000-4000-8000-' || to_char(n + 1, 'FM000000000000'))::uuid from generate_series(1, %d) n" % (depth - 1))
    database.run("insert into authentik_core_user_groups (user_id, group_id) select user_id,"
                 " '00000000-0000-4000-8000-000000000001' from authentik_core_token where key = 'sample-key-employee'")


def test_a_superuser_by_a_group_26_levels_up_is_one_where_roles_hold_the_rights(start_workers, own):
    deepen(own, 26)
    assert ask(start_workers(own), "sample-key-employee")[0] == 200


def test_a_superuser_by_a_group_26_levels_up_is_none_in_a_tree(start_workers, own_tree):
    own_tree.run("insert into authentik_core_group (group_uuid, name, is_superuser, parent_id) select"
                 " ('00000000-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'chain ' || n, n = 26, case when n < 26 then"
                 " ('00000000-0000-4000-8000-' || to_char(n + 1, 'FM000000000000'))::uuid end from generate_series(26, 1, -1) n")
    own_tree.run("insert into authentik_core_user_ak_groups (user_id, group_id) select user_id,"
                 " '00000000-0000-4000-8000-000000000001' from authentik_core_token where key = 'sample-key-employee'")
    assert ask(start_workers(own_tree), "sample-key-employee")[0] == 403


def test_a_view_of_ancestors_without_data_is_503_and_then_healed(start_workers, own):
    workers = start_workers(own)
    own.run("refresh materialized view authentik_core_groupancestry with no data")
    assert ask(workers, "sample-key-dashboard")[0] == 503 and ask(workers)[0] == 200
    own.run("refresh materialized view authentik_core_groupancestry")
    assert ask(workers, "sample-key-dashboard")[0] == 200


def test_a_column_that_this_program_does_not_know_is_named_once_and_by_check(program, start_workers, own):
    own.run("alter table %s add column severity text, add column more text" % POLICIES_TABLE)
    named = "this program does not know the column severity, more of event matcher policies"
    result = check(program, own)
    assert result.returncode == 0 and named in result.stdout
    assert start_workers(own, workers=3).log().count(named) == 1


@pytest.mark.parametrize("change, said", [
    ("alter table authentik_core_token alter key type bytea using key::bytea", "the column authentik_core_token.key has the type bytea, not text"),
    ("drop table guardian_roleobjectpermission", "the table guardian_roleobjectpermission is missing"),
    ("alter table authentik_core_token rename to authentik_core_key", "the table authentik_core_token is missing"),
    ("alter table authentik_core_token rename key to key_hash", "the column authentik_core_token.key is missing"),
    ("revoke select on authentik_policies_policy from event_matcher", "the privilege to select the column authentik_policies_policy.name is missing")])
def test_a_database_of_another_shape_is_refused_by_a_sentence_that_names_it(program, start_workers, own, change, said):
    own.run(change)
    result = check(program, own)
    assert result.returncode == 1 and said in result.stderr
    workers = start_workers(own, has_database=False, workers=2, database_wait="0ms")
    servers.wait_until(lambda: said in workers.log(), "the sentence")
    assert ask(workers)[0] == 503 and workers.log().count(said) == 1


@pytest.mark.parametrize("session_table, text", [(False, "Not found."), (True, "No EventMatcherPolicy matches the given query.")])
def test_a_404_names_the_model_since_sessions_are_a_table(start_workers, own_tree, session_table, text):
    if session_table:
        own_tree.run("create table authentik_core_session (session_key text)")
    workers = start_workers(own_tree)
    assert detail(workers, ADMIN, MISSING) == text and detail(workers, ADMIN, "/api/v3/x/") == "Not found."


def test_each_layout_has_its_texts_and_its_type(start_workers, own, own_tree):
    found = []
    for database in (own_tree, own):
        reply = fastcgi.ask(start_workers(database).socket, URI, b"Basic x")
        found.append((reply.status, json.loads(reply.body)["detail"], reply.headers["content-type"]))
    assert found == [(403, "Unsupported authentication type", "application/json; charset=utf-8"),
                     (403, "You do not have permission to perform this action.", "application/json")]


def test_before_any_database_is_known_the_newest_texts_hold(start_workers, tmp_path):
    workers = start_workers("host=%s" % tmp_path, has_database=False)
    reply = fastcgi.ask(workers.socket, URI, b"Basic x")
    assert (json.loads(reply.body)["detail"], reply.headers["content-type"]) == ("You do not have permission to perform this action.", "application/json")


def test_a_change_that_gives_no_error_is_noticed(start_workers, own_tree):
    workers = start_workers(own_tree)
    assert detail(workers, ADMIN, MISSING) == "Not found."
    own_tree.run("create table authentik_core_session (session_key text)")
    servers.wait_until(lambda: detail(workers, ADMIN, MISSING) != "Not found.", "the next look at the catalogue", seconds=20)


def test_role_sql_says_what_it_granted_and_what_is_missing(own):
    own.run("drop table guardian_roleobjectpermission; alter table authentik_core_user drop column type")
    said = run_role(own)
    assert said == run_role(own)  # again, with the same end
    assert "the layout of authentik's tables in the schema public is roles_user_groups" in said
    assert "needed, but missing: role_id, permission_id, object_pk, of guardian_roleobjectpermission" in said
    assert "needed, but missing: type, of authentik_core_user" in said and "granted: id, is_active, of authentik_core_user" in said
    assert "granted: authentik_core_groupancestry" in said


def test_role_sql_grants_before_an_upgrade_what_is_there_of_the_next_layout(start_workers, own_tree):
    own_tree.run("create table guardian_rolemodelpermission (role_id uuid, permission_id integer)")
    assert "granted: guardian_rolemodelpermission" in run_role(own_tree)
    with psycopg.connect(own_tree.dsn) as connection:
        assert connection.execute("select count(*) from guardian_rolemodelpermission").fetchone() == (0,)


def test_check_and_the_log_name_the_layout(program, start_workers, own, own_tree):
    for database, layout in ((own, "layout roles_user_groups: authentik 2026.2 and later"), (own_tree, "layout tree: authentik 2024.8 to 2025.10")):
        assert [line.split(None, 2)[2] for line in check(program, database).stdout.splitlines() if line.startswith("good  layout ")] == [layout]
        assert "the PostgreSQL connection is ready (%s)" % layout in start_workers(database).log()


def test_a_policy_that_was_asked_for_is_still_the_first_one(start_workers, own):
    """What the whole row brings besides, its own id, is not taken for anything else."""
    assert ask(start_workers(own))[1]["pk"] == POLICY
