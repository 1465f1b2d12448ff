"""Words for tests of the judge: policies in one line, ticks as counts, a rollout judged over a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from random import Random

from bot.domain.judge.evidence.ticks import Counts, Signal, Tick
from bot.domain.judge.judge import (
    JudgePolicy,
    JudgeState,
    Objective,
    Verdict,
    advance,
    begin,
    begin_soak,
    verdict,
)

# Each request by itself: what one tick with many bad requests decides is then seen after one tick.
independent = partial(JudgePolicy, phi=1.0)
ERRORS = Objective("errors", "errors", 0.01)
COMPARED = Objective("errors", "errors", 0.01, ratio=1.0)
SLOW = Objective("p99", "latency", 0.01, 2.0)
FIVE = 5.0


def tick(
    number: int,
    *candidate: tuple[int, int],
    stable: tuple[int, int] | None = None,
    names: tuple[str, ...] = ("errors", "p99"),
    errors: tuple[str, ...] = (),
    crashed: str | None = None,
    signals: Mapping[str, Signal] | None = None,
) -> Tick:
    """Look `number` (every 5 s) with `(total, bad)` for each of `names`."""
    return Tick(
        number * FIVE,
        FIVE,
        {name: Counts(*counts) for name, counts in zip(names, candidate, strict=False)},
        None if stable is None else {names[0]: Counts(*stable)},
        errors=errors,
        crashed=crashed,
        signals=signals or {},
    )


def judged(policy: JudgePolicy, ticks: Iterable[Tick], state: JudgeState | None = None) -> JudgeState:
    """The state after all ticks; a soak begins at 0 s unless a state is given."""
    state = begin_soak(begin(policy), 0.0) if state is None else state
    for one in ticks:
        state = advance(state, policy, one)
    return state


def said(policy: JudgePolicy, ticks: Iterable[Tick], soak_s: float | None = 60.0) -> Verdict:
    """The verdict after all ticks."""
    return verdict(judged(policy, ticks), policy, soak_required_s=soak_s)


def failures(random: Random, total: int, rate: float) -> int:
    """How many of `total` requests fail."""
    return sum(random.random() < rate for _ in range(total))
