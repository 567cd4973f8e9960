# SPDX-License-Identifier: MIT
"""docs/design.md says what the code says: states, events, rows, invariants, files. No server is needed."""
import re

import pytest

from servers import ROOT

DESIGN = (ROOT / "docs" / "design.md").read_text()
SOURCES = {path: path.read_text() for path in sorted((ROOT / "src").rglob("*.[ch]"))}
# Which section has the table of which enumeration; enumerators that only count are no part of it.
SECTIONS = {"framing_phase": "Framing", "framing_event": "Framing", "peer_state": "Peer", "exchange_state": "Exchange",
            "access_step": "Access", "access_verdict": "Access", "question_state": "Question",
            "connection_state": "Connection", "connection_loss": "Connection",
            "sqlstate_again": "What an error of PostgreSQL means", "answer_outcome": "What an error of PostgreSQL means"}
COUNTERS = {"ACCESS_VERDICTS"}


def section(title):
    return re.search(r"^## %s\n(.*?)(?=^## |\Z)" % re.escape(title), DESIGN, re.M | re.S).group(1)


def rows(text):
    """The cells of each row of its tables, heads and rules left out."""
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    return [[cell.strip() for cell in line[1:-1].split("|")] for table in tables for line in table.splitlines()[2:]]


def enumerators(name):
    """Of the one enumeration of that name, comments left out."""
    bodies = re.findall(r"^enum %s \{(.*?)^\};" % name, "\n".join(SOURCES.values()), re.M | re.S)
    assert len(bodies) == 1, name
    return set(re.findall(r"\b[A-Z][A-Z_]+\b", re.sub(r"/\*.*?\*/", "", bodies[0], flags=re.S))) - COUNTERS


@pytest.mark.parametrize("name", SECTIONS)
def test_each_enumerator_stands_in_its_section(name):
    assert len(enumerators(name)) >= 3
    assert enumerators(name) - set(re.findall(r"`([A-Z_]+)`", section(SECTIONS[name]))) - {"ANSWER_GOOD"} == set()


@pytest.mark.parametrize("name", ["peer_state", "exchange_state", "access_step", "question_state", "connection_state"])
def test_each_state_has_a_row_that_says_what_moves_it(name):
    assert enumerators(name) <= {row[0].strip("`") for row in rows(section(SECTIONS[name]))}


def test_the_table_of_framing_has_a_column_for_each_phase_and_a_row_for_each_event():
    head = next(line for line in section("Framing").splitlines() if line.startswith("| event"))
    assert set(re.findall(r"`(\w+)`", head)) == enumerators("framing_phase")
    assert {row[0].strip("`") for row in rows(section("Framing"))} == enumerators("framing_event")


def test_the_page_names_no_enumerator_that_is_not_there():
    known = set.union(*map(enumerators, SECTIONS))
    prefixes = {name.split("_")[0] for name in known}
    named = {name for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", DESIGN) if name.split("_")[0] in prefixes}
    assert len(named) > 40 and named - known == set()


def test_the_table_of_errors_is_that_of_the_code():
    """The last row of the code is that of a connection which was lost without a word; it stands apart."""
    source = SOURCES[ROOT / "src" / "postgres" / "sqlstate.c"]
    pattern = r'\{\s*"(\w*)",\s*(SQLSTATE_\w+),\s*(ANSWER_\w+),\s*(?:NULL|"([^"]*)")\}'
    *coded, other, lost = re.findall(pattern, source)
    assert len(coded) >= 9 and other[0] == lost[0] == ""
    expected = [*coded, ("any other", *other[1:]), ("none: lost without a word", *lost[1:])]
    assert [tuple(cell.strip("`") for cell in row) for row in rows(section("What an error of PostgreSQL means"))] == expected


def test_each_invariant_of_the_code_has_its_row():
    coded = set(re.findall(r"^static void (\w+_check)\(const", "\n".join(SOURCES.values()), re.M))
    assert len(coded) >= 5
    assert {row[0].strip("`") for row in rows(section("What holds between two events"))} == coded


def test_the_glossary_has_ten_words():
    assert len(rows(section("Ten words"))) == 10


@pytest.mark.parametrize("document", ["docs/design.md", "CONTRIBUTING.md"])
def test_the_files_that_a_document_names_are_there(document):
    text = (ROOT / document).read_text()
    named = set(re.findall(r"`((?:src|sql|nginx|tests|scripts|docs)/[\w./-]*)`", text))
    assert len(named) >= 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_each_header_whose_comment_sends_the_reader_to_the_page_finds_its_section():
    senders = [path for path, text in SOURCES.items() if "docs/design.md" in text]
    assert senders
    assert [path for path in senders if path.stem not in DESIGN] == []
