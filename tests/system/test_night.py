# SPDX-License-Identifier: MIT
"""Who is woken at night finds the cause with the metrics, the log and one page, and what that page says to do heals it."""
import contextlib
import os
import re
import signal

import psycopg
import pytest

import fastcgi
import servers
from chaos import Chaos
from sample import ADMIN, URI

TEXT = (servers.ROOT / "docs" / "operations.md").read_text()
PAGE = TEXT.split("## Woken at night\n")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| .*\|$", PAGE, re.M)][2:]
HOLDERS = re.search(r"^```sql\n(.*?)^```", PAGE, re.M | re.S)[1]
EVENTS = re.findall(r"^EVENT\((\w+), (ERROR|WARNING)", (servers.ROOT / "src" / "events.def").read_text(), re.M)
# The program's own limits, as in the chaos test.
LIMITS = {"request_timeout": "2s", "statement_timeout": "1500ms", "lock_timeout": "500ms", "connect_timeout": "2s", "database_wait": "1s"}


def metrics(workers):
    """The page as it is now: {(name, labels): value}; a worker that hangs may be the one that is asked."""
    with contextlib.suppress(OSError, EOFError, ValueError), fastcgi.Connection(workers.socket, timeout=3) as connection:
        page = connection.ask("/-/metrics/", ADMIN).body.decode()
        return {(name, labels or ""): float(value) for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", page, re.M)}
    return {}


def total(page, selector):
    """The sum of what a selector of Prometheus' takes; None where there is nothing."""
    name, wanted = re.fullmatch(r"(\w+)(?:\{(.*)\})?", selector).groups()
    pairs = re.findall(r'(\w+)=(~?)"([^"]*)"', wanted or "")
    values = [value for (own, labels), value in page.items() if own == name and all(
        re.search(r'\b%s="%s"' % (label, form if regular else re.escape(form)), labels) for label, regular, form in pairs)]
    return sum(values) if values else None


class Reader:
    """Knows the page of metrics before and now, the log since, and the document."""

    def __init__(self, workers):
        self.workers, self.before, self.read = workers, metrics(workers), len(workers.log())

    def fits(self, row, page, events):
        condition = re.fullmatch(r"`(.*)` (is 0|grows)", row[0])
        if not condition or not page or not set(re.findall(r"`(\w+)`", row[1])) & events:
            return False
        value = total(page, condition[1])
        return value == 0 if condition[2] == "is 0" else value > (total(self.before, condition[1]) or 0)

    def diagnose(self):
        """The first row that fits, or None."""
        log = self.workers.log()[self.read:]
        events = {word for word in re.findall(r"^\S+ (?:error|warning) \d+ (\w+) ", log, re.M)}
        page = metrics(self.workers)
        return next((row for row in ROWS if self.fits(row, page, events)), None)

    def lines(self, event):
        return [line for line in self.workers.log()[self.read:].splitlines() if re.match(r"\S+ \w+ \d+ %s " % event, line)]


def ask(workers):
    """The status, or 0 where nobody answers."""
    with contextlib.suppress(OSError, EOFError, ValueError), fastcgi.Connection(workers.socket, timeout=5) as connection:
        return connection.ask(URI, ADMIN).status
    return 0


def find(reader, event):
    """Asks, as clients do, until the page of this night leads to one row, which is to be the event's."""
    def led():
        ask(reader.workers)
        return (reader.diagnose() or ["", ""])[1] == "`%s`" % event
    servers.wait_until(led, "the row of %s; it led to %s" % (event, reader.diagnose()))
    return reader.diagnose()[3], reader.lines(event)


@pytest.fixture
def night(start_plain, own):
    pool = start_plain(own, workers=2, **LIMITS)
    assert ask(pool) == 200
    with psycopg.connect(own.owner_dsn, autocommit=True) as owner:
        chaos = Chaos(pool, own, None)
        chaos.owner = owner
        yield chaos


def heals(night):
    servers.wait_until(lambda: [ask(night.pool) for _ in range(10)] == [200] * 10, "the service")


# The page
def test_the_page_is_one_page_at_the_head_of_the_document():
    assert TEXT.startswith("# Operations\n\n## Woken at night\n") and 5 <= len(ROWS) <= 15 and all(len(row) == 4 and all(row) for row in ROWS)


def test_each_row_has_events_of_the_log_and_no_event_leads_to_two():
    named = [event for row in ROWS for event in re.findall(r"`(\w+)`", row[1])]
    assert len(named) == len(set(named)) and [event for event in named if event not in dict(EVENTS)] == []


def test_each_row_that_names_a_metric_names_one_that_is_there(night):
    selectors = [re.fullmatch(r"`(.*)` (?:is 0|grows)", row[0]) for row in ROWS]
    page = metrics(night.pool)
    assert sum(map(bool, selectors)) > 10 and [s[1] for s in selectors if s and total(page, s[1]) is None] == []


def test_a_quiet_night_leads_nowhere(night):
    reader = Reader(night.pool)
    assert {ask(night.pool) for _ in range(20)} == {200} and reader.diagnose() is None


# Five faults of the chaos, and what the page says to do
def test_a_table_that_is_away(night):
    reader = Reader(night.pool)
    night.owner.execute("alter table authentik_policies_policybinding rename to gone")
    remedy, lines = find(reader, "session_failed")
    assert ask(night.pool) == 503 and "finish the migration" in remedy and "the table authentik_policies_policybinding is missing" in lines[0]
    night.owner.execute("alter table gone rename to authentik_policies_policybinding")
    heals(night)


def test_a_lock_that_somebody_holds(night, own):
    reader = Reader(night.pool)
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(own.owner_dsn) as somebody:
        somebody.execute("lock table authentik_core_token in access exclusive mode")
        remedy, lines = find(reader, "question_failed")
        assert "55P03: a migration, or somebody, holds a lock: the query below names who, `pg_terminate_backend` ends it" in remedy
        assert any("55P03" in line for line in lines)
        holders = night.owner.execute(HOLDERS).fetchall()
        assert [row[0] for row in holders] == [somebody.info.backend_pid] and "lock table" in holders[0][3]
        night.owner.execute("select pg_terminate_backend(%s)", [holders[0][0]])
    heals(night)


def test_a_process_of_the_server_that_stands_still(night):
    reader = Reader(night.pool)
    backends = [pid for pid, in night.backends("pid")]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        remedy, lines = find(reader, "session_lost")
        assert "the session was replaced" in remedy and "did not answer within statement_timeout" in lines[0]
        heals(night)  # while it still stands
    finally:
        for pid in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_worker_that_is_killed(night):
    reader = Reader(night.pool)
    os.kill(night.pool.worker_pids()[0], signal.SIGKILL)
    remedy, lines = find(reader, "worker_killed")
    assert "signal 9: see what killed it" in remedy and "signal 9" in lines[0]
    heals(night)


def test_a_worker_that_hangs(night):
    reader = Reader(night.pool)
    os.kill(night.pool.worker_pids()[0], signal.SIGSTOP)
    remedy, lines = find(reader, "worker_silent")
    assert "nothing for now" in remedy and len(lines) == 1
    heals(night)
