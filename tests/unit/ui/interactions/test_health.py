"""The answer of `/health`: what is wrong comes first, and all is well only where it is known."""

from __future__ import annotations

import json
from dataclasses import replace

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.hearing import begin
from bot.domain.watch.health import LaneHealth, ServerHealth
from bot.engine.api import LaneStatus
from bot.ui.errors import Reply
from bot.ui.interactions.health import PAGE, answer, page_of
from bot.ui.interactions.responder import HealthLine
from tests.support.alerts import errors
from tests.support.virtual_time import EPOCH

FINE = [HealthLine("Bot", True, "1.0, up 3 h")]
WELL = LaneHealth(Lane("checkout", "production"), (), 0.001, 0.01, 0.99987, 0.9991, 0.8, 1.0)
RUNS = LaneStatus(WELL.lane, "1.4.0", True, None, "", None, None)


def alert() -> Alert:
    return begin(3, errors(), (1,), EPOCH, AlertPolicy()).alert


def shown(reply: Reply) -> str:
    assert reply.view is not None
    return json.dumps(reply.view.to_components(), ensure_ascii=False)


def server(*lanes: LaneHealth, alerts: tuple[Alert, ...] = ()) -> ServerHealth:
    return ServerHealth(lanes, (*alerts, *(each for lane in lanes for each in lane.alerts)))


def test_a_lane_that_is_well_says_its_figures() -> None:
    said = shown(answer(FINE, [RUNS], server(WELL)))
    assert "✅ **All is well.**" in said
    assert "✅ **checkout → production** `1.4.0`" in said
    assert "errors 0.1% (limit 1%) · 24 h 99.98% · 7 d 99.91% · budget 80%" in said


def test_an_open_alert_is_never_all_is_well() -> None:
    sick = replace(WELL, alerts=(alert(),), errors=0.52, budget=0.0)
    said = shown(answer(FINE, [RUNS], server(sick)))
    assert "❌ **1 alert open.**" in said
    assert "🔴 **checkout → production: Many requests fail** 52% (limit 20%)" in said
    assert "errors 52% (limit 1%)" in said
    assert "budget spent" in said


def test_errors_above_the_limit_are_said_before_anyone_is_called() -> None:
    said = shown(answer(FINE, [RUNS], server(replace(WELL, errors=0.02))))
    assert "❌ **1 lane above the limit on errors.**" in said
    assert "⚠️ **checkout → production**" in said


def test_an_alert_without_a_lane_is_shown_too() -> None:
    said = shown(answer(FINE, [RUNS], server(WELL, alerts=(replace(alert(), lane=None),))))
    assert "❌ **1 alert open.**" in said
    assert "🔴 **Many requests fail**" in said


def test_what_is_not_known_is_not_called_well() -> None:
    said = shown(answer(FINE, [RUNS], server(LaneHealth(WELL.lane, limit=0.01))))
    assert "✅ **Nothing is wrong**, but 1 lane had no requests that could be counted lately." in said
    assert "➖ **checkout → production**" in said
    # A lane that is not judged by requests has none to count.
    assert "All is well" in shown(answer(FINE, [RUNS], server(LaneHealth(WELL.lane))))
    assert "What is deployed could not be read" in shown(answer(FINE, None, None))


def test_a_part_of_slipway_that_is_down_comes_first() -> None:
    checks = [
        HealthLine("Database", True, "ok"),
        HealthLine("Redis", None, "none"),
        HealthLine("Targets", False, "gone"),
    ]
    said = shown(answer(checks, [RUNS], server(WELL)))
    assert "❌ **1 part of Slipway down.**" in said
    assert said.index("Targets") < said.index("Database")


def test_two_hundred_lanes_have_pages() -> None:
    lanes = server(*(replace(WELL, lane=Lane(f"s{n}", "production")) for n in range(200)))
    first, last = shown(answer(FINE, None, lanes)), shown(answer(FINE, None, lanes, 16))
    assert "More lanes" in first and "Back" not in first
    assert "Back" in last and "More lanes" not in last
    assert f"s{PAGE - 1} " in first and f"s{PAGE} " not in first
    assert page_of("slipway-health:16") == 16
    assert page_of("slipway-why:3") is None
