"""A warning of the judge is told when it begins and when it ends, and stands wherever people look at the rollout."""

from __future__ import annotations

import pytest

from bot.cli.deploys.rollout_lines import tell_facts
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.rollout.events import Measured
from bot.domain.rollout.model import Phase, Rollout
from bot.engine.api import LaneStatus
from bot.ui.cards.card import draw
from bot.ui.interactions import lists
from bot.web.api import formatting
from tests.fakes.engine import FakeEngine
from tests.support import rollouts
from tests.support.components import said
from tests.support.rules.latencies import Stream

WARNING = "p50 went from 4"


def looked(
    engine: FakeEngine, rollout: Rollout, times: float, ticks: int, *, seconds: float = 0.01
) -> Rollout:
    """So many looks at a candidate that is `times` as slow as stable; each is `seconds` of measured time."""
    for drawn in Stream(times=times).ticks(rollout.version, ticks):
        rollouts.forward(engine, 5.0)
        now = engine.clock.now()
        counts = {"errors": Counts(25, 0), "slow requests": Counts(25, 0)}
        tick = Tick(now.timestamp(), seconds, counts, counts, latency=drawn.latency)
        rollout = engine.happen(rollout.id, Measured(now, tick))
    return rollout


def finished(engine: FakeEngine, rollout: Rollout) -> Rollout:
    """The rollout at its end; stable has no traffic any more."""
    for _ in range(8):
        rollouts.measured(engine, rollout.id)
        rollout = engine.rollouts[rollout.id]
        if rollout.phase is Phase.SHIFTING:
            rollout = rollouts.serving(engine, rollout.id)
        if rollout.phase.final:
            break
    return rollout


async def warned() -> tuple[FakeEngine, Rollout]:
    engine = rollouts.engine()
    rollout = looked(engine, await rollouts.soaking(engine), 8.0, 40)
    assert rollout.phase is Phase.SOAKING
    return engine, rollout


async def log(engine: FakeEngine, rollout: Rollout, what: str = "warned") -> list[str]:
    view = await engine.view(rollout.id)
    return [line.why for line in view.transitions if line.what == what]


async def test_it_is_told_once_when_it_begins_and_when_it_ends() -> None:
    engine, rollout = await warned()
    (begins,) = await log(engine, rollout)
    assert begins.startswith(f"Warning: {WARNING}")
    assert begins.endswith(":1). It does not fail the rollout.")
    rollout = looked(engine, rollout, 1.0, 400)
    assert (await log(engine, rollout))[1:] == ["The warning is over: no longer slower than stable."]


async def test_card_and_status_and_api_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    engine, rollout = await warned()
    card = said(draw(await engine.view(rollout.id), engine.clock.now()).view)
    assert f"⚠️ **slower than stable** {WARNING}" in card
    assert ":1) · a warning, no failure" in card
    lane = LaneStatus(rollouts.PRODUCTION, "1.4.0", True, None, "", rollout, None)
    view = lists.status([lane], engine.clock.now()).view
    assert view is not None
    assert f"⚠️ slower than stable: {WARNING}" in said(view)
    answer = formatting.rollout(rollout, engine.clock.now())
    assert [one.startswith(f"slower than stable: {WARNING}") for one in answer.warnings] == [True]
    tell_facts(answer.model_dump(), err=False)
    assert f"! slower than stable: {WARNING}" in capsys.readouterr().out


async def test_without_one_nothing_is_shown() -> None:
    engine = rollouts.engine()
    rollout = looked(engine, await rollouts.soaking(engine), 1.0, 40)
    assert await log(engine, rollout) == []
    assert "⚠️" not in said(draw(await engine.view(rollout.id), engine.clock.now()).view)
    assert formatting.rollout(rollout, engine.clock.now()).warnings == []


async def test_the_last_sentence_of_a_rollout_has_it() -> None:
    engine, rollout = await warned()
    rollout = finished(engine, rollout)
    assert rollout.phase is Phase.SUCCEEDED
    assert f"Passed with a warning: {WARNING}" in rollout.outcome
    passes = await log(engine, rollout, "judged_pass")
    assert passes
    assert all(f"; with a warning: {WARNING}" in sentence for sentence in passes)


async def test_a_rollout_without_one_ends_as_before() -> None:
    engine = rollouts.engine()
    rollout = finished(engine, looked(engine, await rollouts.soaking(engine), 1.0, 40))
    assert rollout.phase is Phase.SUCCEEDED
    assert "warning" not in rollout.outcome
