# SPDX-License-Identifier: MIT
"""The README's first screen says what is so: its answer is what a request gets, its figures are those of docs/performance.md."""
import re

import fastcgi
import servers
from sample import ADMIN, URI

README = (servers.ROOT / "README.md").read_text()
PERFORMANCE = (servers.ROOT / "docs" / "performance.md").read_text()


def measured(name):
    """What docs/performance.md's table has beside that name, where it first stands."""
    return float(re.search(r"^\| %s \| ([\d.,]+)" % re.escape(name), PERFORMANCE, re.M)[1].replace(",", ""))


def ours(what):
    """The README's figure of ours."""
    return re.search(r"^\| %s[^|]*\| [^|]* \| ([^|]*) \|" % what, README, re.M)[1]


def test_the_answer_in_the_readme_is_that_of_its_request(workers):
    request, answer = re.search(r"^```\nGET (\S+)\n.*?\n\n(\{.*?\})\n```", README, re.M | re.S).groups()
    body = fastcgi.ask(workers.socket, request, ADMIN).body.decode()
    assert request == URI
    begins, ends = [re.sub(r"\n *", "", part).strip(" ") for part in answer.split(" ... ")]
    assert body.startswith(begins) and body.endswith(ends) and len(ends) > 100


def test_the_figures_in_the_readme_are_those_of_the_document():
    assert ours("a request, one client") == "%.2f ms" % (1000 / measured("requests a second, a real directory, 1 client"))
    assert ours("requests a second, 64 clients") == format(round(measured("requests a second, a real directory, 64 clients"), -3), ",.0f")
    assert ours("memory") == "%.1f MB a worker, and %.0f MB for its PostgreSQL session" % (
        measured("memory (PSS) of a worker, 64 busy connections"), measured("memory (PSS) of its PostgreSQL sessions"))
