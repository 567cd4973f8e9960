# SPDX-License-Identifier: MIT
"""What the log can say: one table, from which the lists in the documents are made."""
import os
import pathlib
import re
import subprocess

from servers import ROOT

BUILD = pathlib.Path(os.environ.get("EVENT_MATCHER_FCGI", ROOT / "build" / "event-matcher-fcgi")).parent
ROWS = re.findall(r'^EVENT\((\w+), (ERROR|WARNING|INFO|DEBUG),\s*"([^"|\\]+)",\s*"([^"|\\]+)"\)$', (ROOT / "src/events.def").read_text(), re.M)
EVENTS = [row[0] for row in ROWS]


def test_the_list_in_the_documents_is_what_the_table_makes():
    text = ROOT / "docs/operations.md"
    made = subprocess.run(["awk", "-f", ROOT / "src/tables.awk", ROOT / "src/settings.def", ROOT / "src/events.def", text],
                          check=True, capture_output=True, text=True).stdout
    assert made == text.read_text(), "make docs writes it"
    assert [line for line in made.splitlines() if re.match(r"\| `\w+` \| (error|warning|info|debug) \|", line)] == [
        "| `%s` | %s | %s | %s |" % (name, level.lower(), meaning, remedy) for name, level, meaning, remedy in ROWS]


def test_the_manual_has_every_event_with_its_meaning():
    man = (BUILD / "event-matcher-fcgi.8").read_text()
    assert re.findall(r"^\.It Li (\w+) Pq (\w+)\n(.*)\.$", man, re.M) == [
        (name, level.lower(), meaning[0].upper() + meaning[1:]) for name, level, meaning, _ in ROWS]


def test_every_event_of_the_table_has_a_place_where_it_is_logged():
    """The other way round it does not compile."""
    sources = "".join(path.read_text() for path in sorted((ROOT / "src").rglob("*.c")))
    assert len(EVENTS) == len(set(EVENTS)) == (ROOT / "src/events.def").read_text().count("\nEVENT(") > 40
    assert max(map(len, EVENTS)) <= 32 and [name for name in EVENTS if not re.search(r"&event_%s\b" % name, sources)] == []
