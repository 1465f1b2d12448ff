"""Health over HTTP: figures of the lanes and open alerts, within what a token may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.domain.config import CheckConfig
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.checks import CheckResult, Monitor, MonitorState, observe
from bot.domain.watch.locations import LocationLook, combined
from bot.domain.watch.rules import WatchState, advance_watch
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.monitors import MonitorKey
from tests.fakes.settings import KindOnly
from tests.support.actors import GUEST, LEAD
from tests.support.api import Api, serving
from tests.support.catalogs import PRODUCTION, STAGING
from tests.support.harness import World


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn, World(dsn), working=False) as found:
        await found.token("guest", GUEST)
        await found.token("narrow", GUEST, environments=("staging",))
        yield found


async def sick(api: Api) -> int:
    """An alert on production, of which half of the requests fail; and one that concerns no lane."""
    store, now = api.slipway.store, api.slipway.world.clock.now()
    tick = ServedTick(now.timestamp(), 5.0, {"errors": Counts(100, 50)})
    state, _ = advance_watch((), WatchState(), tick)
    await store.watched.save({PRODUCTION: state}, now)
    for lane in (PRODUCTION, None):
        finding = Finding(
            "f1",
            "rule",
            "Many requests fail",
            now,
            severity=Severity.CRITICAL,
            lane=lane,
            value="50%",
            limit="20%",
        )
        alert = begin(
            await store.alerts.next_id(), finding, (api.slipway.world.guild,), now, AlertPolicy()
        ).alert
        assert await store.alerts.save(AlertChange(alert, 0, None))
    return alert.id


async def test_all_is_well_while_nothing_is_known_to_be_wrong(api: Api) -> None:
    answer = await api("guest", "GET", "/health")
    assert answer.status == 200, answer.body
    assert (answer.body["well"], answer.body["alerts"]) == (True, [])
    assert [lane["errors"] for lane in answer.body["lanes"]] == [None, None]


async def test_a_service_has_one_error_budget_which_is_that_of_its_production(api: Api) -> None:
    world, now = api.slipway.world, api.slipway.world.clock.now()
    tick = ServedTick(now.timestamp(), 5.0, {"errors": Counts(1000, 5)})
    state, _ = advance_watch((), WatchState(), tick)
    await api.slipway.store.watched.save({PRODUCTION: state, STAGING: state}, now)

    async def budgets() -> dict[str, float | None]:
        lanes = (await api("guest", "GET", "/health")).body["lanes"]
        return {lane["environment"]: lane["budget_left"] for lane in lanes}

    left = pytest.approx(0.5)
    assert await budgets() == {"production": left, "staging": None}
    lanes = world.catalog.lanes
    # Where rollouts are refused when it is spent, it is shown.
    strict = replace(lanes[STAGING], promotion=replace(lanes[STAGING].promotion, within_budget=True))
    world.catalog = replace(world.catalog, lanes={**lanes, STAGING: strict})
    assert await budgets() == {"production": left, "staging": left}
    world.catalog = replace(world.catalog, lanes={STAGING: lanes[STAGING]})
    assert await budgets() == {"staging": left}


async def test_a_sick_lane_comes_first_with_its_alert(api: Api) -> None:
    newest = await sick(api)
    found = (await api("guest", "GET", "/health")).body
    assert not found["well"]
    first = found["lanes"][0]
    assert (first["service"], first["environment"], first["well"]) == ("checkout", "production", False)
    assert (first["errors"], first["limit"], first["success_24h"], first["budget_left"]) == (
        0.5,
        0.01,
        0.5,
        0.0,
    )
    alert, other = found["alerts"]
    assert (alert["title"], alert["value"], alert["limit"]) == ("Many requests fail", "50%", "20%")
    assert (alert["severity"], alert["state"], alert["service"]) == ("critical", "firing", "checkout")
    assert (other["id"], other["service"]) == (newest, None)


async def test_a_narrow_token_sees_its_lanes_alone(api: Api) -> None:
    await sick(api)
    found = (await api("narrow", "GET", "/health")).body
    assert [lane["environment"] for lane in found["lanes"]] == ["staging"]
    assert found["alerts"] == []


async def test_a_lane_says_what_runs_its_checks_and_what_is_not_measured(api: Api) -> None:
    await sick(api)
    found = next(
        lane
        for lane in (await api("guest", "GET", "/health")).body["lanes"]
        if lane["environment"] == "production"
    )
    assert (found["measured_by"], found["measured_24h_s"], found["checks"]) == ("requests", 5.0, [])
    assert (found["lock"], found["rollout"], found["drift"]) == (None, None, "")
    await api.token("lead", LEAD)
    locked = await api("lead", "POST", "/lanes/checkout/production/lock", {"reason": "Sale day"})
    assert locked.status < 300, locked.body
    (found, *_) = (await api("guest", "GET", "/health")).body["lanes"]
    assert found["lock"]["reason"] == "Sale day"


async def test_a_check_says_what_each_of_its_locations_saw(api: Api) -> None:
    world = api.slipway.world
    config, now = world.catalog.lanes[PRODUCTION], world.clock.now().timestamp()
    monitor = Monitor(PRODUCTION, "site", locations=("frankfurt", "virginia", "sydney"), fails_in=2)
    lanes = {
        PRODUCTION: replace(config, checks=(CheckConfig("site", KindOnly("plain"), 5.0, monitor=monitor),))
    }
    world.catalog = replace(world.catalog, lanes={**world.catalog.lanes, **lanes})
    looks = {
        "frankfurt": LocationLook(now, CheckResult(now, 0.2)),
        "virginia": LocationLook(now, CheckResult(now, 0.3, "No route to host.")),
    }
    result, seen = combined(monitor, looks, now)
    assert result is not None
    state, _ = observe(monitor, MonitorState(seen=seen), result)
    await api.slipway.store.monitors.save({MonitorKey(PRODUCTION, "site"): state})
    found = (await api("guest", "GET", "/health")).body
    (check,) = next(lane["checks"] for lane in found["lanes"] if lane["environment"] == "production")
    assert (check["passed"], found["well"]) == (True, True)
    assert check["places"] == "fails from `virginia` alone, checked from 2 of 3 locations"
    assert [(each["location"], each["passed"], each["said"]) for each in check["locations"]] == [
        ("frankfurt", True, ""),
        ("virginia", False, "No route to host."),
        ("sydney", None, ""),
    ]
