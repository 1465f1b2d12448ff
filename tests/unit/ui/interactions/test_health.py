"""The answer of `/health`: what is wrong comes first, and all is well only where it is known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import discord
import pytest

from bot.domain.config import CheckConfig
from bot.domain.records import Active, Lock
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.checks import CheckResult, Seen
from bot.domain.watch.health import (
    Availability,
    CheckHealth,
    LaneHealth,
    Latency,
    ServerHealth,
    Serving,
)
from bot.domain.watch.latencies import QuantileRange
from bot.domain.watch.oncall.schedule import Person, Responders
from bot.engine.watch.health import OpenedLane
from bot.engine.watch.smoke import Smoked
from bot.ui.errors import Reply
from bot.ui.escaping import CARD
from bot.ui.interactions import lane_health
from bot.ui.interactions.health import PAGE, answer
from bot.ui.interactions.health_buttons import LaneSelect, Wanted, wanted_by
from bot.ui.interactions.responder import HealthLine
from tests.fakes.settings import KindOnly
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION, catalog
from tests.support.virtual_time import EPOCH

FINE = [HealthLine("Bot", True, "1.0, up 3 h")]
WELL = LaneHealth(
    Lane("checkout", "production"),
    errors=0.001,
    limit=0.01,
    day=Availability(0.99987, 86_400.0),
    week=Availability(0.9991, 600_000.0),
    budget=0.8,
    at=1.0,
    latency=Latency(0.8, 0.02, 0.05),
    serving=Serving("1.4.0", EPOCH, "Dev", 7),
)
CHECK = CheckConfig("health", KindOnly("http"), 5.0, critical=True)
LANES = catalog().lanes
FAILED = CheckHealth("health", True, CheckResult(EPOCH.timestamp(), 0.2, "It answered 503."))
HOSTILE = "@everyone <@&1> **x** `y` ~~z~~ \n# " * 40


def alert() -> Alert:
    return begin(3, errors(), (1,), EPOCH, AlertPolicy()).alert


def shown(reply: Reply) -> str:
    assert reply.view is not None
    return json.dumps(reply.view.to_components(), ensure_ascii=False)


def server(*lanes: LaneHealth, alerts: tuple[Alert, ...] = ()) -> ServerHealth:
    return ServerHealth(lanes, (*alerts, *(each for lane in lanes for each in lane.alerts)))


def test_a_lane_that_is_well_says_its_figures() -> None:
    said = shown(answer(FINE, server(WELL)))
    assert "✅ **All is well.**" in said
    assert "✅ **checkout → production** `1.4.0`" in said
    assert "errors 0.1% (limit 1%) · p95 below 800 ms · 24 h 99.98% · 7 d 99.91% · budget 80%" in said


def test_an_open_alert_is_never_all_is_well() -> None:
    sick = replace(WELL, alerts=(alert(),), errors=0.52, budget=0.0)
    said = shown(answer(FINE, server(sick)))
    assert "❌ **1 alert open.**" in said
    assert "🔴 **checkout → production: Many requests fail** 52% (limit 20%)" in said
    assert "errors 52% (limit 1%)" in said
    assert "budget spent" in said


def test_errors_above_the_limit_are_said_before_anyone_is_called() -> None:
    said = shown(answer(FINE, server(replace(WELL, errors=0.02))))
    assert "❌ **1 lane above the limit on errors.**" in said
    assert "⚠️ **checkout → production**" in said


def test_an_alert_without_a_lane_is_shown_too() -> None:
    said = shown(answer(FINE, server(WELL, alerts=(replace(alert(), lane=None),))))
    assert "❌ **1 alert open.**" in said
    assert "🔴 **Many requests fail**" in said


def test_what_is_not_known_is_not_called_well() -> None:
    said = shown(answer(FINE, server(LaneHealth(WELL.lane, limit=0.01))))
    assert "✅ **Nothing is wrong**, but nothing was measured of 1 lane lately." in said
    assert "➖ **checkout → production**" in said
    # A lane that is not judged by requests has none to count.
    assert "All is well" in shown(answer(FINE, server(LaneHealth(WELL.lane))))
    assert "What is deployed could not be read" in shown(answer(FINE, None))


def test_a_part_of_slipway_that_is_down_comes_first() -> None:
    checks = [
        HealthLine("Database", True, "ok"),
        HealthLine("Redis", None, "none"),
        HealthLine("Targets", False, "gone"),
    ]
    said = shown(answer(checks, server(WELL)))
    assert "❌ **1 part of Slipway down.**" in said
    assert said.index("Targets") < said.index("Database")


def test_two_hundred_lanes_have_pages() -> None:
    lanes = server(*(replace(WELL, lane=Lane(f"s{n}", "production")) for n in range(200)))
    first, last = shown(answer(FINE, lanes)), shown(answer(FINE, lanes, 24))
    assert "More lanes" in first and "Back" not in first
    assert "Back" in last and "More lanes" not in last
    assert f"s{PAGE - 1} " in first and f"s{PAGE} " not in first
    assert wanted_by("slipway-health:16") == Wanted(16)
    assert wanted_by("slipway-why:3") is None


def test_slow_requests_and_failing_checks_are_wrong_before_anyone_is_called() -> None:
    slow = replace(WELL, latency=Latency(0.8, 0.12, 0.05))
    said = shown(answer(FINE, server(slow)))
    assert "❌ **1 lane with slow requests or failing checks.**" in said
    assert "p95 above 800 ms: 12% slower" in said
    told = replace(slow, latency=Latency(0.8, 0.12, 0.05, QuantileRange(0.95, 1.0, 2.5, 0.0)))
    assert "p95 about 1–2.5 s (limit 800 ms): 12% slower" in shown(answer(FINE, server(told)))
    beyond = replace(WELL, latency=Latency(10.0, 0.01, 0.05, QuantileRange(0.95, 0.25, None, 0.0)))
    assert "p95 above 250 ms (limit 10 s) · 24 h" in shown(answer(FINE, server(beyond)))
    unwell = replace(WELL, checks=(FAILED, CheckHealth("feed", last=CheckResult(1.0, 0.1))))
    said = shown(answer(FINE, server(unwell)))
    assert "⚠️ **checkout → production**" in said
    assert "check `health` is not well" in said


def test_what_checks_say_stands_in_where_no_requests_are_counted_and_gaps_are_shown() -> None:
    quiet = LaneHealth(
        WELL.lane,
        day=Availability(0.995, 7_200.0),
        week=Availability(0.9, 7_200.0),
        by_checks=True,
        checks=(CheckHealth("health", last=CheckResult(1.0, 0.1)),),
    )
    said = shown(answer(FINE, server(quiet)))
    assert "24 h 99.5% (2 h measured) · 7 d 90% (2 h measured) · by its checks · 1 check passed" in said
    assert "All is well" in said


def test_locations_that_fail_alone_or_are_not_heard_are_named_while_all_is_well() -> None:
    answered = CheckResult(1.0, 0.1)
    seen = (Seen("frankfurt", answered), Seen("virginia", CheckResult(1.0, 0.1, HOSTILE)), Seen("sydney"))
    health = replace(WELL, checks=(CheckHealth("site", last=answered, seen=seen),))
    said = shown(answer(FINE, server(health)))
    assert "1 check passed, fails from `virginia` alone, checked from 2 of 3 locations" in said
    assert "All is well" in said
    said = shown(lane_health.answer(opened(health)))
    assert "✅ **site** passed in 100 ms" in said
    assert "-# fails from `virginia` alone, checked from 2 of 3 locations" in said
    unheard = replace(WELL, checks=(CheckHealth("site", seen=tuple(map(Seen, ("frankfurt", "virginia")))),))
    assert "checked from 0 of 2 locations" in shown(lane_health.answer(opened(unheard)))


def test_a_gap_of_days_is_said_in_days() -> None:
    new = replace(WELL, week=Availability(0.99, 3 * 86_400.0))
    assert "7 d 99% (3.0 days measured)" in shown(answer(FINE, server(new)))
    assert "99% of the requests succeeded, 4.0 days not measured" in shown(lane_health.answer(opened(new)))


def test_lock_drift_and_rollout_are_beside_the_release() -> None:
    active = Active(9, 1, WELL.lane, Phase.SOAKING, judged=True, version=1, created_at=EPOCH)
    lock = Lock(WELL.lane, 1, "Dev", "Sale day", EPOCH, None)
    said = shown(answer(FINE, server(replace(WELL, active=active, lock=lock, drift="2 instances"))))
    assert "`1.4.0` · ⏱️ rollout 9 🔒 ⚠️ drift" in said


def opened(health: LaneHealth, **changes: object) -> OpenedLane:
    config = LANES[PRODUCTION]
    called = Responders(Person(1, "Ann"), Person(2, "Ben"))
    config = replace(config, on_call="week", checks=(CHECK,))
    return replace(OpenedLane(health, EPOCH.timestamp(), called, (), config), **changes)  # type: ignore[arg-type]


def test_one_lane_in_full_says_since_when_by_whom_checks_one_by_one_and_who_is_on_call() -> None:
    checks = (FAILED, CheckHealth("feed", last=CheckResult(1.0, 0.1), p95_s=0.12, limit_s=0.8))
    lock = Lock(WELL.lane, 1, "Dev", "Sale day", EPOCH, EPOCH + timedelta(hours=1))
    reply = lane_health.answer(
        opened(replace(WELL, checks=checks, alerts=(alert(),), lock=lock, drift="2 instances"))
    )
    said = shown(reply)
    assert f"`1.4.0` 🔒 ⚠️ drift since <t:{int(EPOCH.timestamp())}:f> by Dev (rollout 7)" in said
    assert "🔒 locked by Dev until" in said and "drift: 2 instances" in said
    assert "**24 hours** 99.98% of the requests succeeded\\n" in said
    assert "**7 days** 99.91% of the requests succeeded, 1 h 20 min not measured" in said
    assert said.index("❌ **health** (critical) It answered 503.") < said.index(
        "✅ **feed** passed in 100 ms"
    )
    assert "p95 120 ms (limit 800 ms)" in said
    assert "Many requests fail" in said
    assert "On call: **Ann** · second Ben" in said
    assert all(label in said for label in ("Refresh", "Run checks", "All lanes"))


def test_a_lane_of_which_nothing_is_known_says_so() -> None:
    said = shown(lane_health.answer(opened(LaneHealth(WELL.lane), called=Responders())))
    assert "nothing runs" in said
    assert "**Last 5 minutes** no requests were counted" in said
    assert "**24 hours** not measured" in said
    assert "No alert is open." in said
    assert "🚨 **No one is on call**" in said


def test_asked_checks_show_failures_first() -> None:
    results = [Smoked(CHECK, CheckResult(1.0, 0.1)), Smoked(CHECK, CheckResult(1.0, 2.0, "It answered 503."))]
    said = shown(lane_health.smoked(WELL.lane, results, 2.0))
    assert "❌ **1 of 2 checks passed** in 2 s." in said
    assert said.index("It answered 503.") < said.index("passed in 100 ms")


def test_hostile_and_long_values_fit_and_mention_no_one() -> None:
    lane = Lane("s" * 50, "e" * 30)
    bad = replace(
        WELL,
        lane=lane,
        serving=Serving(HOSTILE, EPOCH, HOSTILE, 7),
        drift=HOSTILE,
        lock=Lock(lane, 1, HOSTILE, HOSTILE, EPOCH, None),
        checks=tuple(replace(FAILED, name=HOSTILE, last=CheckResult(1.0, 1.0, HOSTILE)) for _ in range(30)),
        alerts=(alert(),) * 30,
    )
    checks = [HealthLine(HOSTILE, False, HOSTILE)] * 5
    for reply in (
        answer(checks, server(*(bad,) * 8)),
        lane_health.answer(opened(bad)),
        lane_health.smoked(lane, [Smoked(CHECK, CheckResult(1.0, 1.0, HOSTILE))] * 40, 1.0),
    ):
        assert reply.view is not None
        said = [
            each.content for each in reply.view.walk_children() if isinstance(each, discord.ui.TextDisplay)
        ]
        assert "<@&1>" not in re.sub(r"`[^`]*`", "", "\n".join(said))
        assert reply.view.content_length() <= CARD
    (select,) = [LaneSelect([bad] * 8)]
    assert {each.value for each in select.options} == {f"{lane.service}:{lane.environment}"}


@pytest.mark.parametrize(
    "shows", [Wanted(3), Wanted(lane=WELL.lane), Wanted(lane=WELL.lane, run=True)], ids=str
)
def test_a_button_is_understood_after_a_restart(shows: Wanted) -> None:
    assert shows.custom_id is not None
    assert wanted_by(shows.custom_id) == shows


def test_names_that_do_not_fit_into_an_id_have_no_button() -> None:
    assert Wanted(lane=Lane("s" * 80, "production")).custom_id is None
