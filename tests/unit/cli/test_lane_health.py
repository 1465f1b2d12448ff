"""Health of a lane in `slipway status`."""

from __future__ import annotations

from typing import Any

from bot.cli.deploys.lane_health import alert_lines, health_lines

WELL: dict[str, Any] = {
    "well": True,
    "errors": 0.001,
    "limit": 0.01,
    "latency": {"limit_s": 0.8, "slower": 0.01, "allowed": 0.05, "over": False},
    "success_24h": 0.99987,
    "success_7d": 0.9991,
    "measured_24h_s": 86_400.0,
    "measured_7d_s": 7_200.0,
    "measured_by": "requests",
    "budget_left": 0.8,
    "checks": [{"name": "feed", "critical": False, "passed": True, "said": "", "firing": []}],
    "drift": "",
}


def test_figures_stand_in_one_line_against_their_limits() -> None:
    assert list(health_lines(WELL)) == [
        "✓ errors 0.1% (limit 1%) · p95 below 800 ms · 24 h 99.98% · 7 d 99.91% (2 h measured) · budget 80% · "
        "1 check passed"
    ]


def test_the_latency_is_a_range_where_the_server_knows_it() -> None:
    slow = {**WELL["latency"], "above_s": 0.25, "upto_s": 0.5}
    (line,) = health_lines({**WELL, "latency": slow})
    assert " · p95 about 250–500 ms (limit 800 ms) · " in line
    slow |= {"over": True, "slower": 0.12, "above_s": 10.0, "upto_s": None}
    (line,) = health_lines({**WELL, "latency": slow})
    assert " · p95 above 10 s (limit 800 ms): 12% slower · " in line
    (line,) = health_lines({**WELL, "latency": {**slow, "above_s": None}})
    assert " · p95 above 800 ms: 12% slower · " in line


def test_what_is_wrong_has_a_line_of_its_own() -> None:
    failed = {"name": "alive", "critical": True, "passed": False, "said": "It answered 503.", "firing": []}
    rare = {"name": "rare", "critical": False, "passed": None, "said": "", "firing": ["unavailable"]}
    slow = {"limit_s": 0.8, "slower": 0.12, "allowed": 0.05, "over": True}
    sick = {
        **WELL,
        "well": False,
        "latency": slow,
        "budget_left": 0.0,
        "checks": [failed, rare],
        "drift": "gone",
    }
    first, *rest = health_lines(sick)
    assert first.startswith("✗ errors 0.1%")
    assert "p95 above 800 ms: 12% slower" in first and "budget spent" in first
    assert rest == [
        "✗ check alive (critical): It answered 503.",
        "✗ check rare: unavailable",
        "! drift: gone",
    ]


def test_a_check_that_was_not_heard_from_all_of_its_locations_says_so() -> None:
    said = "checked from 1 of 2 locations"
    partly = {**WELL, "checks": [{**WELL["checks"][0], "places": said}, {**WELL["checks"][0], "places": ""}]}
    assert list(health_lines(partly))[1:] == [f"! check feed: {said}"]


def test_a_lane_of_which_nothing_is_known_says_so() -> None:
    nothing = dict.fromkeys(WELL) | {"well": True, "checks": [], "drift": ""}
    assert list(health_lines(nothing)) == ["✓ no requests were counted"]


def test_alerts_of_the_lane_are_named_with_their_owner() -> None:
    alert = {
        "id": 3,
        "service": "shop",
        "environment": "production",
        "severity": "critical",
        "title": "Many requests fail",
        "value": "52%",
        "limit": "20%",
        "owner": None,
    }
    health = {
        "alerts": [alert, {**alert, "service": "other"}, {**alert, "id": 4, "value": "", "owner": "Ann"}]
    }
    assert list(alert_lines(health, "shop", "production")) == [
        "! alert 3 (critical): Many requests fail: 52% (limit 20%), no one has it",
        "! alert 4 (critical): Many requests fail, Ann has it",
    ]
