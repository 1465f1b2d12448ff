"""Opened verdicts as they read, in `as_explained.txt`: what decided, figures, changes, and the odds over time.

`python -m tests.unit.domain.judge.test_as_explained` writes the file again, after a change of wording: read the diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.domain.judge.evidence.ticks import Counts, Signal, Tick
from bot.domain.judge.judge import JudgePolicy, Objective, parse_rule
from bot.domain.judge.why import Block, Line, Why
from tests.support.kept import keep, kept
from tests.support.rules.judging import COMPARED, ERRORS, FIVE, SLOW
from tests.support.rules.lived import Lived, unread

FILE = Path(__file__).parent / "as_explained.txt"
LOGINS = Objective("logins", "proportion", 0.02, series="failed logins", min_requests=10)
TWICE = replace(ERRORS, ratio=2.0)
RATE = parse_rule("error_rate > 10% over 30s")
LATER = parse_rule("error_rate > 10% over 30s for 10s")
P99 = parse_rule("p99 > 2s over 30s")
CACHE = parse_rule("cache_misses >= 30% over 30s")
HEALTH = parse_rule("health check failing for 10s")
ONE_BY_ONE = JudgePolicy((ERRORS,), phi=1.0, planned_ticks=60)
BLOCKS = JudgePolicy((ERRORS,), planned_ticks=60)


class ExplainedCase(NamedTuple):
    policy: JudgePolicy
    ticks: Iterable[Tick]
    soak_s: float | None = 60.0
    over: bool = False


def _look(number: int, stable: tuple[int, int] | None = None, **candidate: tuple[int, int]) -> Tick:
    """Look `number` (every 5 s) with `(total, bad)` of the candidate for each name; stable has it of the first."""
    mine = {name: Counts(*counts) for name, counts in candidate.items()}
    beside = None if stable is None else {name: Counts(*stable) for name in list(mine)[:1]}
    return Tick(number * FIVE, FIVE, mine, beside)


def _looks(bad: Iterable[int], total: int = 25, stable: tuple[int, int] | None = (100, 0)) -> list[Tick]:
    """Looks with so many failed requests each."""
    return [_look(n, stable, errors=(total, each)) for n, each in enumerate(bad, 1)]


def _named(ticks: Iterable[Tick], *names: str, well: Iterable[str] = ()) -> list[Tick]:
    """The same counts of both releases under other names, and none bad under those of `well`."""
    found = []
    for each in ticks:
        mine, theirs = each.candidate["errors"], (each.stable or {}).get("errors")
        good = dict.fromkeys(well, Counts(mine.total, 0))
        beside = None if theirs is None else {**dict.fromkeys(names, theirs), **dict.fromkeys(well, theirs)}
        found.append(replace(each, candidate={**dict.fromkeys(names, mine), **good}, stable=beside))
    return found


def _ill(ticks: Iterable[Tick]) -> list[Tick]:
    return [replace(each, signals={"health": Signal(True, "503")}) for each in ticks]


def _instances(ticks: Iterable[Tick]) -> list[Tick]:
    """All failures come from one instance of four."""
    found = []
    for each in ticks:
        total, bad = each.candidate["errors"].total // 4, each.candidate["errors"].bad
        found.append(
            replace(each, instances={f"i{n}": Counts(total, bad if n == 1 else 0) for n in range(4)})
        )
    return found


def _unread_beside(bad: list[int], then: int) -> list[Tick]:
    """Stable cannot be read beside so many failed requests each, and can be at two looks with `then`."""
    blind = [replace(each, unread_s=each.at) for each in _looks(bad, stable=None)]
    return [*blind, *_looks([*bad, then, then])[len(bad) :]]


def _in_a_settling_time(tick: Tick) -> Tick:
    return replace(tick, candidate={"errors": Counts()}, requests=0, settling=True)


CASES: Mapping[str, ExplainedCase] = {
    "never measured": ExplainedCase(BLOCKS, []),
    "failed from the start": ExplainedCase(BLOCKS, _looks([5] * 12)),
    "failed from the start, one by one": ExplainedCase(ONE_BY_ONE, _looks([5] * 12)),
    "failed by one burst": ExplainedCase(ONE_BY_ONE, _looks([0, 1, 0, 0, 1, 0, 8])),
    "failed by two bursts": ExplainedCase(BLOCKS, _looks([0, 0, 0, 0, 12, 12, 1, 12, 0, 12])),
    "failed without stable beside it": ExplainedCase(BLOCKS, _looks([5] * 12, stable=None)),
    "failed on blocks of several looks": ExplainedCase(replace(BLOCKS, burst_s=15.0), _looks([5] * 24)),
    "failed once stable could be read": ExplainedCase(BLOCKS, _unread_beside([4] * 5, then=8)),
    "failed once stable could be read, by far": ExplainedCase(BLOCKS, _unread_beside([9] * 8, then=9)),
    "failed after gaps": ExplainedCase(
        BLOCKS,
        [
            *_looks([0, 1]),
            unread(3),
            unread(4),
            _look(5, (100, 0), errors=(0, 0)),
            _in_a_settling_time(_look(6, (100, 0), errors=(0, 0))),
            *_looks([0] * 6 + [9] * 9)[6:],
        ],
    ),
    "above the limit, as is stable, and worse": ExplainedCase(
        JudgePolicy((TWICE,), planned_ticks=60), _looks([6] * 12, stable=(100, 5))
    ),
    "worse than stable": ExplainedCase(
        JudgePolicy((replace(TWICE, limit=0.5),), planned_ticks=60), _looks([7] * 12, stable=(100, 1))
    ),
    "worse than stable, which has none": ExplainedCase(
        JudgePolicy((replace(COMPARED, limit=0.5),), planned_ticks=60), _looks([6] * 12)
    ),
    "slow": ExplainedCase(JudgePolicy((SLOW,), planned_ticks=60), _named(_looks([5] * 12), "p99")),
    "a bad proportion": ExplainedCase(
        JudgePolicy((LOGINS,), planned_ticks=60), _named(_looks([9] * 12), "logins")
    ),
    "two objectives at the same time": ExplainedCase(
        JudgePolicy((ERRORS, SLOW), planned_ticks=60),
        [_look(n, (100, 0), errors=(25, 9), p99=(25, 9)) for n in range(1, 13)],
    ),
    "an objective and a rule on the same requests": ExplainedCase(
        replace(ONE_BY_ONE, rules=(RATE,)), _named(_looks([9] * 12), "errors", RATE.name)
    ),
    "a rule on the requests of an objective that does not fail": ExplainedCase(
        JudgePolicy((ERRORS,), (replace(RATE, limit=0.2),)), _named(_looks([9] * 12), "errors", RATE.name)
    ),
    "an objective and a rule on the same time": ExplainedCase(
        JudgePolicy((SLOW,), (P99,), phi=1.0), _named(_looks([9] * 12), "p99", P99.name)
    ),
    "an objective and a rule on different times": ExplainedCase(
        JudgePolicy((SLOW,), (replace(P99, limit=3.0),), phi=1.0), _named(_looks([9] * 12), "p99", P99.name)
    ),
    "an objective and a rule on the same proportion": ExplainedCase(
        JudgePolicy((replace(LOGINS, series="cache_misses"),), (CACHE,), phi=1.0),
        _named(_looks([9] * 12), "logins", CACHE.name),
    ),
    "an objective and a rule on different proportions": ExplainedCase(
        JudgePolicy((LOGINS,), (CACHE,), phi=1.0), _named(_looks([9] * 12), "logins", CACHE.name)
    ),
    "a rule on errors": ExplainedCase(JudgePolicy((), (RATE,)), _named(_looks([0, 0, 6, 6, 6]), RATE.name)),
    "a rule on errors for some time": ExplainedCase(
        JudgePolicy((), (LATER,)), _named(_looks([4] * 12, stable=None), LATER.name)
    ),
    "a rule on errors beside a good objective": ExplainedCase(
        JudgePolicy((ERRORS,), (RATE,)), _named(_looks([4] * 5), RATE.name, well=["errors"])
    ),
    "a rule on latency": ExplainedCase(JudgePolicy((), (P99,)), _named(_looks([1] * 5), P99.name)),
    "a rule on a proportion": ExplainedCase(JudgePolicy((), (CACHE,)), _named(_looks([8] * 5), CACHE.name)),
    "a signal": ExplainedCase(JudgePolicy((ERRORS,), (HEALTH,)), _ill(_looks([0] * 5))),
    "a restart": ExplainedCase(
        BLOCKS, [*_looks([0] * 3), replace(_looks([0] * 4)[3], crashed="a was replaced by b")]
    ),
    "a restart of one that fails": ExplainedCase(
        BLOCKS, [*_looks([5] * 2), replace(_looks([25] * 3)[2], crashed="a was replaced by b")]
    ),
    "good": ExplainedCase(BLOCKS, _looks([0] * 12)),
    "good, with some failures": ExplainedCase(BLOCKS, _looks([0, 1, 0, 0, 0, 1] * 2, total=40)),
    "good, one by one": ExplainedCase(ONE_BY_ONE, _looks([0] * 12, total=5)),
    "good, and any more failures would break a rule": ExplainedCase(
        JudgePolicy((replace(ERRORS, limit=0.2),), (replace(RATE, limit=0.01),)),
        _named(_looks([0] * 12), "errors", RATE.name),
    ),
    "good, and compared": ExplainedCase(
        JudgePolicy((TWICE,), planned_ticks=60), _looks([0, 1] * 6, total=100, stable=(300, 2))
    ),
    "good, and the second objective closer": ExplainedCase(
        JudgePolicy((ERRORS, SLOW), planned_ticks=60),
        [_look(n, (100, 0), errors=(100, 0), p99=(100, n % 2)) for n in range(1, 13)],
    ),
    "good by rules alone": ExplainedCase(JudgePolicy((), (RATE,)), _named(_looks([0] * 12), RATE.name)),
    "good, and only watched": ExplainedCase(JudgePolicy((replace(ERRORS, enforce=False),)), _looks([0] * 12)),
    "too few requests": ExplainedCase(BLOCKS, _looks([0] * 12, total=2)),
    "one request too few": ExplainedCase(replace(BLOCKS, min_requests=25), _looks([0] * 12, total=2)),
    "too few requests, afterwards": ExplainedCase(BLOCKS, _looks([0] * 12, total=2), over=True),
    "one request too few, afterwards": ExplainedCase(
        replace(BLOCKS, min_requests=25), _looks([0] * 12, total=2), over=True
    ),
    "no requests": ExplainedCase(BLOCKS, _looks([0] * 12, total=0)),
    "too little traffic for rules": ExplainedCase(
        JudgePolicy((), (RATE,)), _named(_looks([0] * 12, total=1), RATE.name)
    ),
    "too short": ExplainedCase(BLOCKS, _looks([0] * 9)),
    "too short, afterwards": ExplainedCase(BLOCKS, _looks([0] * 9), over=True),
    "above the limit, within chance": ExplainedCase(BLOCKS, _looks([0, 1] * 6)),
    "above the limit, within chance, afterwards": ExplainedCase(BLOCKS, _looks([0, 1] * 6), over=True),
    "above the limit of two, within chance": ExplainedCase(
        JudgePolicy((ERRORS, SLOW), planned_ticks=60),
        [_look(n, (100, 0), errors=(25, n % 2), p99=(25, (n + 1) % 2)) for n in range(1, 13)],
    ),
    "far too few requests to recover": ExplainedCase(
        replace(BLOCKS, min_requests=5000), _looks([0] * 12, total=1), 60.0
    ),
    "far too few requests to recover, afterwards": ExplainedCase(
        replace(BLOCKS, min_requests=5000), _looks([0] * 12, total=1), 60.0, over=True
    ),
    "stable has it too": ExplainedCase(
        BLOCKS, [*_looks([0] * 4), *_looks([0] * 4 + [9] * 8, stable=(100, 36))[4:]], 120.0
    ),
    "stable has it too, and it would not have failed": ExplainedCase(
        ONE_BY_ONE, [*_looks([0] * 4), _look(5, (100, 30), errors=(25, 2))], 120.0
    ),
    "as bad as stable": ExplainedCase(
        ONE_BY_ONE,
        [replace(t, stable={"errors": Counts(100, 30)}) if t.at == 60 else t for t in _looks([0] * 11 + [7])],
    ),
    "a rule that stable breaks too": ExplainedCase(
        JudgePolicy((SLOW,), (RATE,)), _named(_looks([9] * 12, stable=(100, 36)), RATE.name, well=["p99"])
    ),
    "a sick instance": ExplainedCase(
        JudgePolicy((replace(ERRORS, limit=0.05),), planned_ticks=60, on_common_trouble="ignore"),
        _instances(_looks([8] * 60, total=400)),
        300.0,
    ),
    "not read for some time": ExplainedCase(BLOCKS, [*_looks([0] * 9), *(unread(n) for n in range(10, 13))]),
    "not read for too long": ExplainedCase(BLOCKS, [*_looks([0] * 4), *(unread(n) for n in range(5, 30))]),
    "never read": ExplainedCase(replace(BLOCKS, error_limit_s=600.0), [unread(n) for n in range(1, 200)]),
    "a signal that is not read": ExplainedCase(
        JudgePolicy((ERRORS,), (HEALTH,)),
        [replace(t, signals={"health": Signal(None, "no answer")}) for t in _looks([0] * 30)],
        300.0,
    ),
    "outside of a soak": ExplainedCase(BLOCKS, _looks([0] * 12), None),
    "outside of a soak, too few requests": ExplainedCase(BLOCKS, _looks([0] * 2), None),
}


def _odds(odds: float | None) -> str:
    return "-" if odds is None else f"{odds:.4g}"


def _line(line: Line) -> str:
    points = " ".join(f"{at:g}={_odds(odds)}" for at, odds in line.points)
    gaps = "".join(f", not {since:g}-{until:g}" for since, until in line.left_out)
    return f"{line.label}, {line.needed:g} decides: {points}{gaps}"


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    """Equal ones together, without their odds, which the line has."""
    for seen, group in groupby(
        blocks, lambda b: b.left_out or f"{b.bad}/{b.total} {b.stable_bad}/{b.stable_total}"
    ):
        first, *others = group
        times = f"{1 + len(others)} × " if others else ""
        yield f"{first.since:g}-{[first, *others][-1].until:g} {times}{seen}"


def _written(why: Why) -> Iterator[str]:
    hold, at = ", hold" if why.hold else "", "-" if why.at is None else f"{why.at:g}"
    yield f"{why.outcome}{hold} at {at}: {why.sentence}"
    yield from (f"figure: {each}" for each in why.figures)
    yield from (f"change: {each}" for each in why.changes)
    yield from (f"note: {why.note}" for _ in range(bool(why.note)))
    if why.blocks:
        yield f"blocks: {'; '.join(_blocks(why.blocks))}"
    yield from map(_line, why.lines)


def _shown(case: ExplainedCase) -> str:
    return "\n".join(_written(Lived(case.policy, case.ticks, case.soak_s).why(over=case.over)))


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_opens_as_it_is_kept(case: str) -> None:
    assert _shown(CASES[case]) == kept(FILE)[case]


def test_the_file_has_these_opened_verdicts_and_no_others() -> None:
    assert list(kept(FILE)) == list(CASES)


if __name__ == "__main__":
    keep(FILE, {name: _shown(case) for name, case in CASES.items()})
