# SPDX-License-Identifier: MIT
"""The statements' plans stay right where the tables grow after they were prepared."""
import re

import pytest

import conftest
import fastcgi
import servers
from sample import ASKED, MIXED

GROW = {"alone": servers.ROOT / "tests" / "system" / "grow.sql", "tree": conftest.LAYOUTS["tree"] / "grow.sql"}
CALLERS = [key for key in MIXED if key.startswith("sample-")]


@pytest.fixture
def explained(either):
    """A database whose server logs each statement's plan, and what it read, as it runs it."""
    for setting in ("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
                    "auto_explain.log_analyze = on", "auto_explain.log_buffers = on", "auto_explain.log_timing = off",
                    "log_min_messages = log"):
        either.run("alter database %s set %s" % (either.name, setting))
    return either


def pages_read(log):
    """The pages that each statement has read: what its topmost node says."""
    statements = re.split(r"duration: [\d.]+ ms  plan:", log)[1:]
    found = [re.search(r"Buffers: shared (?:hit=(\d+))?(?: read=(\d+))?", statement) for statement in statements]
    return [sum(int(pages or 0) for pages in match.groups()) for match in found if match]


def ask_all(workers):
    for _ in range(2):  # the second time the rights are asked for along with the caller
        for key in CALLERS:
            for uuid, expected in zip(ASKED, MIXED[key]):
                assert fastcgi.ask(workers.socket, fastcgi.URI.format(uuid), key).status == expected


@pytest.mark.once
def test_no_statement_reads_more_once_the_tables_have_grown_under_it(explained, start_workers):
    workers = start_workers(explained)
    ask_all(workers)
    explained.server.load(GROW[explained.layout], explained.name)
    start = len(explained.server.log())
    ask_all(workers)
    log = explained.server.log()[start:]
    pages = pages_read(log)
    assert len(pages) > 2 * len(CALLERS) * len(ASKED) and max(pages) < 100, max(pages)
