"""The judge's policy of a new rollout, with what the lane's own traffic says about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.config import LaneConfig
from bot.domain.judge.dependence import calibrated
from bot.domain.judge.history import FULL_S, ServedTick
from bot.domain.rollout.model import Plan, Policy
from bot.domain.rollout.steps.shift import Shift
from bot.ports.store import Store

_LATELY_S = 3600.0


async def calibrated_policy(store: Store, config: LaneConfig, plan: Plan, at: datetime) -> Policy:
    """The lane's policy, as it is judged when a rollout with this plan starts at `at`."""
    policy = config.policy
    if policy.judge.phi is not None or not policy.judge.objectives:
        return policy
    now = at.timestamp()
    ticks = await store.served.read(config.lane, now - FULL_S)
    requests_s = requests_per_s([tick for tick in ticks if tick.at > now - _LATELY_S])
    share = first_share(plan)
    expected = requests_s * share if requests_s is not None and share is not None else None
    # A day of ticks takes some tenths of a second to look through.
    judge = await asyncio.to_thread(calibrated, policy.judge, ticks, expected)
    return replace(policy, judge=judge)


def requests_per_s(ticks: Sequence[ServedTick]) -> float | None:
    """What the lane served on average; None where nothing was read."""
    seconds = sum(tick.seconds for tick in ticks)
    served = sum(max((counts.total for counts in tick.counts.values()), default=0) for tick in ticks)
    return served / seconds if seconds else None


def first_share(plan: Plan) -> float | None:
    """The candidate's share of the traffic when it first gets some; None without a shift."""
    weights = (step.weight for step in plan.steps if isinstance(step, Shift) and step.weight)
    first = next(weights, None)
    return first / 100 if first else None
