"""The rules and dashboards that are shipped, in the programs that read them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

pytestmark = pytest.mark.real

CONFIG = ROOT / "config/prometheus"
TESTS = sorted((CONFIG / "tests").glob("*.yml"))
DASHBOARDS = sorted((ROOT / "config/grafana/dashboards").glob("*.json"))


def promtool(*arguments: object) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    ran = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_prometheus_takes_its_configuration_with_all_rules() -> None:
    said = promtool("check", "config", CONFIG / "prometheus.yml")
    assert "2 rule files found" in said


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_fire_above_their_edges_and_not_below(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


def test_every_alert_is_among_those_tests() -> None:
    for path in sorted((CONFIG / "rules").glob("*.yml")):
        rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
        shown = [
            case
            for tried in map(yaml.safe_load, (each.read_text() for each in TESTS))
            if tried["rule_files"] == [f"../rules/{path.name}"]
            for test in tried["tests"]
            for case in test.get("alert_rule_test", ())
        ]
        firing = {case["alertname"] for case in shown if case.get("exp_alerts")}
        assert firing == {rule["alert"] for rule in rules if "alert" in rule}, path.name


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_prometheus_parses_every_expression_of_a_dashboard(path: Path, tmp_path: Path) -> None:
    found = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in json.loads(path.read_text("utf-8"))["panels"]
        for target in panel.get("targets", ())
    ]
    rules = [{"record": f"panel:{index}", "expr": expression} for index, expression in enumerate(found)]
    written = tmp_path / "rules.yml"
    written.write_text(json.dumps({"groups": [{"name": path.stem, "rules": rules}]}))
    assert f"{len(found)} rules found" in promtool("check", "rules", written)
