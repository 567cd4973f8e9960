# SPDX-License-Identifier: MIT
"""docs/alerts.yml is valid, fires when it should and only then, and names metrics that there are."""
import re
import shutil
import subprocess

import pytest
import yaml

from servers import ROOT

pytestmark = pytest.mark.once
RULES = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())["groups"][0]["rules"]
CASES = yaml.safe_load((ROOT / "tests/system/alerts_test.yml").read_text())["tests"]


def test_promtool_finds_no_fault_in_the_alerts():
    result = subprocess.run(["promtool", "check", "rules", ROOT / "docs/alerts.yml"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 and "SUCCESS: %d rules found" % len(RULES) in result.stdout, result.stdout + result.stderr


def test_each_alert_fires_when_it_should_and_only_then(tmp_path):
    shutil.copy(ROOT / "docs/alerts.yml", tmp_path)
    shutil.copy(ROOT / "tests/system/alerts_test.yml", tmp_path)
    result = subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_rule_that_never_fires_would_be_seen(tmp_path):
    text = (ROOT / "docs/alerts.yml").read_text()
    (tmp_path / "alerts.yml").write_text(text.replace("event_matcher_last_reload_successful == 0", "event_matcher_last_reload_successful == 2"))
    shutil.copy(ROOT / "tests/system/alerts_test.yml", tmp_path)
    assert subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, timeout=60).returncode == 1


def test_each_alert_has_a_case_that_fires_and_one_that_does_not():
    fired = {case["alertname"] for test in CASES for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES} and len(fired) >= 7
    assert [test["name"] for test in CASES if len({re.search(r'instance="(\w)"(?:,(?:reason|cause)="\w+")?', series["series"]).group()
                                                     for series in test["input_series"]}) < 2] == []


def test_the_alerts_name_metrics_that_there_are():
    known = set(re.findall(r'"(event_matcher_\w+)"', (ROOT / "src/base/metrics.def").read_text()))
    named = {re.sub("_bucket$", "", name) for rule in RULES for name in re.findall(r"\bevent_matcher_\w+", rule["expr"])}
    assert named and named <= known
