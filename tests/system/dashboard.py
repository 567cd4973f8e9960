# SPDX-License-Identifier: MIT
"""docs/grafana.json, and a Prometheus of one's own that its expressions are asked of."""
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import servers

DASHBOARD = json.loads((servers.ROOT / "docs/grafana.json").read_text())
CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: event-matcher-fcgi
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expression(text, interval="10s"):
    """As Grafana fills it in, for all instances."""
    return text.replace("$__rate_interval", interval).replace("$instance", ".*")


def expressions():
    """(title, expression, legend) of every line of every panel."""
    return [(panel["title"], target["expr"], target["legendFormat"]) for panel in panels() for target in panel["targets"]]


def name_of(legend, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)


class Prometheus(servers.Process):
    """Scrapes a port each second, and keeps what it finds in its directory."""

    def __init__(self, directory, target):
        self.port = servers.free_port()
        path = directory / "prometheus.yml"
        path.write_text(CONFIGURATION.format(target=target))
        path.chmod(0o644)
        super().__init__(["prometheus", "--config.file=%s" % path, "--storage.tsdb.path=%s" % (directory / "data"),
                          "--web.listen-address=127.0.0.1:%d" % self.port], directory, "prometheus")
        self.wait_ready(self.answers, "Prometheus")

    def get(self, path, **query):
        url = "http://127.0.0.1:%d%s?%s" % (self.port, path, urllib.parse.urlencode(query))
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return json.load(reply)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError("%s: %s" % (query, error.read().decode())) from None

    def answers(self):
        try:
            return self.ask("up") is not None
        except (OSError, AssertionError):  # it listens before it answers
            return False

    def ask(self, text):
        """What the expression is now, per series: labels and value."""
        return [(series["metric"], float(series["value"][1])) for series in self.get("/api/v1/query", query=text)]

    def ask_range(self, text, start, end, step=1):
        """The same over a time: labels and (time, value) pairs."""
        return [(series["metric"], [(float(at), float(value)) for at, value in series["values"]])
                for series in self.get("/api/v1/query_range", query=text, start=start, end=end, step=step)]
