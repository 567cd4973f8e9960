# SPDX-License-Identifier: MIT
"""The benchmark's own honesty: its documents are its last run's, its paced client sees what is late or wrong, noise is named."""
import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

import fastcgi
import servers

BENCH = servers.ROOT / "tests" / "bench"
sys.path.insert(0, str(BENCH))
import bench  # noqa: E402
import documents  # noqa: E402
import report  # noqa: E402

POLICY = "00000000-0000-4000-8000-000000000001"
CLIENTS, RATE, SECONDS = 4, 100, 2


@pytest.fixture(scope="module")
def stored():
    return json.loads(documents.STORED.read_text())


def test_the_tables_in_the_document_are_those_of_the_run_that_is_kept_beside_it(stored):
    page = report.page(stored["heading"], report.tables_of(stored["tables"]))
    assert documents.between_marks(documents.PERFORMANCE.read_text()) == page.strip()


def test_the_kept_run_has_every_family_and_each_of_its_comparisons_an_equal_pool(stored):
    tables = report.tables_of(stored["tables"])
    compared = [table for table in tables if table.title not in ("Memory", "Instructions")]
    assert len(tables) >= len(bench.FAMILIES) + len(bench.ONCE) and all(table.same and table.workers for table in compared)
    assert len([row for table in tables for row in table.rows if row.reach is not None]) > 20


def test_every_family_is_a_file_and_every_file_a_family():
    assert sorted([*bench.FAMILIES, *bench.ONCE]) == sorted(path.stem for path in (BENCH / "families").glob("[a-z]*.py"))


@pytest.mark.parametrize("same, noisy", [((1.00, 0.97, 1.04), False), ((1.00, 0.95, 1.04), True), ((1.05, 1.02, 1.07), True),
                                         ((0.95, 0.92, 0.99), True)])
def test_a_table_is_called_noisy_where_two_equal_pools_are_too_far_apart(same, noisy):
    table = report.Table("Title", "Sentence.", 2, [report.Row("what", (0.5, 0.4, 0.6), reach=0.4)], [("64 clients", same)])
    assert report.section(table).startswith("### Title (2 workers, noisy)\n" if noisy else "### Title (2 workers)\n")
    assert ("yes, noisy" in report.targets([table])) is noisy


def test_a_target_that_is_missed_is_said_to_be():
    rows = [report.Row("more", (0.5, 0.4, 0.6), reach=0.6), report.Row("less", (9.0, 8.0, 10.0), " MB", reach=8, below=True)]
    text = report.targets([report.Table("Title", "Sentence.", 1, rows, [])])
    assert "| more | ≥ 0.6 | 0.50 | 0.40–0.60 | no |" in text and "| less | ≤ 8 MB | 9.00 MB | 8.00–10.0 | no |" in text


class StandIn(http.server.BaseHTTPRequestHandler):
    """Answers as its server's answer says, with the asked path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def standing_in(answer):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        server.answer = answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def paced(tmp_path_factory):
    """Runs the client against an answer; what it says, or, where it fails, its complaint."""
    subprocess.run(["make", "-s", "-C", servers.ROOT / "build", "paced"], check=True, capture_output=True)
    requests = tmp_path_factory.mktemp("paced") / "requests"
    requests.write_text("%s some-key\n" % fastcgi.URI.format(POLICY))

    def run(answer):
        with standing_in(answer) as port:
            command = [servers.ROOT / "build" / "paced", str(port), requests, str(CLIENTS), str(RATE), str(SECONDS)]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return json.loads(result.stdout) if result.returncode == 0 else result.stderr

    return run


def named(path):
    return 200, path.encode()


def test_the_paced_client_asks_at_its_rate(paced):
    assert abs(paced(named)["requests"] - RATE * SECONDS) <= CLIENTS


def test_what_a_standstill_holds_up_is_late_by_what_it_waited_before_it_was_sent(paced):
    """A client that waits for its answers would have four late ones of two hundred."""
    began = time.monotonic()

    def answer(path):
        time.sleep(max(0, began + 1.5 - time.monotonic()))
        return named(path)

    assert paced(answer)["p50"] > 200000


@pytest.mark.parametrize("answer", [lambda path: (503, path.encode()), lambda path: (200, b"another policy")], ids=["503", "another"])
def test_the_paced_client_fails_on_a_wrong_answer(paced, answer):
    assert isinstance(paced(answer), str) and paced(answer)


def test_without_cargo_the_rust_service_is_left_out_and_nothing_fails(tmp_path):
    for tool in ("wrk", "gnuplot", "nginx", "pgbench"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    run = subprocess.run(["/usr/bin/python3", BENCH / "bench.py", "--build", tmp_path, "--family=peer"], capture_output=True, text=True,
                         env={**os.environ, "PATH": str(tmp_path)})
    assert (run.returncode, run.stderr) == (0, "") and "the Rust service is left out: there is no cargo" in run.stdout


@pytest.mark.parametrize("begins", ["a request, one client", "requests a second, 64 clients", "memory"])
def test_each_figure_of_the_readme_has_its_place_in_the_run(stored, begins):
    cells = documents.cells(report.tables_of(stored["tables"]))
    assert "| %s |" % cells[begins] in documents.README.read_text()
