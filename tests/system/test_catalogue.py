# SPDX-License-Identifier: MIT
"""The layout of a database is decided by its catalogue, in the one schema, between any two migrations of an upgrade."""
import re

import psycopg
import pytest
import servers

# The layout, whether sessions are a table: then the 404 names the model.
RECORDED = {"2024.8": ("tree", False), "2025.10": ("tree", True), "2025.12": ("roles_ak_groups", True), "2026.8": ("roles_user_groups", True)}


@pytest.fixture
def connect(recorded):
    """Connections to a recorded database whose changes are undone at the end."""
    opened = []

    def connection(version):
        opened.append(psycopg.connect(recorded(version).owner_dsn))
        return opened[-1]

    yield connection
    for connection in opened:
        connection.rollback()
        connection.close()


def layout(connection, schema="public"):
    """By the expression that all our statements have from sql/role.sql."""
    return connection.execute("select %s, to_regclass(place || '.authentik_core_session') is not null from (values ('%s')) as here (place)"
                              % (servers.part_of_role("layout"), schema)).fetchone()


@pytest.mark.parametrize("version", RECORDED)
def test_each_recorded_database_has_its_layout(connect, version):
    assert layout(connect(version)) == RECORDED[version]


def test_tables_of_the_same_names_in_other_schemas_decide_nothing(connect):
    connection = connect("2026.8")
    connection.execute("create schema other; create table other.authentik_core_group (parent_id uuid); "
                       "create table other.authentik_core_user_ak_groups (group_id uuid); "
                       "create temporary table authentik_core_group (parent_id uuid); set local search_path = other, public, pg_catalog")
    assert layout(connection) == ("roles_user_groups", True)
    assert layout(connection, "other") == ("tree", False)


# Since 2025.10, what authentik's migrations change of what we read, a transaction each, and the layout afterwards.
UPGRADE = [
    ("create table guardian_rolemodelpermission (role_id uuid, permission_id int); "
     "create table guardian_roleobjectpermission (role_id uuid, permission_id int, object_pk varchar)", "tree"),
    ("create table authentik_core_groupparentage (child_id uuid, parent_id uuid); create materialized view "
     "authentik_core_groupancestry as select child_id as descendant_id, parent_id as ancestor_id from authentik_core_groupparentage",
     "tree"),
    ("create table authentik_core_user_roles (user_id int, role_id uuid); alter table authentik_core_group drop column parent_id",
     "roles_ak_groups"),
    ("drop table guardian_userobjectpermission, guardian_groupobjectpermission", "roles_ak_groups"),
    ("drop table authentik_core_user_user_permissions, authentik_core_user_groups; "
     "alter table authentik_core_user_ak_groups rename to authentik_core_user_groups", "roles_user_groups"),
    ("alter table authentik_policies_event_matcher_eventmatcherpolicy add column query text", "roles_user_groups"),
]


def test_a_migration_changes_the_layout_as_one_step_that_nobody_sees_before_its_commit(connect):
    changing, watching = connect("2025.10"), connect("2025.10")
    try:
        for migration, after in UPGRADE:
            watching.rollback()
            before = layout(watching)
            changing.execute(migration)
            assert layout(watching) == before
            assert layout(changing) == (after, True)
    finally:
        changing.rollback()


@pytest.mark.parametrize("name, parameter", [("policy", "array['%s']::uuid[]"), ("policy_one", "'%s'")])
def test_a_column_that_comes_ends_the_policy_statement_at_its_next_execution(connect, name, parameter):
    connection, table = connect("2025.12"), "authentik_policies_event_matcher_eventmatcherpolicy"
    connection.execute(servers.statement(name))
    policy = connection.execute("select policy_ptr_id::text from %s limit 1" % table).fetchone()[0]
    ask = "execute %s (%s)" % (name, parameter % policy)
    assert len(connection.execute(ask).fetchall()) == 1
    connection.execute("alter table %s add column query text" % table)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
        connection.execute(ask)


def missing(connection, version):
    """What the statement that names what is missing says to the role."""
    connection.execute("set local role event_matcher")
    return connection.execute(servers.statement("requirements")).fetchall()


@pytest.mark.parametrize("version", RECORDED)
def test_each_recorded_database_has_what_its_layout_needs(connect, version):
    assert missing(connect(version), version) == []


@pytest.mark.parametrize("version", RECORDED)
def test_the_statements_read_no_table_but_those_that_are_needed(version):
    of = RECORDED[version][0]
    names = {table for layouts, table in re.findall(r"\('\{(.*)\}', '(\w+)'", servers.needed()) if of in layouts.split(",")}
    members = "authentik_core_user_groups" if of == "roles_user_groups" else "authentik_core_user_ak_groups"
    asked = ("facts", "caller", "caller_known", "caller_one", "access_token", "policy", "policy_one", "rights_" + of.split("_")[0],
             "rights_known_" + of.split("_")[0])
    texts = [servers.statement(name, members) for name in asked]
    assert set(re.findall(r'"public"\.(\w+)', "".join(texts))) == names
