# SPDX-License-Identifier: MIT
"""docs/design.md says what the code says: states, tables of errors, invariants, files."""
import re

import pytest

from servers import ROOT

TEXT = (ROOT / "docs" / "design.md").read_text()
SOURCES = {path: path.read_text() for path in sorted((ROOT / "src").rglob("*.[ch]"))}
ENUMS = ["framing_phase", "framing_event", "peer_state", "exchange_state", "access_step", "question_state", "connection_state",
         "connection_loss", "access_verdict", "crew_state", "socket_file_state", "upgrade_state", "announcer_state"]


def enumerators(name):
    body, = (match.group(1) for text in SOURCES.values() for match in re.finditer(r"enum %s \{(.*?)\n\};" % name, text, re.S))
    return [word for word in re.findall(r"^\t([A-Z_]+)", body, re.M) if word != "ACCESS_VERDICTS"]  # that only counts


def first_cells():
    """What the rows of all tables begin with: the states that something leads away from."""
    return " ".join(re.findall(r"^\| ([^|]*)\|", TEXT, re.M))


@pytest.mark.parametrize("name", ENUMS)
def test_every_state_stands_in_the_document(name):
    assert len(enumerators(name)) > 2
    assert [word for word in enumerators(name) if not re.search(r"\b%s\b" % word, TEXT)] == []


@pytest.mark.parametrize("name", ["framing_phase", "peer_state", "exchange_state", "access_step", "question_state", "connection_loss",
                                  "crew_state", "socket_file_state", "upgrade_state"])
def test_every_state_has_a_row_that_says_what_moves_it(name):
    assert [word for word in enumerators(name) if not re.search(r"\b%s\b" % word, first_cells())] == []


def test_the_document_names_no_state_that_is_not_there():
    words = set(re.findall(r"\b(?:FRAMING|PEER|EXCHANGE|ACCESS|QUESTION|CONNECTION|ANSWER|CREW|SOCKET_FILE|UPGRADE)_[A-Z_]+\b", TEXT))
    assert [word for word in words if not any(re.search(r"\b%s\b" % word, text) for text in SOURCES.values())] == []


def test_the_table_of_errors_is_that_of_the_source():
    source = SOURCES[ROOT / "src/postgres/sqlstate.c"]
    rows = re.findall(r'^\t\{"(\w*)", +SQLSTATE_(\w+), +ANSWER_(\w+), +(NULL|"[^"]+")\}', source, re.M)
    words = {"ANSWER": "no", "ALONE": "alone", "TOGETHER": "together", "ANEW": "anew", "ELSEWHERE": "elsewhere"}
    expected = ["| %s | %s | %s | %s |" % ("`%s`" % prefix if prefix else "any other", words[again], otherwise.lower(),
                                           "no" if reopen == "NULL" else "yes") for prefix, again, otherwise, reopen in rows]
    table = TEXT[TEXT.index("| prefix |"):].split("\n\n")[0].split("\n")[2:]
    assert len(rows) > 8 and table == expected


def test_every_check_of_invariants_is_explained():
    checks = {name for text in SOURCES.values() for name in re.findall(r"^static void (\w+_check)\(", text, re.M)}
    assert checks == set(re.findall(r"^- `(\w+_check)`", TEXT, re.M)) and len(checks) >= 4


@pytest.mark.parametrize("document", ["docs/design.md", "docs/cluster.md", "docs/web-servers.md", "CONTRIBUTING.md"])
def test_the_files_that_are_named_exist(document):
    text = (ROOT / document).read_text()
    names = re.findall(r"`((?:src|sql|nginx|tests|scripts|docs)/[\w./-]*\w)`", text)
    assert names and [name for name in names if not (ROOT / name).exists()] == []
