"""A rollout is judged by what its lane's own traffic says: measured when it starts, kept with it, shown on its card."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from bot.domain.errors import UserError
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.served import ServedTick
from bot.domain.judge.policy import JudgePolicy
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import Observe
from bot.domain.rollout.steps.shift import Shift
from bot.engine.api import DeployRequest, DryRun, RollbackRequest
from bot.engine.requests.calibration import (
    Tried,
    calibrated_policy,
    first_share,
    plan_advice,
    requests_per_s,
    tried,
)
from bot.ui.cards.measurements import fine_print
from bot.ui.cards.prompts import asked
from bot.ui.interactions import lists
from bot.web.api import formatting
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.catalogs import LONG, PRODUCTION, STAGING, catalog, policy
from tests.support.components import said
from tests.support.harness import World
from tests.support.rules.judging import failures

JUDGE = replace(policy().judge, phi=None, tick_s=5.0)


def hour(until: datetime, length: int, requests: int = 100) -> list[ServedTick]:
    """An hour of `requests` every 5 s before `until`; 0.5% fail, `length` at a time."""
    random, now = Random(length), until.timestamp()
    found = []
    for n in range(720, 0, -1):
        bad, slow = (length * failures(random, requests, 0.005 / length) for _ in range(2))
        counts = {"errors": Counts(requests, bad), "latency>1s": Counts(requests, slow)}
        found.append(ServedTick(now - 5.0 * n, 5.0, counts))
    return found


async def judged(dsn: str, given: JudgePolicy, length: int | None) -> tuple[JudgePolicy, str]:
    """The judge's policy of a rollout that starts after such an hour (None: after nothing), and its fine print."""
    world = World(dsn, catalog(LONG, policy=policy(judge=given)))
    await world.serve()
    async with world.open(working=False) as slipway:
        if length is not None:
            ticks = hour(world.clock.now(), length)
            await slipway.store.served.append([(PRODUCTION, tick) for tick in ticks])
            await slipway.store.served.append([(STAGING, replace(tick, counts={})) for tick in ticks])
        rollout = await slipway.deploy(lane=PRODUCTION)
        stored = await slipway.now(rollout)
        assert stored.policy == rollout.policy
        return stored.policy.judge, fine_print(stored)


async def test_independent_failures_are_judged_one_by_one(dsn: str) -> None:
    judge, card = await judged(dsn, JUDGE, 1)
    assert judge.phi is not None and judge.phi <= 1.5 and judge.measured_s == 3600.0
    assert "measured on 1 h of stable: failures come one by one" in card


async def test_much_independent_traffic_is_judged_every_second_unless_many_rollouts_run(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(dsn, catalog(LONG, policy=policy(judge=JUDGE)))
    lane = replace(world.catalog.lanes[PRODUCTION], finest_tick_s=1.0)
    world.catalog = replace(world.catalog, lanes={**world.catalog.lanes, PRODUCTION: lane})
    await world.serve()
    async with world.open(working=False) as slipway:
        ticks = hour(world.clock.now(), 1)
        await slipway.store.served.append([(PRODUCTION, tick) for tick in ticks])
        now, plan = world.clock.now(), lane.plan
        judged = await calibrated_policy(slipway.store, lane, plan, now)
        assert (judged.tick_s, judged.judge.tick_s, judged.judge.planned_ticks) == (
            2.0,
            2.0,
            50,
        )  # 10% of 20 requests a second
        monkeypatch.setattr("bot.engine.requests.calibration._MOST_AT_FINER_TICKS", 0)
        assert (await calibrated_policy(slipway.store, lane, plan, now)).tick_s == 5.0


async def test_bursts_are_judged_as_long_as_they_take_at_the_candidates_share(dsn: str) -> None:
    judge, card = await judged(dsn, JUDGE, 8)
    assert judge.phi is None
    assert judge.burst_s == 20.0  # of about 8 requests, five times over, at 10% of 20 requests a second
    assert "measured on 1 h of stable: failures come in bursts of about" in card and "within 20 s" in card


async def test_a_lane_without_history_starts_carefully_and_says_so(dsn: str) -> None:
    judge, card = await judged(dsn, JUDGE, None)
    assert judge == JUDGE
    assert "no history of this lane yet, so failures within 5 s count as one event" in card


async def test_a_given_phi_is_kept(dsn: str) -> None:
    judge, _ = await judged(dsn, replace(JUDGE, phi=3.0), 8)
    assert judge == replace(JUDGE, phi=3.0, requests_s=20.0)


def test_a_share_and_a_rate_are_known_or_not() -> None:
    assert first_share(Plan("p", (Shift(0, 5.0), Shift(25, 5.0), Shift(100, 5.0)))) == 0.25
    assert first_share(Plan("p", (Shift(0, 5.0),))) is None
    assert requests_per_s([]) is None
    tick = ServedTick(5.0, 5.0, {"errors": Counts(100, 0), "latency>1s": Counts(80, 0)})
    assert requests_per_s([tick, replace(tick, at=10.0)]) == pytest.approx(20.0)


async def test_a_dry_run_says_what_the_judge_would_find_with_this_traffic(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(judge=JUDGE)))
    await world.serve()
    async with world.open(working=False) as slipway:
        request = DeployRequest(world.guild, DEV, "checkout", "1.5.0", "production", dry_run=True)
        new = await slipway.engine.deploy(request)
        assert isinstance(new, DryRun) and new.backtest is None
        assert formatting.dry_run(new).backtest is None
        why = "checkout/production cannot be replayed: nothing that it served was counted in the last 24 h."
        assert formatting.dry_run(new).not_replayed == why
        assert f"**The judge** {why}" in said(lists.dry_run(new).view)
        ticks = hour(world.clock.now(), 1)
        await slipway.store.served.append([(PRODUCTION, tick) for tick in ticks])
        found = await slipway.engine.deploy(request)
        assert isinstance(found, DryRun) and found.backtest is not None
        assert (found.backtest.alarms, found.backtest.share) == (0, 0.1)
        assert "With 10% of this lane's traffic" in said(lists.dry_run(found).view)
        answered = formatting.dry_run(found).backtest
        assert answered is not None and answered.sentence == found.backtest.sentence()
        assert formatting.dry_run(found).not_replayed is None
        assert "replays of this lane's own history, 1 h of stable" in said(lists.dry_run(found).view)
        assert [fault.rate for fault in answered.faults] == [0.02, 0.05, 0.1]


async def test_soaks_that_are_too_short_for_the_traffic_are_told_before_it_moves(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(judge=JUDGE)))
    await world.serve()
    async with world.open(working=False) as slipway:
        lane = world.catalog.lanes[PRODUCTION]
        served, now = slipway.store.served, world.clock.now()
        new = await tried(slipway.store, lane, now, replays=5)
        assert new == Tried(not_replayed="nothing that it served was counted in the last 24 h")
        await served.append([(PRODUCTION, tick) for tick in hour(now, 1, requests=2)])
        plenty = {"errors": Counts(100_000, 500), "latency>1s": Counts(100_000, 500)}
        await served.append([(STAGING, replace(tick, counts=plenty)) for tick in hour(now, 1)])
        (advice,) = await plan_advice(slipway.store, world.catalog, now)
        assert advice.startswith(
            "checkout/production: This lane has about 24 requests a minute. A release that fails"
        )
        assert advice.endswith("`slipway plan suggest checkout production` shows soaks that fit.")
        request = DeployRequest(world.guild, DEV, "checkout", "1.5.0", "production", dry_run=True)
        dry = await slipway.engine.deploy(request)
        assert isinstance(dry, DryRun) and dry.short_soaks is not None
        assert formatting.dry_run(dry).short_soaks == advice.removeprefix("checkout/production: ")
        assert "**Little evidence:** This lane has about 24 requests a minute" in said(
            lists.dry_run(dry).view
        )


async def test_the_gate_says_that_the_soaks_are_too_short(dsn: str) -> None:
    world = World(dsn, catalog(policy=policy(judge=JUDGE)))
    await world.serve()
    async with world.open() as slipway:
        await slipway.store.served.append(
            [(PRODUCTION, tick) for tick in hour(world.clock.now(), 1, requests=2)]
        )
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        seen = await slipway.engine.view(gated.id, world.guild)
        told = asked(seen, with_readiness=False)
        assert any("**Little evidence:** This lane has about 24 requests a minute." in line for line in told)
        await slipway.press(gated, Action.APPROVE, LEAD)
        served = replace(seen, rollout=replace(gated, phase=Phase.SUCCEEDED))
        assert not any("Little evidence" in line for line in asked(served, with_readiness=False))


async def test_a_return_to_what_was_good_does_not_wait_for_the_history(dsn: str) -> None:
    plan = Plan("quick", (Shift(100, 5.0),))
    world = World(dsn, catalog(plan, policy=policy(judge=JUDGE), prerequisite=None))
    await world.serve()
    async with world.open() as slipway:
        await slipway.store.served.append([(PRODUCTION, tick) for tick in hour(world.clock.now(), 1)])
        deployed = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.SUCCEEDED)
        assert deployed.policy.judge.measured_s
        back = await slipway.engine.roll_back(RollbackRequest(world.guild, ONCALL, "checkout", "production"))
        assert back.policy.judge == JUDGE


async def test_what_cannot_be_replayed_says_why(dsn: str) -> None:
    plan = Plan("commands", (Observe(60.0),))
    world = World(dsn, catalog(plan, policy=policy(judge=JUDGE)))
    async with world.open(working=False) as slipway:
        config = world.catalog.lanes[PRODUCTION]
        ticks = [(PRODUCTION, tick) for tick in hour(world.clock.now(), 1)]
        await slipway.store.served.append(ticks)
        found = await tried(slipway.store, config, world.clock.now(), replays=5)
        assert found.not_replayed == "its plan shifts no traffic"
        assert found.backtest is None and found.suggestion
        at_once = replace(config, plan=Plan("all at once", (Shift(100, 5.0),)))
        all_of_it = (await tried(slipway.store, at_once, world.clock.now(), replays=5)).backtest
        assert all_of_it is not None and all_of_it.share == 1.0
        watched = replace(config, policy=replace(config.policy, judge=JudgePolicy()))
        said_why = await tried(slipway.store, watched, world.clock.now(), replays=5)
        assert said_why.not_replayed == "its policy has no objective and no rule on requests"
        assert said_why.suggestion[0].startswith("Its policy has no enforced objective")
        unmeasured = await tried(slipway.store, replace(config, metrics=()), world.clock.now(), replays=5)
        assert unmeasured.not_replayed == "no metric source counts its requests"
        assert unmeasured.backtest is None and unmeasured.suggestion
        asked_less = await tried(slipway.store, replace(config, metrics=()), world.clock.now())
        assert asked_less.not_replayed == ""


async def test_probes_are_the_same_at_every_share_of_the_traffic(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(judge=JUDGE)))
    async with world.open(working=False) as slipway:
        probed = replace(world.catalog.lanes[PRODUCTION], probed=True)
        now = world.clock.now()
        new = await tried(slipway.store, probed, now)
        assert new.suggestion[0].startswith("Probes judge here: about 12 probes a minute")
        ticks = hour(now, 1, requests=2)
        await slipway.store.served.append([(PRODUCTION, tick) for tick in ticks])
        found = await tried(slipway.store, probed, now, replays=10)
        assert found.backtest is not None and found.backtest.share == 1.0
        assert found.backtest.sentence().startswith("With its probes, ")
        assert found.short_soaks is None  # it would be about a share of the traffic
        assert found.suggestion[0].startswith("Probes judge here: about 24 probes a minute")
        assert (await calibrated_policy(slipway.store, probed, LONG, now)).judge.requests_s is None


async def test_the_button_of_a_dry_run_replays_more_often_and_suggests_soaks(dsn: str) -> None:
    world = World(dsn, catalog(LONG, policy=policy(judge=JUDGE)))
    async with world.open(working=False) as slipway:
        new = await slipway.engine.backtest(world.guild, "checkout", "production")
        assert "cannot be replayed: nothing that it served" in lists.backtest(PRODUCTION, new).content
        await slipway.store.served.append([(PRODUCTION, tick) for tick in hour(world.clock.now(), 1)])
        found = await slipway.engine.backtest(world.guild, "checkout", "production")
        assert found.backtest is not None and found.backtest.replays == 300
        told = said(lists.backtest(PRODUCTION, found).view)
        assert (
            "**No trouble found.**" in told
            and "0 false alarms in 300 replays of this lane's own history" in told
        )
        assert "Soaks for this traffic" in told and "This lane has about 20 requests a second" in told
        alarming = replace(found, backtest=replace(found.backtest, alarms=20))
        assert "rolls back good releases here" in said(lists.backtest(PRODUCTION, alarming).view)
        with pytest.raises(UserError, match="chekout"):
            await slipway.engine.backtest(world.guild, "chekout", "production")
