"""Which soaks a lane's traffic needs: how long a share of it must be measured until a bad release would be found."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

from bot.domain.formatting import duration, percent
from bot.domain.judge.policy import JudgePolicy, Objective
from bot.domain.judge.statistics.power import blocks_needed, requests_needed

SHARES = (0.01, 0.05, 0.10, 0.25, 0.50)
# A release this many times above its limit should be found within a soak.
TIMES = 5.0
# A soak of more than an hour is no plan: with less traffic than that takes, only checks and time can judge.
LONGEST_S = 3600.0
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class PlannedSoak:
    """share: of the traffic, 0 to 1. needed_s: seconds until a release at `TIMES` its limit is found on average."""

    share: float
    needed_s: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Soaks that give the evidence, for a lane with `requests_s` requests a second. rate: what they find.

    steps: shares with a soak within an hour, smallest first; none where the lane has too little traffic.
    """

    requests_s: float
    rate: float
    soaks: tuple[PlannedSoak, ...]

    @property
    def steps(self) -> tuple[PlannedSoak, ...]:
        enough = [soak for soak in self.soaks if soak.needed_s <= LONGEST_S]
        first = next(
            (soak for soak in enough if soak.needed_s <= LONGEST_S / 4), enough[0] if enough else None
        )
        if first is None:
            return ()
        later = next((soak for soak in enough if soak.share >= 5 * first.share), None)
        return (first, later) if later else (first,)

    def lines(self) -> tuple[str, ...]:
        """For people: what each share needs, and a plan as it is written in the catalog."""
        said = [
            f"This lane has about {rate_in_words(self.requests_s)}."
            f" To find an error rate of {percent(self.rate)}:"
        ]
        said += [f"  at {percent(soak.share):>4}  {_needs(soak.needed_s)}" for soak in self.soaks]
        if not self.steps:
            return (
                *said,
                "No share gives the evidence within 1 h: only checks, signals and time can judge here.",
            )
        steps = [
            f"{{shift: {soak.share * 100:g}}}, {{soak: {written(soak.needed_s)}}}" for soak in self.steps
        ]
        return (
            *said,
            f"Suggested: [{{verify: /healthz}}, {', '.join(steps)}, {{shift: 100}}, {{observe: 30m}}]",
        )


def suggested(policy: JudgePolicy, requests_s: float, rate: float | None = None) -> Suggestion | None:
    """Soaks for the strictest enforced objective of the policy; None without one.

    rate: what they are to find; None is `TIMES` the objective's limit, and at most 99%.
    """
    strict = strictest(policy)
    if strict is None:
        return None
    wanted = min(0.99, TIMES * strict.limit) if rate is None else rate
    soaks = (PlannedSoak(share, needed_s(policy, strict, wanted, requests_s * share)) for share in SHARES)
    return Suggestion(requests_s, wanted, tuple(soaks))


def strictest(policy: JudgePolicy) -> Objective | None:
    """The enforced objective with the lowest limit; None without one."""
    return min((o for o in policy.objectives if o.enforce), key=lambda o: o.limit, default=None)


def rate_in_words(requests_s: float) -> str:
    """Such as `20 requests a second`, or `0.5 requests a minute`."""
    rate, unit = (requests_s * 60, "minute") if requests_s < 1 else (requests_s, "second")
    return f"{rate:.3g} request{'' if round(rate, 2) == 1 else 's'} a {unit}"


def needed_s(policy: JudgePolicy, objective: Objective, rate: float, requests_s: float) -> float:
    """Seconds until the judge finds `rate` with `requests_s` requests a second, on average; inf when it never does."""
    if requests_s <= 0 or rate <= objective.limit:
        return inf
    if policy.phi is None:
        blocks = blocks_needed(rate, objective.limit, policy.evidence_needed, requests_s * policy.block_s)
        needed = blocks * policy.block_s
    else:
        requests = requests_needed(rate, objective.limit, policy.evidence_needed)
        needed = 1.5 * policy.phi * requests / requests_s
    floor = max(policy.floor(objective), policy.min_bad / rate) / requests_s
    return max(needed, floor, policy.tick_s)


def _needs(seconds: float) -> str:
    return "never" if seconds == inf else f"a soak of {duration(rounded_s(seconds))}"


def rounded_s(seconds: float) -> float:
    """Up to a full minute."""
    return max(1, ceil(seconds / _MINUTE_S)) * _MINUTE_S


def written(seconds: float) -> str:
    """As the catalog takes it, such as `15m`."""
    return f"{rounded_s(seconds) / _MINUTE_S:g}m"
