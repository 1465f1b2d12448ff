"""Changed ticks and policies for a replay, and the search for the smallest change that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bot.domain.judge.evidence.ticks import Counts, Signal, Tick
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.judge.judge import JudgePolicy, Objective, Rule
from bot.domain.judge.policy import Series

T = TypeVar("T")

_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5)
_NONE = Counts()


def smallest(choices: Sequence[T], works: Callable[[T], bool]) -> T | None:
    """The first choice that works while the one before it does not; None when the last does not work.

    The first ones are tried first, since small changes cost the shortest replays.
    """
    if not choices or not works(choices[-1]):
        return None
    low, high, width = -1, len(choices) - 1, 1
    while low + width < high:
        if works(choices[low + width]):
            high = low + width
        else:
            low, width = low + width, width * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(choices[middle]) else (middle, high)
    return choices[high]


def last_bad(counts: Sequence[tuple[int, int]], last: int) -> dict[int, int]:
    """Of the `last` bad requests, how many are in each tick. counts: `(tick, bad)`, newest first."""
    taken: dict[int, int] = {}
    for number, bad in counts:
        if not last:
            break
        taken[number] = min(bad, last)
        last -= taken[number]
    return taken


def spread(room: Mapping[int, int], more: int) -> dict[int, int]:
    """`more` bad requests spread evenly over the good ones of each tick."""
    whole, seen, placed = sum(room.values()), 0, 0
    added = {}
    for number, good in room.items():
        seen += good
        due = more * seen // whole
        added[number], placed = due - placed, due
    return added


def more_bad(each: JudgedTick, names: Sequence[str], more: int) -> JudgedTick:
    """`more` of the candidate's requests bad under all of `names`, or fewer where it is below zero."""
    tick = each.tick
    paired = None if tick.paired is None else _more_bad(tick.paired, names, more)
    return replace(each, tick=replace(tick, candidate=_more_bad(tick.candidate, names, more), paired=paired))


def _more_bad(counts: Mapping[str, Counts], names: Sequence[str], more: int) -> Mapping[str, Counts]:
    changed = {
        name: Counts(c.total, min(c.total, max(0, c.bad + more)))
        for name, c in counts.items()
        if name in names
    }
    return {**counts, **changed}


def emptied(each: JudgedTick) -> JudgedTick:
    """The tick without its requests."""
    beside: Mapping[str, Counts] | None = None if each.tick.stable is None else {}
    return replace(each, tick=replace(each.tick, candidate={}, stable=beside, paired=None, requests=0))


def good_ticks(
    soak: Sequence[Tick], last: JudgedTick, policy: JudgePolicy, number: int
) -> Iterator[JudgedTick]:
    """`number` ticks after `last` in which both releases serve as much as in `soak`, and all of it well."""
    seconds = sum(tick.seconds for tick in soak)
    share = policy.tick_s / seconds if seconds else 0.0
    mine, theirs = _totals(tick.candidate for tick in soak), _totals(tick.stable or {} for tick in soak)
    requests = sum(tick.requests for tick in soak)
    signals = {rule.signal: Signal(False) for rule in policy.rules if rule.signal is not None}
    for n in range(1, number + 1):
        yield replace(
            last,
            tick=Tick(
                last.tick.at + n * policy.tick_s,
                policy.tick_s,
                _between(mine, n, share),
                _between(theirs, n, share) if theirs else None,
                signals=signals,
                requests=_gained(requests, n, share),
            ),
        )


def _totals(counts: Iterator[Mapping[str, Counts]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for each in counts:
        for name, c in each.items():
            totals[name] = totals.get(name, 0) + c.total
    return totals


def _between(totals: Mapping[str, int], n: int, share: float) -> dict[str, Counts]:
    return {name: Counts(_gained(total, n, share), 0) for name, total in totals.items()}


def _gained(total: int, n: int, share: float) -> int:
    return int(total * share * n) - int(total * share * (n - 1))


def counting_alike(policy: JudgePolicy, name: str) -> list[str]:
    """`name`, then every other objective or rule that finds the same requests bad."""
    mine = series_of(policy, name)
    return [name, *(s.name for s in policy.series if s.name != name and _what(s) == _what(mine))]


def series_of(policy: JudgePolicy, name: str) -> Series:
    return next(series for series in policy.series if series.name == name)


def _what(series: Series) -> tuple[object, ...]:
    if series.kind == "errors":
        return ("errors",)
    return (series.kind, series.threshold_s if series.kind == "latency" else series.source)


def with_rule(policy: JudgePolicy, index: int, rule: Rule) -> JudgePolicy:
    return replace(policy, rules=(*policy.rules[:index], rule, *policy.rules[index + 1 :]))


def with_objective(policy: JudgePolicy, index: int, objective: Objective) -> JudgePolicy:
    others = policy.objectives
    return replace(policy, objectives=(*others[:index], objective, *others[index + 1 :]))


def ladder(around: float, *, up: bool) -> list[float]:
    """Round figures above or below a limit, the nearest first, up to a thousand times away."""
    power = [10.0**n for n in range(-8, 5)]
    round_ = sorted(float(f"{step * p:.3g}") for p in power for step in _STEPS)
    if up:
        return [each for each in round_ if around * 1.01 < each <= around * 1000]
    return [each for each in reversed(round_) if around / 1000 <= each < around * 0.99]
