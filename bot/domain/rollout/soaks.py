"""Soaks against traffic: whether a plan's soaks can find a bad release before it takes over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf

from bot.domain import phrasebook
from bot.domain.formatting import duration, percent
from bot.domain.judge.history.planning import TIMES, needed_s, rate_in_words, strictest
from bot.domain.judge.policy import JudgePolicy
from bot.domain.rollout.model import Lane, Plan
from bot.domain.rollout.steps.shift import Shift


@dataclass(frozen=True, slots=True)
class ShortSoaks:
    """requests_s: of the whole lane, a second. rate: of failures that a release should be found with, 0 to 1.

    share: of the traffic, in the first soak, 0 to 1. needed_s: seconds at that share until it is found on average,
    `inf` for never. given_s: what the plan soaks before it takes over, at any share.
    """

    requests_s: float
    rate: float
    share: float
    needed_s: float
    given_s: float

    def sentence(self, lane: Lane) -> str:
        """For people."""
        needed_s = ceil(self.needed_s / 60) * 60 if self.needed_s < inf else inf
        lacking = phrasebook.short_soaks(
            rate_in_words(self.requests_s),
            percent(self.rate),
            percent(self.share),
            duration(needed_s) if needed_s < inf else "",
            duration(self.given_s),
        )
        return f"{lacking} {phrasebook.soaks_that_fit(lane.service, lane.environment)}"


def short_soaks(plan: Plan, policy: JudgePolicy, requests_s: float | None = None) -> ShortSoaks | None:
    """What the plan's soaks lack to find a release at five times the strictest limit; None if they suffice.

    Soaks add up, each by its share of the traffic. requests_s: of the lane, by default as kept in the policy; without
    it, an objective or a soak nothing is known, and None is returned. A soak at full weight counts only in a plan that
    has no other.
    """
    requests_s = policy.requests_s if requests_s is None else requests_s
    strict = strictest(policy)
    soaks = list(_soaks(plan))
    before = [soak for soak in soaks if soak[0] < 1] or soaks
    if not requests_s or strict is None or not before:
        return None
    rate = min(0.99, TIMES * strict.limit)
    needed = [needed_s(policy, strict, rate, requests_s * share) for share, _ in before]
    if sum(soak_s / need for (_, soak_s), need in zip(before, needed, strict=True)) >= 1:
        return None
    return ShortSoaks(requests_s, rate, before[0][0], needed[0], sum(soak_s for _, soak_s in before))


def _soaks(plan: Plan) -> Iterator[tuple[float, float]]:
    """The share of the traffic and the seconds of each soak."""
    share = 0.0
    for step in plan.steps:
        if isinstance(step, Shift):
            share = step.weight / 100
        elif step.soak_s and share:
            yield share, step.soak_s
