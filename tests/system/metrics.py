# SPDX-License-Identifier: MIT
"""The table of metrics as the program has it, the values of a pool, and docs/metrics.md, which is made from the table."""
import collections
import re
import subprocess
import sys

import fastcgi
import servers

DOCUMENT = servers.ROOT / "docs" / "metrics.md"
TYPES = {"COUNTER": "counter", "GAUGE": "gauge", "FLAG": "gauge", "KNOWN": "gauge", "BUCKET": "histogram", "TIME_SUM": "histogram",
         "SIZE_SUM": "histogram"}
Row = collections.namedtuple("Row", "name kind family labels help")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$', re.M)


def rows():
    """Each row of src/base/metrics.def, as the preprocessor leaves it."""
    text = subprocess.run(["gcc", "-E", "-P", "-x", "c", '-DPACKAGE_VERSION="x"', servers.ROOT / "src/base/metrics.def"],
                          check=True, capture_output=True, text=True).stdout
    words = r'((?:\s*"(?:[^"\\]|\\.)*")+)'
    found = re.findall(r"METRIC\((\w+), (\w+),%s,%s,%s\s*\)" % (words, words, words), text)
    assert len(found) == text.count("METRIC(") > 100
    joined = [[re.sub(r"\\(.)", r"\1", "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', part))) for part in row[2:]] for row in found]
    return [Row(*row[:2], *texts) for row, texts in zip(found, joined)]


def key(family, labels):
    """A metric without its server and its bucket: what has a cause of its own."""
    kept = [label for label in re.findall(r'\w+="(?:[^"\\]|\\.)*"', labels or "") if not label.startswith(("host=", "le=", "version="))]
    return family + ("{%s}" % ",".join(kept) if kept else "")


def keys():
    return sorted({key(row.family, row.labels) for row in rows()})


def read(text):
    """Values by key; of a histogram how many it has counted."""
    values = collections.Counter()
    for name, labels, value in SAMPLE.findall(text):
        if not name.endswith(("_bucket", "_sum")):
            values[key(re.sub("_count$", "", name), labels)] += float(value)
    return values


def ask(workers):
    reply = fastcgi.ask(workers.socket, "/-/metrics/")
    assert reply.status == 200
    return reply.body.decode()


def known_answers(workers, least=1):
    """How many of the answers of a pool were known: a test that passes because none was, is no test. None where they are off."""
    values = read(ask(workers))
    count = int(values["event_matcher_known_answers_total"])
    if values['event_matcher_known_answers_state{state="off"}']:
        assert count == 0
        return None
    assert count >= least, "only %d of the answers were known" % count
    return count


def families():
    """Family, type, help, and which values its labels take, in the order of the table."""
    found = {}
    for row in rows():
        values = found.setdefault(row.family, (TYPES[row.kind], row.help, collections.defaultdict(dict)))[2]
        for label, value in re.findall(r'(\w+)="([^"]*)"', row.labels):
            values[label][value] = None
        if re.search(r"_(1|OTHERS)$", row.name) and "BUCKET" not in row.kind:
            values["host"][""] = None
    return [(family, kind, text, values) for family, (kind, text, values) in found.items()]


def label_text(label, values):
    if label in ("host", "version", "le"):
        return "`%s`" % label
    return "`%s`: %s" % (label, ", ".join(values))


def document():
    """The table for people."""
    lines = ["| metric | type | labels | what it says |", "| --- | --- | --- | --- |"]
    for family, kind, text, values in families():
        labels = "; ".join(label_text(label, taken) for label, taken in values.items() if label != "le")
        lines.append("| `%s` | %s | %s | %s |" % (family, kind, labels, text))
    return "\n".join(lines)


def write():
    before, _, after = DOCUMENT.read_text().split("<!-- metrics -->\n")
    DOCUMENT.write_text("<!-- metrics -->\n".join([before, document() + "\n", after]))


if __name__ == "__main__":
    write() if "--write" in sys.argv else print(document())
