"""Rules and dashboards name only metrics and labels that the programs serve."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from bot.adapters.targets.hosted.host.prometheus import RELEASE_METRICS
from bot.adapters.telemetry import Telemetry
from bot.domain.watch.alerts.findings import severity_of
from tests.support.paths import ROOT

RULES = sorted((ROOT / "config/prometheus/rules").glob("*.yml"))
DASHBOARDS = sorted((ROOT / "config/grafana/dashboards").glob("*.json"))
_WORDS = frozenset(
    "sum max min avg count by without on ignoring group_left group_right and or unless rate increase"
    " histogram_quantile vector time clamp_max label_values bool offset".split()
)
_FOREIGN = {
    "process_cpu_seconds_total": frozenset[str](),
    "process_resident_memory_bytes": frozenset[str](),
    "up": frozenset[str](),
}
_ADDED = frozenset({"job", "instance"})
_STRING, _DURATION = re.compile(r'"[^"]*"'), re.compile(r"\[[^]]*\]")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


def known() -> Mapping[str, frozenset[str]]:
    """Every series by name, with the labels that it has."""
    found = dict(_FOREIGN)
    for metric in (*Telemetry(CollectorRegistry()).described, *RELEASE_METRICS):
        labels = frozenset(metric.labels)
        if metric.kind == "histogram":
            found[f"{metric.name}_bucket"] = labels | {"le"}
            found |= dict.fromkeys((f"{metric.name}_sum", f"{metric.name}_count"), labels)
        else:
            found[metric.name] = labels
    for rule in rules():
        if "record" in rule:
            grouping = _GROUPING.search(rule["expr"])
            found[rule["record"]] = frozenset(_names(grouping[1]) if grouping else ()) - {"le"}
    return found


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            yield from group["rules"]


def panels(path: Path) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in json.loads(path.read_text("utf-8"))["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """Each with where it stands."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]
        for variable in json.loads(path.read_text("utf-8"))["templating"]["list"]:
            if variable["type"] == "query":
                # label_values(metric, label): the label stands where a metric could
                metric = variable["query"]["query"].rpartition(",")[0].removeprefix("label_values(")
                yield f"{path.stem}: ${variable['name']}", metric


def _names(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-zA-Z_]\w*", _STRING.sub("", text)))


def mistakes(expression: str) -> Iterator[str]:
    series = known()
    bare = _DURATION.sub("", _STRING.sub('""', expression))
    for name, matchers in _SELECTOR.findall(bare):
        labels = series.get(name, frozenset()) | _ADDED
        yield from (f"{name} has no label {each}" for each in _names(matchers) - labels)
    plain = re.sub(r"\{[^}]*\}", "", bare)
    grouped = [_names(found) for found in _GROUPING.findall(plain)]
    used = set(re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*", _GROUPING.sub("", plain))) - _WORDS
    yield from (f"{name} is no metric" for name in used - series.keys())
    labels = frozenset[str]().union(*(series.get(name, frozenset()) for name in used)) | _ADDED
    yield from (f"nothing has the label {each}" for group in grouped for each in group - labels)


@pytest.mark.parametrize(("where", "expression"), list(expressions()), ids=lambda each: each[:40])
def test_an_expression_uses_what_exists(where: str, expression: str) -> None:
    assert list(mistakes(expression)) == [], where


@pytest.mark.parametrize(
    "wrong",
    [
        "slipway_rolouts",
        'slipway_rollouts{fase="held"}',
        "sum by (kind) (slipway_rollouts)",
        "rate(slipway_effect_seconds[5m])",
        "slipway_interactions",
    ],
)
def test_a_mistake_would_be_found(wrong: str) -> None:
    assert list(mistakes(wrong)) != []


def test_every_metric_of_slipway_is_on_a_dashboard_or_in_a_rule() -> None:
    used = " ".join(expression for _, expression in expressions())
    described = [m.name for m in (*Telemetry(CollectorRegistry()).described, *RELEASE_METRICS)]
    assert [name for name in described if name not in used] == ["slipway_component_up"]  # only while asked


def test_every_alert_has_a_summary_and_a_severity_that_slipway_reads() -> None:
    for rule in rules():
        if "alert" in rule:
            assert severity_of(rule["labels"]["severity"]), rule["alert"]
            assert rule["annotations"]["summary"], rule["alert"]


def test_every_alert_is_in_the_runbook() -> None:
    page = (ROOT / "docs/how-to/monitoring-slipway.md").read_text("utf-8")
    assert [rule["alert"] for rule in rules() if "alert" in rule and f"`{rule['alert']}`" not in page] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_fill_the_grid_and_none_lies_on_another(path: Path) -> None:
    dashboard = json.loads(path.read_text("utf-8"))
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        covered = {
            (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not covered & cells, panel["title"]
        cells |= covered
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_dashboards_have_ids_of_their_own() -> None:
    found = [json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS]
    assert len(set(found)) == len(DASHBOARDS) == 4
