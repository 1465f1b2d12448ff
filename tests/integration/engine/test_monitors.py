"""Checks in a whole worker on PostgreSQL: asked of candidates by a plan, and on their schedule, which makes alerts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.adapters.postgres.connection.database import Database
from bot.adapters.redis.waker import EventWaker
from bot.domain.config import Catalog, CheckConfig
from bot.domain.errors import Refused
from bot.domain.judge.rules import parse_rule
from bot.domain.rollout.binding import AdapterBinding
from bot.domain.rollout.model import Lane, Phase, Plan
from bot.domain.rollout.steps import HttpCheck, NamedCheck, Observe, Shift, Verify
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.checks import CheckResult, Monitor, MonitorRules
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import WatchRule
from bot.engine.lanes import AdaptersByName
from bot.engine.watch.alerts.service import Alerts
from bot.ports.watch.monitors import MonitorKey
from tests.fakes.settings import KindOnly
from tests.support.catalogs import PRODUCTION, STAGING, V140, V150, catalog
from tests.support.harness import QUICK, Slipway, World
from tests.support.waiting import until

NAMED = Plan(
    "named", (Verify((HttpCheck("/ready"), NamedCheck("health")), 5.0), Shift(100, 5.0), Observe(0.1))
)
RULES = MonitorRules(failures=3, within_s=60.0)


@dataclass
class FakeChecks:
    """Implements `bot.ports.watch.checks.Checks`. said: what each check says; it passes when that is empty."""

    said: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        self.asked.append((str(lane), check.name))
        return CheckResult(at, 0.01, self.said.get(check.name, ""))

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        self.asked.append((address, check.name))
        return CheckResult(at, 0.01, self.said.get(check.name, ""))


def watched(lane: Lane, name: str = "health") -> CheckConfig:
    monitor = Monitor(lane, name, every_s=0.2, critical=True, rules=RULES)
    return CheckConfig(name, KindOnly("plain"), 5.0, critical=True, monitor=monitor)


def with_checks(plan: Plan | None = None) -> Catalog:
    found = catalog(plan) if plan else catalog()
    lanes = {
        lane: replace(
            config,
            checks=(watched(lane),),
            binding=replace(config.bound, checks=(AdapterBinding("health"),)),
        )
        for lane, config in found.lanes.items()
    }
    return replace(found, lanes=lanes)


@asynccontextmanager
async def opened(world: World, checks: FakeChecks) -> AsyncIterator[Slipway]:
    """One process that asks checks and makes alerts."""
    async with Database(world.dsn, size=6, timeout_s=10.0) as database:
        targets, metrics = {"local": world.target}, {"router": world.metrics}
        slipway = Slipway(
            world,
            database,
            targets=targets,
            releases=world.releases,
            metrics=metrics,
            intervals=replace(QUICK, monitors_s=0.05, monitors_saved_s=0.2),
            checks=checks,
            bound=AdaptersByName(targets, metrics, {"health": watched(PRODUCTION)}),
        )
        alerts = Alerts(
            slipway.store,
            lambda: world.catalog,
            clock=world.clock,
            waker=EventWaker(),
            roll_back=slipway.engine.roll_back,
        )
        slipway.worker = slipway.make_worker(alerts=alerts)
        async with slipway.running(True):
            yield slipway


async def alerts_of(slipway: Slipway, lane: Lane) -> list[Alert]:
    return [alert for alert in await slipway.store.alerts.open() if alert.lane == lane]


async def test_a_check_that_fails_three_times_makes_one_alert_and_a_success_ends_its_trouble(
    dsn: str,
) -> None:
    world, checks = World(dsn, with_checks()), FakeChecks()
    await world.serve()
    async with opened(world, checks) as slipway:

        async def asked() -> bool:
            return {lane for lane, _ in checks.asked} >= {str(STAGING), str(PRODUCTION)}

        await until(asked)
        assert await slipway.store.alerts.open() == []
        checks.said["health"] = "GET http://shop/healthz should answer 200, but answered 503."

        async def both() -> bool:
            return bool(await alerts_of(slipway, STAGING)) and bool(await alerts_of(slipway, PRODUCTION))

        await until(both)
        await asyncio.sleep(1.0)
        (alert,) = await alerts_of(slipway, PRODUCTION)
        assert alert.severity is Severity.CRITICAL
        (trouble,) = alert.troubles
        assert trouble.finding.title == "Check “health” fails"
        assert trouble.finding.text == checks.said["health"]
        assert trouble.finding.firing
        checks.said.clear()

        async def over() -> bool:
            found = await slipway.store.alerts.load(alert.id)
            return found is not None and all(each.over_at for each in found.troubles)

        await until(over)


@pytest.mark.parametrize(
    ("critical", "rule"), [(True, "any P1 alert firing"), (False, "gateway disconnected for 1s")]
)
async def test_what_a_check_says_after_a_deploy_rolls_it_back_and_quarantines_it(
    dsn: str, critical: bool, rule: str
) -> None:
    rules = (WatchRule("it", ((parse_rule(rule),),), Severity.CRITICAL, 1800.0, rollback=True),)
    found = with_checks()
    (check,) = found.lanes[STAGING].checks
    assert check.monitor is not None
    check = replace(check, monitor=replace(check.monitor, critical=critical, signals=frozenset({"gateway"})))
    config = replace(found.lanes[STAGING], checks=(check,), watch=LaneWatch(rules, rolls_back=True))
    world = World(dsn, replace(found, lanes={**found.lanes, STAGING: config}))
    await world.serve()
    checks = FakeChecks()
    async with opened(world, checks) as slipway:
        await slipway.reaches(await slipway.deploy(V150, STAGING), Phase.SUCCEEDED)
        checks.said["health"] = "The bot is not well: gateway is away."

        async def quarantined() -> bool:
            try:
                await slipway.deploy(V150, STAGING)
            except Refused as refused:
                return refused.rule == "quarantined"
            return False

        # It runs until the rollback has ended.
        await until(quarantined)
        (alert,) = await alerts_of(slipway, STAGING)
        assert any(entry.what == "rollback" for entry in await slipway.store.alerts.timeline(alert.id, 50))


async def test_what_monitors_remember_outlives_the_process(dsn: str) -> None:
    world, checks = World(dsn, with_checks()), FakeChecks({"health": "It answered 503."})
    await world.serve()
    key = MonitorKey(PRODUCTION, "health")
    async with opened(world, checks) as slipway:

        async def alerted() -> Any:
            return await alerts_of(slipway, PRODUCTION)

        (first,) = await until(alerted)

        async def saved() -> bool:
            state = (await slipway.store.monitors.read()).get(key)
            return state is not None and bool(state.firing)

        await until(saved)
    checks.said.clear()
    async with opened(world, checks) as slipway:

        async def over() -> bool:
            found = await slipway.store.alerts.load(first.id)
            return found is not None and all(each.over_at for each in found.troubles)

        await until(over)


async def test_a_plan_asks_checks_of_the_candidate_and_fails_by_them(dsn: str) -> None:
    world, checks = World(dsn, with_checks(NAMED)), FakeChecks()
    await world.serve()
    async with opened(world, checks) as slipway:
        await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.SUCCEEDED)
        asked = [address for address, name in checks.asked if address.startswith("http://")]
        assert len(asked) == 1
        assert world.checker.asked == [(asked[0], "/ready")]
        checks.said["health"] = "The bot is not well: db is down."
        again = await slipway.deploy(V140, PRODUCTION)
        failed = await slipway.reaches(again, Phase.FAILED)
        assert failed.outcome.endswith("checks failed: health: The bot is not well: db is down.")
