"""The judge's policy of a new rollout, with what the lane's own traffic says about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.config import Catalog, LaneConfig
from bot.domain.judge.history.backtest import Backtest, backtest, why_not
from bot.domain.judge.history.dependence import calibrated
from bot.domain.judge.history.planning import suggested
from bot.domain.judge.history.probes_and_rules import probe_lines, rule_lines
from bot.domain.judge.history.served import FULL_S, ServedTick
from bot.domain.judge.policy import JudgePolicy
from bot.domain.rollout.model import Plan, Policy
from bot.domain.rollout.soaks import ShortSoaks, short_soaks
from bot.domain.rollout.steps.shift import Shift
from bot.ports.store import Store

_LATELY_S = 3600.0
NO_METRICS = "no metric source counts its requests"
# A look costs about 2.5 ms of processor time. With so many rollouts, a new one is judged in the catalog's tick.
_MOST_AT_FINER_TICKS = 50


async def calibrated_policy(store: Store, config: LaneConfig, plan: Plan, at: datetime) -> Policy:
    """The lane's policy, as it is judged when a rollout with this plan starts at `at`."""
    policy = config.policy
    if not policy.judge.objectives:
        return policy
    ticks = await store.served.read(config.lane, at.timestamp() - FULL_S)
    judge = policy.judge
    if judge.phi is None:
        finest_tick_s = config.finest_tick_s
        if finest_tick_s is not None and len(await store.rollouts.active()) >= _MOST_AT_FINER_TICKS:
            finest_tick_s = None
        # A day of ticks takes some tenths of a second to look through.
        expected = _expected(ticks, config, plan, at)
        judge = await asyncio.to_thread(calibrated, judge, ticks, expected, finest_tick_s=finest_tick_s)
    judge = replace(judge, requests_s=None if config.probed else _lately(ticks, at))
    return replace(policy, judge=judge, tick_s=judge.tick_s)


@dataclass(frozen=True, slots=True)
class Tried:
    """The judge and a plan, tried on a lane's own history; each is None where that does not suffice.

    suggestion: lines for people on the soaks that fit; none where nothing is known that they could rest on.
    not_replayed: why there is no backtest, in words that follow a colon; empty with one, and where none was asked for.
    short_soaks: also None where the plan's soaks suffice.
    """

    backtest: Backtest | None = None
    not_replayed: str = ""
    short_soaks: ShortSoaks | None = None
    suggestion: tuple[str, ...] = ()


async def tried(
    store: Store,
    config: LaneConfig,
    at: datetime,
    *,
    replays: int = 0,
    history_s: float = FULL_S,
) -> Tried:
    """The lane's policy and plan on its traffic in the last `history_s`; without replays there is no backtest."""
    policy, plan = config.policy.judge, config.plan
    if not config.metrics:
        said = rule_lines(policy, None, exclusive=config.policy.exclusive)
        return Tried(not_replayed=NO_METRICS if replays else "", suggestion=said)
    ticks = await store.served.read(config.lane, at.timestamp() - history_s) if policy.series else ()
    lately_s, share = _lately(ticks, at), candidates_share(config, plan)

    def found() -> Tried:
        judge = calibrated(policy, ticks, _expected(ticks, config, plan, at))
        replayed = backtest(judge, ticks, share, replays=replays) if replays and share else None
        return Tried(
            replace(replayed, probed=config.probed) if replayed else None,
            why_not(judge, ticks, share) if replays else "",
            short_soaks(plan, judge, lately_s) if lately_s and not config.probed else None,
            _suggestion(config, judge, requests_per_s(ticks)),
        )

    return await asyncio.to_thread(found)


def _suggestion(config: LaneConfig, judge: JudgePolicy, requests_s: float | None) -> tuple[str, ...]:
    """Lines for people: by traffic, by probes, or by plain rules, whichever judges the lane."""
    exclusive = config.policy.exclusive
    if not any(objective.enforce for objective in judge.objectives):
        return rule_lines(judge, requests_s, exclusive=exclusive)
    if config.probed:
        return probe_lines(judge, requests_s, exclusive=exclusive)
    found = suggested(judge, requests_s) if requests_s is not None else None
    return found.lines() if found else ()


async def plan_advice(store: Store, catalog: Catalog, at: datetime) -> tuple[str, ...]:
    """A sentence for each lane of a catalog with soaks too short for its traffic in the last hour; 10 ms a lane."""
    said = []
    for config in catalog.lanes.values():
        short = (await tried(store, config, at, history_s=_LATELY_S)).short_soaks
        if short is not None:
            said.append(f"{config.lane}: {short.sentence(config.lane)}")
    return tuple(said)


def _expected(ticks: Sequence[ServedTick], config: LaneConfig, plan: Plan, at: datetime) -> float | None:
    """Requests a second that the candidate gets at first, as far as is known."""
    requests_s, share = _lately(ticks, at), candidates_share(config, plan)
    return requests_s * share if requests_s is not None and share is not None else None


def _lately(ticks: Sequence[ServedTick], at: datetime) -> float | None:
    """Requests a second in the last hour, to three digits; None where nothing was read in it."""
    requests_s = requests_per_s([tick for tick in ticks if tick.at > at.timestamp() - _LATELY_S])
    return None if requests_s is None else float(f"{requests_s:.3g}")


def requests_per_s(ticks: Sequence[ServedTick]) -> float | None:
    """What the lane served on average; None where nothing was read."""
    seconds = sum(tick.seconds for tick in ticks)
    served = sum(max((counts.total for counts in tick.counts.values()), default=0) for tick in ticks)
    return served / seconds if seconds else None


def candidates_share(config: LaneConfig, plan: Plan) -> float | None:
    """The candidate's share of what is counted when it first gets traffic; None without a shift."""
    share = first_share(plan)
    return 1.0 if config.probed and share else share


def first_share(plan: Plan) -> float | None:
    """The candidate's share of the traffic when it first gets some; None without a shift."""
    weights = (step.weight for step in plan.steps if isinstance(step, Shift) and step.weight)
    first = next(weights, None)
    return first / 100 if first else None
