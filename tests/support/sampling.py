"""A sampler over given sources and a target, and a rollout for it to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.judge import judge
from bot.domain.rollout.model import Desired, Rollout
from bot.engine.lanes import AdaptersByName, Lanes
from bot.engine.loops.sampler import Sampler
from tests.fakes.outside import FakeReleases
from tests.fakes.target import FakeTarget
from tests.support.catalogs import PRODUCTION, STRAIGHT, V140, V150, begin_rollout, catalog, policy
from tests.support.clocks import ShiftedClock

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def rollout(judging: judge.JudgePolicy | None = None) -> Rollout:
    usual = policy()
    begun = begin_rollout(
        id=1,
        lane=PRODUCTION,
        plan=STRAIGHT,
        policy=replace(usual, judge=judging or usual.judge),
        at=NOW,
        generation=1,
    )
    return replace(begun.rollout, had_traffic=True, observed_weight=10)


async def serving() -> FakeTarget:
    target = FakeTarget()
    await target.apply(PRODUCTION, Desired(2, V140, V150, 10))
    await target.observe(PRODUCTION)
    return target


def sampler(target: FakeTarget, **sources: Any) -> Sampler:
    has = catalog(metrics=tuple(sources))
    store: Any = None
    targets = {"local": target}
    bound = AdaptersByName(targets, sources)
    return Sampler(Lanes(store, lambda: has, targets, FakeReleases({}), ShiftedClock(), bound=bound))
