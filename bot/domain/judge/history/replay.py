"""Replay of the judge on the ticks that it took: each tick as it is kept, and the states that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.formatting import clean
from bot.domain.judge.evidence.ticks import Signal, Tick
from bot.domain.judge.judge import JudgePolicy, JudgeState, advance, begin, begin_soak
from bot.domain.judge.statistics.instances import tells

# What sources say is kept with every tick, so it is bounded: sentences, and letters of each.
_SENTENCES, _LETTERS = 3, 200


@dataclass(frozen=True, slots=True)
class JudgedTick:
    """A tick as the judge took it.

    soak_since: when the soak that it fell into began (unix seconds). required_s: measured seconds that this soak
    needed; None outside of one.
    """

    tick: Tick
    soak_since: float | None = None
    required_s: float | None = None


def judged_tick(before: JudgeState, policy: JudgePolicy, tick: Tick, required_s: float | None) -> JudgedTick:
    """`tick` as it is kept: without what does not change the judge's next state. `before`: the state that took it."""
    heard = {rule.signal for rule in policy.rules}
    kept = replace(
        tick,
        errors=tuple(clean(error, _LETTERS) for error in tick.errors[:_SENTENCES]),
        crashed=clean(tick.crashed, _LETTERS) if tick.crashed else None,
        buckets={} if tuple(tick.buckets.items()) == before.buckets else tick.buckets,
        signals={
            name: Signal(signal.bad, clean(signal.detail, _LETTERS))
            for name, signal in tick.signals.items()
            if name in heard
        },
        notes=(),
        paired=None if tick.paired == tick.candidate else tick.paired,
        instances=tick.instances if tells(before.instances, tick) else {},
    )
    return JudgedTick(kept, before.soak.since, required_s)


def replayed(
    policy: JudgePolicy, ticks: Iterable[JudgedTick], start: JudgeState | None = None
) -> Iterator[JudgeState]:
    """The state after each tick, from `start` on (by default from before the first tick)."""
    state = begin(policy) if start is None else start
    for each in ticks:
        if each.soak_since is not None and each.soak_since != state.soak.since:
            state = begin_soak(state, each.soak_since)
        state = advance(state, policy, each.tick)
        yield state


def same(replayed_: JudgeState, stored: JudgeState) -> bool:
    """Whether a replay gave the stored state, but for the wording of what sources said."""
    if stored.soak.since is not None and stored.soak.since != replayed_.soak.since:
        replayed_ = begin_soak(replayed_, stored.soak.since)  # after the last tick
    return _figures(replayed_) == _figures(stored)


def _figures(state: JudgeState) -> dict[str, Any]:
    figures = replace(
        state,
        errors=("?",) if state.errors else (),
        crashed="?" if state.crashed else None,
        rules=tuple(replace(rule, detail="") for rule in state.rules),
        buckets=tuple(sorted(state.buckets)),
    )
    return figures.to_json()
