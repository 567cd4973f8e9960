# SPDX-License-Identifier: MIT
"""Known answers are fresh: after each acknowledged commit the very next answer is the new one, whoever wrote, and however."""
import collections
import contextlib
import os
import select
import shutil
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import conftest
import servers
from knowing import NAME, Asker, named, one_of_each, standing_still, text
from oracle import BAD_KEY, RULES, Oracle
from sample import ADMIN, ASKED, MIXED, POLICIES, POLICY

ROUNDS = int(os.environ.get("FRESHNESS_ROUNDS", 10000))  # an update and the question after it
OPERATOR, AUDITOR, DASHBOARD, HELPDESK, CONTRACTOR = ("sample-key-" + name for name in ("operator", "auditor", "dashboard", "helpdesk", "contractor"))
HOLDERS = [key for key in MIXED if key.startswith("sample-key-") and key != "sample-key-expired" and "," not in key]
GROUP, ROLE = ("%s-0000-4000-8000-00000000000%%d" % (letter * 8) for letter in "cd")

# Which rows of a table decide what one is answered, and what would make them say something else.
Deciding = collections.namedtuple("Deciding", "layout table key policy where change")
TABLES = [Deciding(*row) for row in (
    ("alone", "authentik_core_token", ADMIN, POLICY, "key = '%s'" % ADMIN, "user_id = 7"),
    ("alone", "authentik_core_user", ADMIN, POLICY, "id = 1", "is_active = false"),
    ("alone", "authentik_core_group", ADMIN, POLICY, "is_superuser", "is_superuser = false"),
    ("alone", "authentik_core_group", OPERATOR, POLICY, "is_superuser", "is_superuser = false"),  # an ancestor of theirs
    ("alone", "authentik_core_user_groups", ADMIN, POLICY, "user_id = 1", "user_id = 9"),
    ("alone", "authentik_core_groupparentage", OPERATOR, POLICY, "child_id = '%s'" % (GROUP % 3), "parent_id = '%s'" % (GROUP % 8)),
    ("alone", "authentik_core_user_roles", DASHBOARD, POLICY, "user_id = 4", "role_id = '%s'" % (ROLE % 2)),
    ("alone", "authentik_core_group_roles", AUDITOR, POLICY, "group_id = '%s'" % (GROUP % 6), "role_id = '%s'" % (ROLE % 2)),
    ("alone", "guardian_rolemodelpermission", DASHBOARD, POLICY, "true", "permission_id = 0"),
    ("alone", "guardian_roleobjectpermission", HELPDESK, POLICIES[2], "role_id = '%s'" % (ROLE % 2), "object_pk = '%s'" % POLICY),
    ("alone", "authentik_policies_policy", ADMIN, POLICY, "policy_uuid = '%s'" % POLICY, "name = 'another', execution_logging = false"),
    ("alone", "authentik_policies_event_matcher_eventmatcherpolicy", ADMIN, POLICY, "policy_ptr_id = '%s'" % POLICY, "action = 'login'"),
    ("alone", "authentik_policies_policybinding", ADMIN, POLICY, "policy_id = '%s'" % POLICY, "policy_id = null"),
    ("alone", "authentik_stages_prompt_promptstage_validation_policies", ADMIN, POLICIES[2], "true", "policy_id = '%s'" % POLICY),
    ("tree", "authentik_core_group", OPERATOR, POLICY, "name = 'Operations Berlin'", "parent_id = null"),
    ("tree", "authentik_core_user_ak_groups", ADMIN, POLICY, "user_id = 1", "user_id = 9"),
    ("tree", "authentik_core_user_groups", DASHBOARD, POLICY, "user_id = 4", "group_id = 2"),
    ("tree", "authentik_core_user_user_permissions", AUDITOR, POLICY, "true", "permission_id = 0"),
    ("tree", "auth_group_permissions", DASHBOARD, POLICY, "true", "permission_id = 0"),
    ("tree", "guardian_userobjectpermission", HELPDESK, POLICIES[2], "true", "object_pk = '%s'" % POLICY),
    ("tree", "guardian_groupobjectpermission", CONTRACTOR, POLICIES[3], "true", "object_pk = '%s'" % POLICY))]

DELETE, INSERT = "delete from {table} where {where}", "insert into {table} select * from saved.{table} where {where}"
SAVEPOINTS = "".join("savepoint s%d; insert into bystander values ('');" % number for number in range(70))
# How it is written, and how it is put back: statements, of which the quiet ones change nothing that is visible.
WRITES = {
    "insert and delete": ([DELETE], [INSERT]),
    "update and upsert": (["update {table} set {change} where {where}"],
                          ["insert into {table} select * from saved.{table} where {where} on conflict ({key_column}) do update set ({columns}) = row({excluded})"]),
    "truncate and copy": (["truncate {table}"], ["copy {table} from '{file}'"]),
    "a savepoint that is kept": (["begin; savepoint s; %s; release s; commit" % DELETE], ["begin; savepoint s; %s; commit" % INSERT]),
    "seventy savepoints": (["begin; %s %s; commit" % (SAVEPOINTS, DELETE)], ["begin; %s %s; commit" % (SAVEPOINTS, INSERT)]),
    "what is rolled back": (["quiet: begin; %s; rollback" % DELETE, "quiet: begin; savepoint s; truncate {table}; rollback to s; commit",
                             "quiet: begin; savepoint s; %s; rollback to s; insert into bystander values (''); commit" % DELETE, DELETE], [INSERT]),
    "a prepared transaction": (["quiet: begin; %s; prepare transaction 'one'" % DELETE, "commit prepared 'one'"],
                               ["quiet: begin; %s; prepare transaction 'two'" % INSERT, "quiet: begin; %s; prepare transaction 'three'" % DELETE,
                                "quiet: rollback prepared 'three'", "commit prepared 'two'"]),
    "a trigger": (["insert into bystander values ($$%s$$)" % DELETE], ["insert into bystander values ($$%s$$)" % INSERT]),
    "commits that do not wait for the disk": (["begin; set local synchronous_commit = off; %s; commit" % DELETE],
                                              ["begin; set local synchronous_commit = off; %s; commit" % INSERT]),
    "rows that are frozen": (["begin; truncate {table}; commit"], ["begin; truncate {table}; copy {table} from '{file}' with (freeze); commit"]),
    "rows that others have locked": (["begin; select from {table} where {where} for update; savepoint s; select from {table} where {where} for no key update;"
                                      " update {table} set {change} where {where}; commit"],
                                     ["begin; delete from {table}; insert into {table} select * from saved.{table}; commit"]),
    "another table in its place": (["begin; alter table {table} rename to away; create table {table} (like away including all);"
                                    " grant select on {table} to event_matcher; commit"],
                                   ["begin; drop table {table}; alter table away rename to {table}; commit"]),
    "a rule": (["create rule passed_on as on insert to bystander do also %s; insert into bystander values ('')" % DELETE,
                ], ["drop rule passed_on on bystander; %s" % INSERT]),
    "a vacuum between": ([DELETE, "quiet: vacuum {table}", "quiet: vacuum full {table}"], [INSERT, "quiet: vacuum full {table}", "quiet: reindex table {table}"]),
}
# The view of ancestors is made from the table, whatever its name; and it is refreshed by temporary tables, which none prepares.
NOT = {("authentik_core_groupparentage", how) for how in ("another table in its place", "a prepared transaction")}
CASES = [(row, how) for row in TABLES for how in WRITES if (row.table, how) not in NOT]


class Place:
    """A database of a layout, the one worker that answers from it, and who owns it."""

    def __init__(self, server, layout, start):
        server.run("create database " + layout)
        for file in (conftest.LAYOUTS[layout] / "schema.sql", conftest.LAYOUTS[layout] / "sample.sql", servers.ROOT / "sql" / "role.sql"):
            server.load(file, layout)
        self.database = servers.Database(server, layout)
        self.owner = psycopg.connect(self.database.owner_dsn, autocommit=True)
        self.prepare_tables()
        self.oracle = Oracle(self.owner, RULES["2026.8" if layout == "alone" else "2024.8"])
        self.asker = Asker(start(self.database))

    def prepare_tables(self):
        """Copies to put back; no foreign keys, so that each table can be written by itself; and one that writes what it is told."""
        drops = self.owner.execute("select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint "
                                   "where contype = 'f' and connamespace = 'public'::regnamespace").fetchall()
        copies = self.owner.execute("select format('create table saved.%I as table %I', relname, relname) from pg_class where relkind = 'r' "
                                    "and relnamespace = 'public'::regnamespace").fetchall()
        self.owner.execute("create schema saved; " + "; ".join(text for text, in drops + copies))
        self.owner.execute("create table bystander (command text); create function obey() returns trigger language plpgsql as $$ begin "
                           "execute new.command; return new; end $$; create trigger obey before insert on bystander for each row "
                           "when (new.command <> '') execute function obey()")

    def words(self, row):
        """What a statement of WRITES has to be told of the table."""
        columns = [name for name, in self.owner.execute("select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
                                                        "order by attnum", [row.table])]
        file = self.database.server.directory / ("%s.%s" % (self.database.name, row.table))
        if not file.exists():
            self.owner.execute("copy saved.%s to '%s'" % (row.table, file))
        return {**row._asdict(), "key_column": columns[0], "columns": ", ".join('"%s"' % name for name in columns), "file": file,
                "excluded": ", ".join('excluded."%s"' % name for name in columns)}

    def expected(self, row):
        self.oracle.read()
        for policy in self.oracle.matchers.keys() - self.oracle.policies.keys():  # here there may be half of one
            del self.oracle.matchers[policy]
        return self.oracle.answer(row.key, row.policy)

    def settled(self, row):
        """A known answer; whether nobody holds a key is not kept."""
        answer = self.asker.ask(row.key, row.policy)
        nobody = row.table == "authentik_core_token" and answer == BAD_KEY
        return answer if nobody else self.asker.known(row.key, row.policy)

    def write(self, row, statements):
        """After each statement the very next answer is what the tables say, and after those that write it is another one."""
        for statement in statements:
            before = self.settled(row)
            self.owner.execute(statement.removeprefix("quiet: ").format(**self.words(row)))
            answer = self.asker.ask(row.key, row.policy)
            assert answer == self.expected(row), statement
            assert (answer == before) == statement.startswith("quiet: "), statement
        assert self.settled(row) == answer, "what is known afterwards"


@pytest.fixture(scope="module")
def places(quiet_postgres, start_module_workers):
    made = {layout: Place(quiet_postgres, layout, start_module_workers) for layout in conftest.LAYOUTS}
    yield made
    for place in made.values():
        place.owner.close()
        place.asker.connection.socket.close()


@pytest.fixture
def place(places, row):
    """The one of the row's layout, whose table is as it was afterwards, whatever has failed."""
    yield places[row.layout]
    places[row.layout].owner.execute("rollback")
    places[row.layout].owner.execute("begin; delete from {0}; insert into {0} select * from saved.{0}; commit".format(row.table))


@pytest.mark.parametrize("row, how", CASES, ids=["-".join((row.layout, row.table, row.key, how)) for row, how in CASES])
def test_the_answer_after_each_write_is_the_new_one(place, row, how):
    there, back = WRITES[how]
    place.write(row, there)
    place.write(row, back)


# Writes to one table that no other has

@pytest.mark.parametrize("there, back", [
    ("alter table authentik_policies_policy alter name type varchar(200) using 'cast ' || name", "alter table authentik_policies_policy alter name type text using 'back ' || name"),
    ("alter table authentik_policies_policy rename name to renamed; alter table authentik_policies_policy add name text default 'added'",
     "alter table authentik_policies_policy drop name; alter table authentik_policies_policy rename renamed to name"),
    ("alter schema public rename to away; alter schema other rename to public", "alter schema public rename to other; alter schema away rename to public")],
    ids=["a type", "a column", "a schema"])
def test_the_answer_after_a_change_of_definitions_is_the_new_one(still, there, back):
    database, workers = still()
    database.run("create schema other")
    servers.load_sample(database.server, database.name, "-v", "schema=other")
    database.run("update other.authentik_policies_policy set name = 'of the other schema' where policy_uuid = '%s'" % POLICY)
    with Asker(workers) as asker:
        for change in (there, back):
            before = named(asker.known())
            database.run("begin; %s; commit" % change)
            expected = 200, database.run("select name from public.authentik_policies_policy where policy_uuid = '%s'" % POLICY)[0][0]
            assert named(asker.ask()) == expected != before
            assert named(asker.known()) == expected


def test_the_answer_after_a_refresh_of_the_ancestry_is_the_new_one(still):
    """As authentik has it: the view says what it said until it is refreshed, by whichever way."""
    database, workers = still()
    with Asker(workers) as asker:
        database.run("drop trigger refresh_groupancestry on authentik_core_groupparentage")
        for change, refresh, expected in (("delete from authentik_core_groupparentage where child_id = '%s'" % (GROUP % 2), "", 403),
                                          ("insert into authentik_core_groupparentage (child_id, parent_id) values ('%s', '%s')" % (GROUP % 2, GROUP % 1),
                                           "concurrently", 200)):
            before = asker.known(OPERATOR)
            database.run(change)
            assert asker.ask(OPERATOR) == before
            database.run("refresh materialized view %s authentik_core_groupancestry" % refresh)
            assert asker.ask(OPERATOR)[0] == expected
            assert asker.known(OPERATOR)[0] == expected


def test_the_answer_after_a_right_has_gone_is_that_there_is_none(still):
    """And that it may be older by a reading of the facts is a matter of the moment between a commit and its being told."""
    database, workers = still(database_wait="1s")
    with Asker(workers) as asker:
        before = asker.known()
        for right in ("select on authentik_policies_policy", "usage on schema public"):
            database.run("revoke %s from event_matcher, public" % right)
            assert asker.ask()[0] == 503, right
            database.run("grant %s to event_matcher" % right)
            servers.wait_until(lambda: asker.ask() == before, "the right to be back")
            assert asker.known() == before


PARTITIONED = ("alter table authentik_policies_policybinding rename to whole; create table authentik_policies_policybinding (like whole) partition by list "
               '("order"); alter table authentik_policies_policybinding attach partition whole default; grant select on authentik_policies_policybinding to event_matcher')


def test_the_answer_after_a_table_has_got_a_child_or_a_partition_has_its_rows(still):
    database, workers = still()
    database.run("create table more (like authentik_policies_policybinding including defaults); insert into more select * from authentik_policies_policybinding; "
                 'update more set "order" = 100')
    with Asker(workers) as asker:
        assert asker.known()[1]["bound_to"] == 1
        for change, expected in (("alter table more inherit authentik_policies_policybinding", 2), ("alter table more no inherit authentik_policies_policybinding", 1),
                                 (PARTITIONED, 1), ("alter table authentik_policies_policybinding attach partition more for values in (100)", 2),
                                 ("alter table authentik_policies_policybinding detach partition more", 1)):
            database.run("begin; %s; commit" % change)
            assert asker.ask()[1]["bound_to"] == expected == asker.known()[1]["bound_to"], change


def test_an_update_of_a_row_that_another_has_locked_is_seen_at_its_commit(still):
    """Both are noted at the row, and of the two the first one stays."""
    database, workers = still()
    with Asker(workers) as asker, psycopg.connect(database.owner_dsn) as one, psycopg.connect(database.owner_dsn) as two:
        assert asker.known()[1]["execution_logging"] is True
        for session in (one, two):
            session.execute("select from authentik_policies_policy for key share")
        two.execute("update authentik_policies_policy set execution_logging = false")
        assert asker.ask()[1]["execution_logging"] is True is asker.known()[1]["execution_logging"]
        two.commit()
        assert asker.ask()[1]["execution_logging"] is False is asker.known()[1]["execution_logging"]
        one.rollback()
        assert asker.ask()[1]["execution_logging"] is False is asker.known()[1]["execution_logging"]


def test_an_uncommitted_write_is_not_seen(still):
    database, workers = still()
    with Asker(workers) as asker, psycopg.connect(database.owner_dsn) as owner:
        before = asker.known()
        owner.execute(NAME % "in secret")
        assert asker.ask() == before and asker.known() == before
        owner.commit()
        assert named(asker.ask()) == (200, "in secret") == named(asker.known())


def test_a_commit_between_the_request_and_the_look_is_seen(still):
    database, workers = still(watchdog_timeout="60s")
    with Asker(workers) as asker:
        asker.known()
        with standing_still(workers.worker_pids()[0]):
            asker.send()
            database.run(NAME % "meanwhile")
        assert named(asker.answer()) == (200, "meanwhile") == named(asker.known())


def backends(database):
    return [pid for pid, in database.run("select pid from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % database.name)]


def wait_until_out(other):
    """Until the question of the request that another has sent is out: the second page is made in a later turn of the loop."""
    assert [other.metric("event_matcher_requests_in_flight") for _ in range(2)] == [1, 1]


def test_a_commit_while_the_look_is_with_the_server_is_seen(still):
    database, workers = still(watchdog_timeout="60s")
    with Asker(workers) as asker, Asker(workers) as other:
        asker.known()
        with standing_still(backends(database)[0]):
            asker.send()
            wait_until_out(other)
            database.run(NAME % "meanwhile")
        assert named(asker.answer()) == (200, "meanwhile") == named(asker.known())


class Withholding(threading.Thread):
    """Before a server: passes all on, but what the server says only while the gate is open; there is where it held something back."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.directory, self.server, self.gate, self.there = servers.make_directory(), str(server.directory / ".s.PGSQL.5432"), threading.Event(), threading.Event()
        self.gate.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / ".s.PGSQL.5432"))
        os.chmod(self.directory / ".s.PGSQL.5432", 0o777)
        self.listener.listen()
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.forward, args=(self.listener.accept()[0],), daemon=True).start()

    def forward(self, client):
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self.server)
            for end in (end for _ in iter(int, 1) for end in select.select([client, server], [], [])[0]):
                data = end.recv(65536)
                if not data:
                    return
                if end is server and not self.gate.is_set():
                    self.there.set()
                    self.gate.wait()
                (server if end is client else client).sendall(data)

    def close(self):
        self.gate.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        shutil.rmtree(self.directory)


def test_nobody_joins_a_look_that_was_out_before_they_asked(still, start_workers):
    """The first one's look is answered, but that has not arrived yet when another writes, and then a second one asks."""
    database, _ = still()
    with contextlib.closing(Withholding(database.server)) as way:
        workers = start_workers("host=%s user=event_matcher dbname=%s" % (way.directory, database.name))
        with Asker(workers) as first, Asker(workers) as second, Asker(workers) as third:
            before = first.known()
            way.gate.clear()
            first.send()
            way.there.wait(60)
            database.run(NAME % "after the look")
            second.send()
            servers.wait_until(lambda: third.metric("event_matcher_requests_in_flight") == 2, "the second to be read")
            way.gate.set()
            assert first.answer() == before, "what was committed after its look"
            assert named(second.answer()) == (200, "after the look") == named(second.known())


def test_a_commit_that_changes_but_the_list_of_those_that_run_is_seen(still):
    """One stays open, one writes, a third commits, and then the second: the oldest and the next transaction are the same then."""
    database, workers = still()
    with Asker(workers) as asker, psycopg.connect(database.owner_dsn) as first, psycopg.connect(database.owner_dsn) as second:
        first.execute("select pg_current_xact_id()")
        second.execute(NAME % "of the second")
        database.run("create table third ()")
        before, answer = text(database.server), named(asker.known())
        second.commit()
        after = text(database.server)
        assert before.rpartition(":")[0] == after.rpartition(":")[0] and before != after, "the case"
        assert answer != named(asker.ask()) == (200, "of the second") == named(asker.known())


def test_what_a_batch_has_found_before_a_commit_is_not_known_after_it(still):
    """The key is looked at, the policy waits for a lock, and meanwhile the key becomes another's."""
    database, workers = still()
    waiting = "select from pg_locks where not granted and database = (select oid from pg_database where datname = '%s')" % database.name
    with Asker(workers) as asker, psycopg.connect(database.owner_dsn) as owner:
        asker.known()
        owner.execute("lock table authentik_policies_policy")
        database.run("update authentik_core_user set username = 'so that it is asked in full' where id = 9")
        asker.send()
        servers.wait_until(lambda: database.run(waiting), "the batch to wait")
        database.run("update authentik_core_token set user_id = 7 where key = '%s'" % ADMIN)
        owner.commit()
        assert asker.answer()[0] == 200, "the case: the key was looked at before"
        assert asker.ask()[0] == 403 == asker.known()[0]


def test_what_is_known_of_each_caller_is_what_was_found(still):
    """Who may see which policies: everybody who holds an API key, whatever else was asked for them or about that policy."""
    _, workers = still()
    with Asker(workers) as asker:
        known = {key: tuple(asker.known(key, policy)[0] for policy in ASKED) for key in HOLDERS}
        assert known == {key: MIXED[key] for key in HOLDERS}
        again = {key: tuple(asker.ask_and_tell(key, policy) for policy in ASKED) for key in HOLDERS}
        assert {key: tuple((answer[0], was_known) for answer, was_known in told) for key, told in again.items()} == {
            key: tuple((status, True) for status in MIXED[key]) for key in HOLDERS}


# Many rounds

def rounds(database, askers, count):
    """So many answers after an update, of each worker in turn, and again; those that were not new, and how many were known."""
    stale, before = [], askers[0].count()
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        for number in range(count // len(askers)):
            name = "round %d" % number
            owner.execute(NAME % name)
            for _ in range(2):
                for asker in askers:
                    asker.send()
                stale += [(name, answer) for answer in [asker.answer() for asker in askers] if named(answer) != (200, name)]
    return stale, askers[0].count() - before


def test_of_ten_thousand_answers_each_after_an_update_none_is_stale(still):
    database, workers = still(workers=2)
    with contextlib.ExitStack() as stack:
        askers = [stack.enter_context(asker) for asker in one_of_each(workers)]
        stale, known = rounds(database, askers, ROUNDS)
    assert stale == []
    assert known >= 0.9 * ROUNDS, known


@contextlib.contextmanager
def writers(database, count=2):
    """Others that commit as often as they can, in another table; yields how many they have."""
    database.run("create unlogged table counter (id int primary key, n int); insert into counter select generate_series(1, 9), 0")
    loop = "do $$ begin loop update counter set n = n + 1 where id = %d; commit; end loop; end $$"
    running = [subprocess.Popen(["psql", "-X", "-q", "-c", "set synchronous_commit = off", "-c", loop % number, database.owner_dsn], stderr=subprocess.DEVNULL)
               for number in range(1, count + 1)]
    try:
        yield lambda: database.run("select sum(n) from counter")[0][0]
    finally:
        database.run("select pg_terminate_backend(pid) from pg_stat_activity where query like 'do $$ begin loop update counter%%' and datname = '%s'" % database.name)
        for process in running:
            process.wait(60)


def test_none_is_stale_while_others_commit_thousands_of_times_a_second(still):
    database, workers = still(workers=2)
    with contextlib.ExitStack() as stack:
        askers = [stack.enter_context(asker) for asker in one_of_each(workers)]
        for asker in askers:
            asker.known()
        with writers(database) as commits:
            servers.wait_until(lambda: askers[0].ask() and askers[1].ask() and askers[0].state("commits"), "rest where all looks find commits")
            started, first = time.monotonic(), commits()
            stale, _ = rounds(database, askers, ROUNDS // 10)
            rate = (commits() - first) / (time.monotonic() - started)
        assert stale == [] and rate > 1000, rate
        for asker in askers:
            assert named(asker.known()) == (200, "round %d" % (ROUNDS // 20 - 1))


# What expires without a commit

def test_what_expires_between_two_requests_is_known_until_then_and_no_longer(still):
    """A key of an administrator's; one that hides an administrator's: of somebody who is not active, of somebody without rights."""
    database, workers = still()
    keys = {"goes": (200, 403), "hidden by an inactive one": (403, 200), "hidden by one without rights": (403, 200), "stays": (200, 200), "goes later": (200, 200)}
    hour, = database.run("select (now() + interval '4 seconds')::text")[0]
    database.run("insert into authentik_core_token (user_id, identifier, key, expiring, expires) values (1, 'later', 'goes later', true, now() + interval '1 hour')")
    for key, user, low in (("goes", 1, True), ("hidden by an inactive one", 8, True), ("hidden by an inactive one", 1, False),
                           ("hidden by one without rights", 7, True), ("hidden by one without rights", 1, False), ("stays", 1, False)):
        database.run("insert into authentik_core_token (token_uuid, user_id, identifier, key, expiring, expires) select "
                     "overlay(gen_random_uuid()::text placing '%d' from 1)::uuid, %d, '%s', '%s', %s, '%s'" %
                     (0 if low else 9, user, "%s of %d" % (key, user), key, low, hour))
    with Asker(workers) as asker:
        for key, (before, _) in keys.items():
            assert asker.known(key)[0] == before
        snapshot = text(database.server)
        servers.wait_until(lambda: database.run("select from authentik_core_token where key = 'goes' and expires < now()"), "the hour")
        for key, (_, after) in keys.items():
            assert asker.ask(key)[0] == after, key
        assert [asker.known(key)[0] for key in keys if key != "goes"] == [200, 200, 200, 200]
        assert text(database.server) == snapshot, "nothing was committed"
