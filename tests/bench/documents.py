# SPDX-License-Identifier: MIT
"""Fills what a run has found into docs/performance.md, its plots, and the figures of the README's first screen."""
import re

import report
from report import ROOT

MARK = "<!-- benchmark -->"
PERFORMANCE, README, STORED = ROOT / "docs" / "performance.md", ROOT / "README.md", ROOT / "docs" / "benchmark.json"


def between_marks(text):
    return text.split(MARK)[1].strip()


def fill_performance(page):
    before, _, after = PERFORMANCE.read_text().split(MARK)
    PERFORMANCE.write_text(MARK.join([before, "\n" + page + "\n", after]))


def cells(tables):
    """The README's figures of ours: the beginning of a line -> what its last cell says."""
    found = {what: figure[0] for rows in report.figures_of(tables).values() for what, figure in rows.items()}
    rate = "requests a second, a real directory, %s"
    return {"a request, one client": "%.2f ms" % (1000 / found[rate % "1 client"]),
            "requests a second, 64 clients": format(int(round(found[rate % "64 clients"], -3)), ","),
            "memory": "%.1f MB a worker, and %.0f MB for its PostgreSQL session" % (
                found["memory (PSS) of a worker, 64 busy connections"], found["memory (PSS) of its PostgreSQL sessions"])}


def fill_readme(tables):
    text = README.read_text()
    for begins, cell in cells(tables).items():
        text, count = re.subn(r"^(\| %s \| .* \|) [^|]* \|$" % begins, r"\1 %s |" % cell, text, flags=re.M)
        assert count == 1, begins
    README.write_text(text)


def fill(page, tables):
    fill_performance(page)
    fill_readme(tables)
