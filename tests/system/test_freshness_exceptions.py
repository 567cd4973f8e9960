# SPDX-License-Identifier: MIT
"""Known answers where a snapshot does not say all: standbys, views, poolers, other servers; and what is granted, revoked or renamed."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import psycopg
import pytest

import servers
from knowing import NAME, Asker, named, text
from sample import POLICY

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
OFF, ON = "every answer is asked for in full: ", "answers that are known are given again"
QUIET = ("-c", "autovacuum=off", "-c", "max_prepared_transactions=10")


@pytest.fixture
def made():
    """made(...): a server with the sample data; made.append takes one that is to be stopped as well."""

    class Made(list):
        def __call__(self, *settings):
            self.append(servers.Postgres(servers.make_directory(), *QUIET, *settings))
            servers.load_sample(self[-1])
            return self[-1]

    running = Made()
    yield running
    for server in reversed(running):
        if server.process.poll() is None:
            server.stop(signal.SIGQUIT)
        shutil.rmtree(server.directory)


def dsn_of(*running):
    return "host=%s user=event_matcher dbname=postgres" % ",".join(str(server.directory) for server in running)


def says(asker, reason):
    return OFF + reason in asker.workers.log()


def never_known(asker, state, reason, **question):
    """No answer is known, and the metric and the log say why."""
    answer = asker.never_known(**question)
    assert asker.state(state) and not asker.state("used") and says(asker, reason), asker.workers.log()[-1000:]
    return answer


# Another server, or the same one that is no longer what it was

def caught_up(primary, standby):
    position, = primary.run("select pg_current_wal_lsn()::text")[0]
    servers.wait_until(lambda: standby.run("select pg_last_wal_replay_lsn() >= '%s'" % position)[0][0], "the standby")


def commit_behind_another(primary, standby, look):
    """While one stays open, one writes, a third commits, and then the second one: look() is called before and after."""
    with psycopg.connect(primary.dsn()) as first, psycopg.connect(primary.dsn()) as second:
        first.execute("select pg_current_xact_id()")
        second.execute(NAME % "of the second")
        primary.run("create table third ()")
        caught_up(primary, standby)
        before = look()
        second.commit()
        caught_up(primary, standby)
        return before, look()


def test_a_standby_is_never_answered_from_what_was_known_and_a_promoted_one_is_again(start_workers, made):
    primary = made()
    made.append(servers.add_standby(primary, servers.make_directory(), *QUIET, "-c", "wal_retrieve_retry_interval=100ms"))
    standby = made[-1]
    with Asker(start_workers(primary.dsn(user="event_matcher"))) as one, Asker(start_workers(standby.dsn(user="event_matcher"))) as asker:
        one.known()
        never_known(asker, "standby", "the server is a standby")
        before, after = commit_behind_another(primary, standby, lambda: (text(standby), named(asker.ask())))
        assert before[0] == after[0], "the case: one text for two states"
        assert before[1] != after[1] == (200, "of the second") == named(one.ask())
        asker.never_known()
        primary.stop(signal.SIGQUIT)
        standby.run("select pg_promote()")
        assert named(asker.known()) == (200, "of the second") and asker.state("used") and ON in asker.workers.log()
        standby.run(NAME % "of the promoted")
        assert named(asker.ask()) == (200, "of the promoted") == named(asker.known())


@pytest.fixture
def twins(made):
    """Two servers from one: the same transaction ids, so the same snapshot's text, but other data."""
    one = made()
    one.stop()
    directory = servers.make_directory()
    subprocess.run(["cp", "-a", one.data, directory / "data"], check=True)
    one.start_again()
    made.append(servers.Postgres(directory, *QUIET))
    for number, server in enumerate(made):
        server.run(NAME % ("of server %d" % number))
    assert text(made[0]) == text(made[1])
    return made


def test_what_one_host_has_said_is_not_known_of_the_next(start_workers, twins):
    with Asker(start_workers(dsn_of(*twins))) as asker:
        assert named(asker.known()) == (200, "of server 0")
        twins[0].stop(signal.SIGQUIT)
        assert named(asker.ask()) == (200, "of server 1") == named(asker.known())


def test_a_database_that_is_restored_to_the_same_transaction_ids_is_asked_anew(start_workers, twins):
    one, two = twins
    with Asker(start_workers(dsn_of(one))) as asker:
        assert named(asker.known()) == (200, "of server 0")
        one.stop()
        two.stop()
        shutil.rmtree(one.data)
        subprocess.run(["cp", "-a", two.data, one.data], check=True)
        two.start_again()
        one.start_again()
        assert text(one) == text(two)
        assert named(asker.ask()) == (200, "of server 1") == named(asker.known())


def test_what_a_crash_of_the_server_takes_away_is_not_known_after_it(start_workers, made):
    """The rows of a table that is not logged, and what was committed without waiting for the disk; a prepared transaction stays."""
    server = made("-c", "wal_writer_delay=10s")
    server.run("alter table authentik_policies_policybinding set unlogged")
    server.run("begin; %s; prepare transaction 'later'" % (NAME % "prepared before"))
    with Asker(start_workers(server.dsn(user="event_matcher"))) as asker:
        assert asker.known()[1]["bound_to"] == 1
        server.run("begin; set local synchronous_commit = off; update authentik_core_user set is_active = false; commit")
        assert asker.ask()[0] == 403 == asker.known()[0]
        server.stop(signal.SIGQUIT)
        server.start_again()
        expected = server.run("select is_active from authentik_core_user where id = 1")[0][0]
        status, body = asker.ask()
        assert (status, body.get("bound_to")) == ((200, 0) if expected else (403, None))
        server.run("update authentik_core_user set is_active = true")
        assert asker.known()[1]["bound_to"] == 0
        server.run("commit prepared 'later'")
        assert named(asker.ask()) == (200, "prepared before") == named(asker.known())


def test_nothing_is_known_after_the_loss_of_a_session(still):
    database, workers = still()
    with Asker(workers) as asker:
        asker.known()
        before = text(database.server)
        for _ in range(5):
            answer = asker.known()
            database.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher' and datname = '%s'" % database.name)
            assert asker.ask_and_tell() == (answer, False)
        assert asker.known() and text(database.server) == before, "nothing was committed"


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_behind_a_pooler_nothing_is_known(still, start_workers, start_pgbouncer, mode):
    database, direct = still()
    pooler = start_pgbouncer(database.server, mode)
    with Asker(direct) as one, Asker(start_workers(pooler.dsn(database.name))) as asker:
        one.known()
        never_known(asker, "pooler", "a pooler lends its sessions to others as well")
        database.run(NAME % "behind the pooler")
        assert named(asker.never_known()) == (200, "behind the pooler") == named(one.ask()) == named(one.known())


# What may change without a commit

VIEW = ("alter table authentik_policies_policy rename to base; create view authentik_policies_policy as select policy_uuid, "
        "clock_timestamp()::text as name, execution_logging from base; grant select on authentik_policies_policy to event_matcher")
FOREIGN = ("create extension file_fdw; create server files foreign data wrapper file_fdw; grant usage on foreign server files to event_matcher; "
           "create foreign table {name} (policy_uuid uuid not null, name text not null, execution_logging boolean not null) server files options (filename '{file}', format 'csv'); "
           "grant select on {name} to event_matcher;")
# What is done while the pool serves, why that is in the way, and how it is put right again. A file changes without a commit, too.
OBSTACLES = {
    "view": (VIEW, "authentik_policies_policy is a view", "drop view authentik_policies_policy; alter table base rename to authentik_policies_policy"),
    "foreign table": ("alter table authentik_policies_policy rename to base;" + FOREIGN.format(name="authentik_policies_policy", file="{file}"),
                      "authentik_policies_policy is a foreign table",
                      "drop foreign table authentik_policies_policy; alter table base rename to authentik_policies_policy"),
    "foreign partition": ("alter table authentik_policies_policy rename to base;" + FOREIGN.format(name="apart", file="{file}") +
                          "create table authentik_policies_policy (policy_uuid uuid not null, name text not null, execution_logging boolean not null) "
                          "partition by list (policy_uuid); create table inner_one partition of authentik_policies_policy default partition by list (policy_uuid);"
                          "alter table inner_one attach partition apart default; grant select on authentik_policies_policy to event_matcher",
                          "apart is a foreign table",
                          "drop table authentik_policies_policy; alter table base rename to authentik_policies_policy"),
    "foreign child": ("set session_replication_role = replica; delete from authentik_policies_policy where policy_uuid = '%s';" % POLICY +
                      FOREIGN.format(name="apart", file="{file}") + "alter foreign table apart inherit authentik_policies_policy",
                      "apart is a foreign table",
                      "drop foreign table apart; insert into authentik_policies_policy (policy_uuid, name) values ('%s', 'back')" % POLICY),
    "row-level security": ("alter table authentik_policies_policy enable row level security; create policy by_the_clock on "
                           "authentik_policies_policy using (clock_timestamp() < '2000-01-01')", "authentik_policies_policy has row-level security",
                           "alter table authentik_policies_policy disable row level security"),
    "another access method": ("create access method other type table handler heap_tableam_handler; alter table authentik_policies_policy rename to base;"
                              "create table authentik_policies_policy using other as table base; "
                              "grant select on authentik_policies_policy to event_matcher",
                              "authentik_policies_policy is not stored as PostgreSQL's own tables are",
                              "drop table authentik_policies_policy; alter table base rename to authentik_policies_policy"),
}


def put_in_the_way(database, kind, asker):
    """From the very next answer on none is known, though the snapshot stays the same, and what changes without a commit is seen."""
    there, reason, _ = OBSTACLES[kind]
    file = database.server.directory / (database.name + ".csv")
    file.write_text("%s,first,true\n" % POLICY)
    asker.known()
    database.run("begin; %s; commit" % there.format(file=file))
    answer, known = asker.ask_and_tell()
    assert answer[0] == 200 and not known, (kind, answer)
    before = text(database.server)
    file.write_text("%s,second,true\n" % POLICY)
    after = never_known(asker, "obstacle", reason)
    assert (after != answer) == (kind == "view" or "foreign" in kind), (kind, answer, after)
    assert text(database.server) == before, "nothing was committed"


def test_what_does_not_follow_from_a_snapshot_is_never_known_from_its_first_answer_on(still):
    """And where it has passed, answers are known again, at the latest with the next reading of the facts."""
    with contextlib.ExitStack() as stack:
        ways = {kind: still() for kind in OBSTACLES}
        ways["row-level security"][0].run("alter role event_matcher bypassrls")
        askers = {kind: stack.enter_context(Asker(workers)) for kind, (_, workers) in ways.items()}
        for kind, (database, _) in ways.items():
            put_in_the_way(database, kind, askers[kind])
        for kind, (database, _) in ways.items():
            database.run("begin; %s; commit" % OBSTACLES[kind][2])
        for kind, asker in askers.items():
            assert asker.known()[0] == 200 and asker.state("used") and ON in asker.workers.log(), kind


def test_a_pool_that_starts_before_a_view_knows_nothing_of_it(still, start_workers):
    database, _ = still()
    database.run("begin; %s; commit" % VIEW)
    with Asker(start_workers(database)) as asker:
        assert never_known(asker, "obstacle", "authentik_policies_policy is a view") != asker.ask()


def test_a_role_that_may_not_ask_for_the_snapshot_is_answered_in_full(still, start_workers):
    """The right goes while the pool serves: at most the requests of that moment are told to come again."""
    database, workers = still(database_wait="1s")
    with Asker(workers) as asker:
        asker.known()
        database.run("revoke execute on function pg_current_snapshot() from public")
        servers.wait_until(lambda: asker.ask()[0] == 200 and asker.state("forbidden"), "the answer")
        database.run(NAME % "in full")
        assert named(never_known(asker, "forbidden", "the role may not call pg_current_snapshot()")) == (200, "in full")
    database.run("grant execute on function pg_current_snapshot() to public")
    with Asker(start_workers(database)) as asker:
        assert named(asker.known()) == (200, "in full")


@pytest.fixture
def clock(tmp_path_factory):
    """clock(offset): puts the clock of what is started with clock.environment so far from the true one."""
    directory = servers.make_directory()
    file = directory / "offset"

    def put(offset):
        file.with_suffix(".new").write_text(offset + "\n")
        os.rename(file.with_suffix(".new"), file)

    put("+0s")
    put.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    yield put
    shutil.rmtree(directory)


def test_what_had_expired_is_valid_again_where_the_servers_clock_is_set_back(start_workers, made, clock, monkeypatch):
    """A key of somebody who is not active hides an administrator's, as it did before it had expired."""
    with monkeypatch.context() as patch:
        for name, value in clock.environment.items():
            patch.setenv(name, value)
        server = made()
    server.run("insert into authentik_core_token (token_uuid, user_id, identifier, key, expiring, expires) values (overlay(gen_random_uuid()::text placing "
               "'0' from 1)::uuid, 8, 'of 8', 'twice', true, now() - interval '1 minute'), (overlay(gen_random_uuid()::text placing '9' from 1)::uuid, "
               "1, 'of 1', 'twice', false, null)")
    with Asker(start_workers(server.dsn(user="event_matcher"))) as asker:
        assert asker.known("twice")[0] == 200
        before = text(server)
        clock("-1h")
        assert asker.ask("twice")[0] == 403 == asker.known("twice")[0]
        clock("+0s")
        assert asker.ask("twice")[0] == 200 == asker.known("twice")[0]
        assert text(server) == before, "nothing was committed"


# Whose key it is

ALIKE = ("8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ")


def fnv_1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2 ** 64
    return value


def test_two_keys_with_one_hash_of_64_bits_get_each_their_own_answer(still):
    assert {fnv_1a(key.encode()) for key in ALIKE} == {0x4EAC0C95540867E4}
    database, workers = still()
    for user, key in zip((1, 7), ALIKE):
        database.run("insert into authentik_core_token (user_id, identifier, key) values (%d, '%s', '%s')" % (user, key, key))
    with Asker(workers) as asker:
        for _ in range(3):
            assert [asker.known(key)[0] for key in ALIKE] == [200, 403]
            assert [asker.ask_and_tell(key) for key in reversed(ALIKE)] == [((403, asker.ask(ALIKE[1])[1]), True), (asker.ask(ALIKE[0]), True)]


# The bound: a reading of the facts

def facts_read(asker):
    return asker.metric('event_matcher_facts_total{how="asked"}')


def test_what_is_known_is_found_anew_after_each_reading_of_the_facts(still):
    database, workers = still()
    with Asker(workers) as asker:
        asker.known()
        snapshot, read, anew = text(database.server), facts_read(asker), 0
        while facts_read(asker) < read + 1 or not anew:
            anew += not asker.ask_and_tell()[1]
            assert facts_read(asker) <= read + 1, "a reading after which all was still known"
        assert anew == 1 and asker.ask_and_tell()[1] and text(database.server) == snapshot


# Each commits what other sessions hear of only after the commit, and locks nothing that they read; and what an answer is once they have heard.
GAPS = {
    "revoke": ("revoke select on authentik_policies_policy from event_matcher", lambda answer: answer[0] == 503),
    "membership": ("revoke readers from event_matcher", lambda answer: answer[0] == 503),
    "schema": ("alter schema public rename to away; alter schema other rename to public", lambda answer: named(answer) == (200, "of the other schema")),
    "inherit": ("alter table more inherit authentik_policies_policybinding", lambda answer: answer[1].get("bound_to") == 2),
}
PREPARE = ("create table more (like authentik_policies_policybinding including all); insert into more select * from authentik_policies_policybinding; "
           "update other.authentik_policies_policy set name = 'of the other schema' where policy_uuid = '%s'" % POLICY)


class Gap:
    """A session that has made a commit which is seen, but not told to others yet: gdb holds its process there."""

    def __init__(self, database, statement, directory):
        self.owner, self.output = psycopg.connect(database.owner_dsn, autocommit=True), directory / (database.name + ".gdb")
        self.gdb = subprocess.Popen(["gdb", "-q", "-nx", "-p", str(self.owner.info.backend_pid), "-ex", "handle SIGUSR1 SIGUSR2 nostop noprint pass",
                                     "-ex", "break AtEOXact_Inval", "-ex", "echo armed\\n", "-ex", "continue", "-ex", "echo in the gap\\n"],
                                    stdin=subprocess.PIPE, stdout=open(self.output, "w"), stderr=subprocess.STDOUT, text=True,
                                    env={**os.environ, "DEBUGINFOD_URLS": ""})
        self.wait("armed")
        self.committer = threading.Thread(target=self.owner.execute, args=(statement,))
        self.committer.start()
        self.wait("in the gap")

    def wait(self, said):
        servers.wait_until(lambda: said + "\n" in self.output.read_text(), said)

    def end(self):
        self.gdb.communicate("delete\ndetach\nquit\n", timeout=60)
        self.committer.join(60)
        assert not self.committer.is_alive(), "the commit is acknowledged"
        self.owner.close()


def can_attach():
    scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    return os.getuid() == 0 or not scope.exists() or scope.read_text().strip() == "0"


@pytest.mark.skipif(not can_attach(), reason="only root may attach gdb to a process here")
def test_what_reaches_other_sessions_after_its_commit_is_seen_after_the_next_reading_of_the_facts(still, tmp_path):
    """A right that goes, one that was another role's, a schema that is renamed, a child that a table gets: an answer may be older than these, but for ten seconds only."""
    with contextlib.ExitStack() as stack:
        pools = {kind: still(database_wait="1s") for kind in GAPS}
        askers = {kind: stack.enter_context(Asker(workers)) for kind, (_, workers) in pools.items()}
        for database, _ in pools.values():
            database.run("create schema other")
            servers.load_sample(database.server, database.name, "-v", "schema=other")
            database.run(PREPARE)
        pools["membership"][0].run("create role readers; grant select on authentik_policies_policy to readers; grant readers to event_matcher; "
                                   "revoke select on authentik_policies_policy from event_matcher")
        old, before = {kind: asker.known() for kind, asker in askers.items()}, text(pools["revoke"][0].server)
        gaps = [Gap(pools[kind][0], statement, tmp_path) for kind, (statement, _) in GAPS.items()]
        assert text(pools["revoke"][0].server) != before
        assert {kind: asker.known() for kind, asker in askers.items()} == old, "the case: it is committed, but nobody knows"
        for gap in gaps:
            gap.end()
        acknowledged = time.monotonic()
        for kind, (_, is_new) in GAPS.items():
            servers.wait_until(lambda: is_new(askers[kind].ask()), kind, seconds=acknowledged + 15 - time.monotonic())
        assert askers["schema"].known() and askers["inherit"].known()
