"""Alerts and error budgets as preconditions: refused together, shown in a dry run, and nothing to a way back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.config import Prerequisite, Promotion
from bot.domain.errors import Refused
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.rollout.model import Lane, Phase, Rollout
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.rules import WatchState, advance_watch
from bot.engine.api import DeployRequest, DryRun, RollbackRequest
from bot.ports.watch.alerts import AlertChange
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.catalogs import GUILD, PRODUCTION, STAGING, STRAIGHT, V150, catalog
from tests.support.harness import Slipway, World

BOTH = Promotion(no_alerts=True, within_budget=True)


def world_of(dsn: str) -> World:
    return World(
        dsn,
        catalog(
            STRAIGHT,
            prerequisite=Prerequisite("staging", 7200.0),
            promotion=BOTH,
            emergency_roles=("release-manager",),
        ),
    )


async def serve(slipway: Slipway, bad: int, lane: Lane = PRODUCTION) -> None:
    """What the lane served this week: ten thousand requests."""
    at = slipway.world.clock.now()
    tick = ServedTick(at.timestamp(), 5.0, {"errors": Counts(10_000, bad)})
    state, _ = advance_watch((), WatchState(), tick)
    await slipway.store.watched.save({lane: state}, at)


async def alert(
    slipway: Slipway, title: str, at: datetime, lane: Lane = STAGING, *, over: bool = True
) -> None:
    finding = Finding(title, "sentry", title, at, lane=lane)
    opened = begin(await slipway.store.alerts.next_id(), finding, (GUILD,), at, AlertPolicy()).alert
    assert await slipway.store.alerts.save(AlertChange(opened, 0, None))
    if over:
        ended = replace(opened, state=AlertState.RESOLVED, ended_at=at, version=opened.version + 1)
        assert await slipway.store.alerts.save(AlertChange(ended, opened.version, None))


async def on_staging(slipway: Slipway) -> Rollout:
    return await slipway.reaches(await slipway.deploy(lane=STAGING), Phase.SUCCEEDED)


async def test_alerts_and_a_spent_budget_refuse_together_and_a_dry_run_shows_them(dsn: str) -> None:
    world = world_of(dsn)
    await world.serve()
    async with world.open() as slipway:
        before = world.clock.now() - timedelta(seconds=5)
        await alert(slipway, "of the former release", before)
        staged = await on_staging(slipway)
        await alert(slipway, "Requests are slow", staged.created_at)
        await alert(slipway, "elsewhere", world.clock.now(), PRODUCTION, over=False)
        await serve(slipway, 100)
        with pytest.raises(Refused) as refused:
            await slipway.deploy(lane=PRODUCTION)
        assert refused.value.rule == "precondition"
        assert refused.value.sentence == (
            "Preconditions are not met: There was an alert in checkout/staging since this release began there: "
            "“Requests are slow”. checkout/production has spent this week's error budget. A rollback is possible "
            "at any time."
        )
        asked = DeployRequest(GUILD, DEV, "checkout", "1.5.0", "production", dry_run=True)
        shown = await slipway.engine.deploy(asked)
        assert isinstance(shown, DryRun)
        assert {found.what for found in shown.findings if not found.ok} == {"alerts", "budget"}
        back = await slipway.engine.roll_back(
            RollbackRequest(GUILD, ONCALL, "checkout", "staging", reason="slow")
        )
        await slipway.reaches(back, Phase.SUCCEEDED)


async def test_an_open_alert_is_named_whenever_it_began(dsn: str) -> None:
    world = world_of(dsn)
    await world.serve()
    async with world.open() as slipway:
        await alert(slipway, "old", world.clock.now() - timedelta(days=3), over=False)
        await on_staging(slipway)
        with pytest.raises(Refused, match="An alert is open in checkout/staging: “old”"):
            await slipway.deploy(lane=PRODUCTION)


async def test_it_starts_with_quiet_and_some_budget_and_keeps_what_was_met(dsn: str) -> None:
    world = world_of(dsn)
    await world.serve()
    async with world.open() as slipway:
        await on_staging(slipway)
        await serve(slipway, 99)
        begun = await slipway.deploy(lane=PRODUCTION)
        assert [each.sentence for each in begun.preconditions] == [
            "No alert is open in checkout/staging, and there was none since this release began there.",
            "checkout/production has 1% of this week's error budget left.",
        ]


async def test_a_named_role_may_go_on_in_an_emergency_with_a_reason(dsn: str) -> None:
    world = world_of(dsn)
    await world.serve()
    async with world.open() as slipway:
        await on_staging(slipway)
        await serve(slipway, 500)
        asked = DeployRequest(GUILD, DEV, "checkout", "1.5.0", "production", emergency=True, reason="a fix")
        with pytest.raises(Refused) as refused:
            await slipway.engine.deploy(asked)
        assert refused.value.rule == "emergency_role"
        lead = replace(LEAD, roles=LEAD.roles | DEV.roles)
        with pytest.raises(Refused, match="A reason is required"):
            await slipway.engine.deploy(replace(asked, actor=lead, reason=" "))
        begun = await slipway.engine.deploy(replace(asked, actor=lead))
        assert isinstance(begun, Rollout)
        log = await slipway.engine.log(begun.id, GUILD)
        assert any("has spent this week's error budget" in line.why for line in log)
        assert begun.candidate == V150
