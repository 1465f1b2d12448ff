"""Whole rollouts through the real engine and a real PostgreSQL."""

from __future__ import annotations

import pytest

from bot.domain.judge.history.replay import replayed, same
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import Gate, Observe, Shift
from tests.fakes.target import FakeTarget
from tests.support.actors import DEV, LEAD
from tests.support.catalogs import PRODUCTION, STAGING, V140, V150, V151, VERIFY, catalog, policy
from tests.support.harness import World
from tests.support.waiting import until


async def test_a_deploy_takes_over_and_is_known_good(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy()
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        (status, _) = await slipway.engine.status(42)
    assert (status.desired_version, status.known_good, status.active, status.drift) == (
        "1.5.0",
        True,
        None,
        "",
    )
    assert (await world.target.observe(STAGING)).weight_of(V150.digest) == 100


async def test_a_gate_waits_for_an_approval_and_then_it_rolls_through(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        assert gated.readiness is not None
        assert (gated.readiness.to_version, gated.readiness.warm) == ("1.4.0", True)
        assert (await world.target.observe(PRODUCTION)).weight_of(V150.digest) == 0
        acted = await slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal, step=gated.step)
        assert acted.sentence == "lead approved (1 of 1)."
        done = await slipway.reaches(rollout, Phase.SUCCEEDED)
        await slipway.quiet()
        view = await slipway.engine.view(done.id, 42)
    assert [n.mention_roles for n in world.announcer.heard("gate_opened")] == [("release-manager",)]
    assert view.series and any(point.candidate["errors"][0] for point in view.series)
    assert [t.actor.name for t in view.transitions if t.what == "approved"] == ["lead"]
    assert world.announcer.log(done.id)[0] == "dev started deploying 1.5.0 to production, replacing 1.4.0."


async def test_a_failing_soak_rolls_back_and_stable_keeps_serving(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.metrics.bad[V151.digest] = 0.08
    async with world.open() as slipway:
        rollout = await slipway.deploy(V151, PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        await slipway.press(gated, Action.APPROVE, LEAD)
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        status = (await slipway.engine.status(42, "checkout", "production"))[0]
        good = await slipway.engine.known_good(42, "checkout", "production")
        looks = (await slipway.engine.view(done.id)).series
        kept = await slipway.store.history.judged(done.id, 10_000)
        await slipway.quiet()
    assert done.observed_weight == 0
    # The chart has what the verdict is about, to the last look.
    assert done.judge_state is not None
    trial = done.judge_state.trials[0]
    counted = [point.candidate["errors"] for point in looks]
    assert (sum(n for n, _ in counted), sum(bad for _, bad in counted)) == (trial.total, trial.bad)
    assert trial.bad > 0
    *_, last = replayed(done.policy.judge, kept)
    assert same(last, done.judge_state)
    observed = await world.target.observe(PRODUCTION)
    assert (observed.weight_of(V140.digest), observed.weight_of(V151.digest)) == (100, 0)
    assert status.lock is not None
    assert status.lock.digest == V151.digest
    assert good == []
    (notice,) = world.announcer.heard("rolled_back")
    assert notice.mention_roles == ("on-call",)
    assert "8%" in notice.text


async def test_a_repeated_press_is_done_once(dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION, interaction="i-1")
        again = await slipway.deploy(lane=PRODUCTION, interaction="i-1")
        assert again.id == rollout.id
        gated = await slipway.reaches(rollout, Phase.GATED)
        first = await slipway.press(gated, Action.PAUSE, DEV, interaction="i-2", reason="look")
        await slipway.press(gated, Action.RESUME, DEV, interaction="i-3")
        second = await slipway.press(gated, Action.PAUSE, DEV, interaction="i-2", reason="look")
        assert (first.repeated, second.repeated) == (False, True)
        assert second.sentence == first.sentence
        assert second.rollout.pause is None


@pytest.mark.parametrize("exclusive", [False, True])
async def test_waiting_at_a_gate_before_anything_was_started_is_no_crash(dsn: str, exclusive: bool) -> None:
    first = (VERIFY,) if exclusive else ()
    gate_first = Plan("gate first", (*first, Gate("go", "release-manager"), Shift(100, 5.0), Observe(0.1)))
    target = FakeTarget(exclusive=(PRODUCTION,) if exclusive else ())
    world = World(dsn, catalog(gate_first, policy=policy(exclusive=exclusive)), target)
    await world.serve()
    async with world.open() as slipway:
        gated = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.GATED)
        looks = world.target.calls["observe"]

        async def looked() -> bool:
            return world.target.calls["observe"] > looks + 6

        await until(looked)
        await slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal, step=gated.step)
        await slipway.reaches(gated, Phase.SUCCEEDED)
