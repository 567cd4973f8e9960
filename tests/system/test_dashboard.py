# SPDX-License-Identifier: MIT
"""docs/grafana.json is a dashboard that Grafana takes, and each of its expressions finds something in a real Prometheus."""
import html
import itertools
import math
import re

import jsonschema
import pytest

import conftest
import dashboard
import fastcgi
import metrics
import servers
from sample import ADMIN, URI

DATASOURCE = {"type": "object", "required": ["type", "uid"], "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}}}
PLACE = {"type": "object", "required": ["x", "y", "w", "h"], "additionalProperties": False, "properties": {
    "x": {"type": "integer", "minimum": 0, "maximum": 23}, "y": {"type": "integer", "minimum": 0},
    "w": {"type": "integer", "minimum": 1, "maximum": 24}, "h": {"type": "integer", "minimum": 1}}}
TARGET = {"type": "object", "required": ["refId", "expr", "legendFormat", "datasource"], "properties": {
    "refId": {"type": "string", "pattern": "^[A-Z]$"}, "expr": {"type": "string", "minLength": 1}, "datasource": DATASOURCE}}
# What Grafana's own schema (kind dashboard, schemaVersion 36 and later) asks of the parts that are used here.
SCHEMA = {
    "type": "object", "required": ["title", "uid", "schemaVersion", "panels", "templating", "time", "annotations", "tags"],
    "properties": {
        "schemaVersion": {"type": "integer", "minimum": 36}, "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "graphTooltip": {"enum": [0, 1, 2]}, "tags": {"type": "array", "items": {"type": "string"}},
        "time": {"type": "object", "required": ["from", "to"]},
        "templating": {"type": "object", "required": ["list"], "properties": {"list": {"type": "array", "items": {
            "type": "object", "required": ["name", "type"], "properties": {"type": {"enum": ["datasource", "query"]}, "hide": {"enum": [0, 1, 2]}}}}}},
        "panels": {"type": "array", "minItems": 10, "items": {
            "type": "object", "required": ["id", "type", "title", "gridPos"],
            "properties": {"id": {"type": "integer", "minimum": 1}, "type": {"enum": ["row", "timeseries", "stat"]}, "gridPos": PLACE},
            "if": {"properties": {"type": {"enum": ["timeseries", "stat"]}}},
            "then": {"required": ["datasource", "targets", "fieldConfig", "options"], "properties": {
                "datasource": DATASOURCE, "targets": {"type": "array", "minItems": 1, "items": TARGET},
                "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]}}}}}}}


@pytest.mark.once
def test_the_dashboard_has_the_form_that_grafana_asks_for():
    jsonschema.validate(dashboard.DASHBOARD, SCHEMA)
    panels = dashboard.DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [(a, b) for a, b in itertools.combinations(places, 2) if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
            and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]] == []
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == ["Requests", "Latency", "Database", "Pool", "Versions"]


def named(text):
    return {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"\bevent_matcher_\w+", text)}


@pytest.mark.once
def test_it_names_metrics_that_there_are_and_labels_that_they_have():
    labels = {family: set(values) for family, _, _, values in metrics.families()}
    for title, text, legend in dashboard.expressions():
        assert named(text) and named(text) <= set(labels), title
        known = set.union(*(labels[name] for name in named(text))) | {"le", "instance"}
        used = set(re.findall(r"by \(([^)]*)\)", text)) | set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert {label.strip() for group in used for label in group.split(",")} <= known, title
        assert all(selector.startswith('instance=~"$instance"') for selector in re.findall(r"\{([^}]*)\}", text)), title


@pytest.fixture
def start_prometheus():
    yield from conftest.factory(dashboard.Prometheus)


def test_each_expression_of_the_dashboard_finds_a_value_in_a_real_prometheus(start_workers, start_prometheus, alone):
    port = servers.free_port()
    workers = start_workers(alone, workers=2, metrics_listen="127.0.0.1:%d" % port)
    prometheus = start_prometheus(port)

    def found():
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
        return all(prometheus.ask(dashboard.expression(text)) for _, text, _ in dashboard.expressions())

    def missing():
        return [(title, text) for title, text, _ in dashboard.expressions() if not prometheus.ask(dashboard.expression(text))]

    try:
        servers.wait_until(found, "a value of each expression", 30)
    except AssertionError:
        assert missing() == []
        raise
    rate, = prometheus.ask(dashboard.expression('sum(rate(event_matcher_requests_total{instance=~"$instance",code="200"}[$__rate_interval]))'))
    assert rate[1] > 0 and not math.isnan(rate[1])


@pytest.mark.once
def test_the_picture_shows_every_panel():
    texts = re.findall(r"<text>(.*)</text>", html.unescape((servers.ROOT / "docs/dashboard.svg").read_text()))
    assert [panel["title"] for panel in dashboard.DASHBOARD["panels"] if not any(text.startswith(panel["title"]) for text in texts)] == []
