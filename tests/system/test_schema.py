# SPDX-License-Identifier: MIT
"""sql/schema.sql and sql/sample.sql by themselves: the view of ancestors follows its table, whoever changes it and when."""
import concurrent.futures
import subprocess

import psycopg
import pytest

import conftest
import servers

GROUP = "cccccccc-0000-4000-8000-%012d"
ADD = "insert into authentik_core_groupparentage (child_id, parent_id) values ('%s', '%s')"
CHANGES = ["insert into authentik_core_groupparentage (child_id, parent_id) "
           "select child_id, parent_id from authentik_core_groupparentage",
           ADD % (GROUP % 8, GROUP % 4), ADD % (GROUP % 1, GROUP % 1), ADD % (GROUP % 1, GROUP % 4),  # the last two make loops
           "update authentik_core_groupparentage set parent_id = '%s' where parent_id = '%s'" % (GROUP % 2, GROUP % 6),
           "delete from authentik_core_groupparentage where child_id = '%s'" % (GROUP % 3),
           "truncate authentik_core_groupparentage"]


@pytest.fixture
def newest(postgres, request):
    """A database made from the two files and nothing else."""
    for database in conftest.make_database(postgres, "template0", request):
        for name in ("schema.sql", "sample.sql"):
            postgres.load(servers.ROOT / "sql" / name, database.name)
        yield database


def ancestors(group, parents, seen):
    """All that can be reached upwards from a group, without the help of SQL."""
    for parent in parents.get(group, set()) - seen:
        ancestors(parent, parents, seen.add(parent) or seen)
    return seen


def is_true(database):
    """Does the view hold exactly what the table says?"""
    parents = {}
    for child, parent in database.run("select child_id::text, parent_id::text from authentik_core_groupparentage"):
        parents.setdefault(child, set()).add(parent)
    expected = [(child, ancestor) for child in parents for ancestor in ancestors(child, parents, set())]
    view = database.run("select descendant_id::text, ancestor_id::text from authentik_core_groupancestry")
    return sorted(view) == sorted(expected)


def test_the_view_of_ancestors_follows_every_change_of_parents(newest):
    assert is_true(newest)
    for change in CHANGES:
        newest.run(change)
        assert is_true(newest), change


def test_two_who_add_parents_at_once_both_show_and_hold_up_no_reader(newest):
    with psycopg.connect(newest.owner_dsn) as first, concurrent.futures.ThreadPoolExecutor(1) as second:
        first.execute(ADD % (GROUP % 5, GROUP % 8))
        added = second.submit(newest.run, ADD % (GROUP % 8, GROUP % 6))
        servers.wait_until(lambda: newest.run("select count(*) from pg_locks where not granted")[0][0], "the second to wait")
        assert newest.run("select count(*) from authentik_core_groupancestry") == [(9,)]
        first.commit()
        added.result(30)
    assert is_true(newest) and newest.run("select count(*) from authentik_core_groupancestry") == [(15,)]


def test_whoever_may_add_a_parent_needs_no_right_to_the_view_and_no_search_path(newest):
    clerk = "clerk_of_" + newest.name
    newest.run("create role %s login; grant insert on authentik_core_groupparentage to %s" % (clerk, clerk))
    try:
        with psycopg.connect(newest.server.dsn(newest.name, clerk), autocommit=True) as connection:
            connection.execute("set search_path = ''")
            connection.execute((ADD % (GROUP % 8, GROUP % 1)).replace("into ", "into public."))
        assert is_true(newest) and newest.run("select count(*) from authentik_core_groupancestry") == [(10,)]
    finally:
        newest.run("drop owned by %s; drop role %s" % (clerk, clerk))


def test_the_view_survives_a_dump_and_a_restore(newest, directory):
    path = directory / (newest.name + ".sql")
    subprocess.run(["pg_dump", "-f", path, newest.owner_dsn], check=True)
    newest.run("drop schema public cascade; create schema public")
    newest.server.load(path, newest.name, "-o", "/dev/null")
    path.unlink()
    newest.run(CHANGES[1])
    assert is_true(newest) and newest.run("select count(*) from authentik_core_groupancestry") > [(9,)]
