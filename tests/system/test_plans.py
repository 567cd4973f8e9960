# SPDX-License-Identifier: MIT
"""The statements' plans stay right where the tables grow after they were prepared."""
import contextlib
import re

import pytest

import conftest
import fastcgi
import sample
import servers
from sample import ASKED, MIXED

GROW = {"alone": servers.ROOT / "tests" / "system" / "grow.sql", "tree": conftest.LAYOUTS["tree"] / "grow.sql"}
CALLERS = [key for key in MIXED if key.startswith("sample-")]


@pytest.fixture(params=["authentik's own indexes", "index.sql", "small and analyzed"])
def explained(either, request):
    """A database whose server logs each statement's plan, and what it read, as it runs it; nothing but growth is to change its tables."""
    either.run("""do $$ declare relation regclass; begin
                  for relation in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'm') loop
                      execute format('alter table %s set (autovacuum_enabled = false)', relation);
                  end loop; end $$""")
    if request.param == "index.sql":
        either.server.load(servers.ROOT / "sql" / "index.sql", either.name)
    if request.param == "small and analyzed":
        either.run("analyze")
    for setting in ("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
                    "auto_explain.log_analyze = on", "auto_explain.log_buffers = on", "auto_explain.log_timing = off",
                    "log_min_messages = log"):
        either.run("alter database %s set %s" % (either.name, setting))
    return either


def plans(log):
    """Each statement with its plan, but those that ask the catalogue."""
    return [plan for plan in re.split(r"duration: [\d.]+ ms  plan:", log)[1:] if "pg_class" not in plan]


def pages_read(plan):
    """What its topmost node says."""
    match = re.search(r"Buffers: shared (?:hit=(\d+))?(?: read=(\d+))?", plan)
    return sum(int(pages or 0) for pages in match.groups()) if match else 0


def rows_in_vain(plan):
    """The most rows that one of its nodes has read and not used."""
    return max((int(rows) for rows in re.findall(r"Rows Removed by (?:Join )?Filter: (\d+)", plan)), default=0)


# What shows, in its text or its plan, that a statement was asked.
SIGNS = {"caller": "asked (key, believed, search, n)", "caller_known": "asked (key, n)", "caller_one": "limit 1) found",
         "policy": "asked (id, n)", "policy_one": "where e.policy_ptr_id = $1", "rights": "asked (id, believed, first_policy",
         "rights_known": "asked (id, believed, n)"}


def ask_at_once(workers, keys):
    """About each policy, as one batch."""
    with contextlib.ExitStack() as opened:
        asked = [(opened.enter_context(fastcgi.Connection(workers.socket)), key, n) for key in keys for n in range(len(ASKED))]
        with workers.standing_still():
            for connection, key, n in asked:
                connection.send(sample.request(fastcgi.URI.format(ASKED[n]), key))
        assert [connection.reply().status for connection, _, _ in asked] == [MIXED[key][n] for _, key, n in asked]


def ask_all(workers):
    for _ in range(2):  # the second time the rights are asked for along with the caller
        for key in CALLERS:
            for uuid, expected in zip(ASKED, MIXED[key]):
                assert fastcgi.ask(workers.socket, fastcgi.URI.format(uuid), key).status == expected
    ask_at_once(workers, CALLERS)
    ask_at_once(workers, ["sample-key-admin", "sample-key-dashboard"])


@pytest.mark.once
def test_no_statement_reads_more_once_the_tables_have_grown_under_it(explained, start_workers):
    workers = start_workers(explained, known_answers=0)
    ask_all(workers)
    explained.server.load(GROW[explained.layout], explained.name)
    start = len(explained.server.log())
    ask_all(workers)
    found = plans(explained.server.log()[start:])
    assert [name for name, sign in SIGNS.items() if sign not in "".join(found)] == []
    assert rows_in_vain(max(found, key=rows_in_vain)) < 20, max(found, key=rows_in_vain)
    assert pages_read(max(found, key=pages_read)) < 15 * len(CALLERS), max(found, key=pages_read)
