"""Readings and the ticks they become, in `as_counted.txt`: counts, what is compared, errors and notes.

`python -m tests.unit.domain.judge.test_as_counted` writes the file again: read the diff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.domain.judge.evidence.counters import BucketError, CounterReading, Counts, Sample, Signal
from bot.domain.judge.evidence.look import REMEMBERED_INSTANCES, Side
from bot.domain.judge.evidence.ticks import EvidenceState, Tick, begin_evidence, difference, traffic_rose
from bot.domain.judge.judge import JudgePolicy, Objective
from tests.support.kept import keep, kept
from tests.support.rules.judging import ERRORS, SLOW

FILE = Path(__file__).parent / "as_counted.txt"
LOGINS = Objective("logins", "proportion", 0.1, series="failed logins")
AT_ONCE = JudgePolicy((ERRORS,), settle_s=0.0)
ALL = JudgePolicy((ERRORS, SLOW, LOGINS), settle_s=0.0)
SETTLING = JudgePolicy((ERRORS, SLOW))


class Seen(NamedTuple):
    """One look: what was read of the candidate, and of stable."""

    at: float
    candidate: Sample
    stable: Sample | None = None
    rose: bool = False  # the candidate's traffic, just before


def _read(
    *readings: CounterReading,
    release: str = "new",
    error: str | None = None,
    unread: tuple[tuple[str, str], ...] = (),
) -> Sample:
    return Sample(0.0, release, readings, error, unread)


def _a(total: int, bad: int, **more: object) -> CounterReading:
    return CounterReading("a", total, bad, **more)  # type: ignore[arg-type]


def _slow(fast: int, slow: int, *, overdue: int = 0, bound: float = 2.0) -> CounterReading:
    return _a(fast + slow, 0, buckets=((0.5, fast), (bound, fast), (inf, fast + slow)), overdue=overdue)


def _old(total: int, bad: int) -> Sample:
    return _read(CounterReading("s", total, bad), release="old")


DOWN = _read(error="router: connection refused")

CASES: Mapping[str, tuple[JudgePolicy, Sequence[Seen]]] = {
    "first and second look": (AT_ONCE, [Seen(0, _read(_a(1000, 900))), Seen(5, _read(_a(1010, 901)))]),
    "nothing happened": (AT_ONCE, [Seen(0, _read(_a(9, 1))), Seen(5, _read(_a(9, 1)))]),
    "a probe, which counts since the last look": (
        AT_ONCE, [Seen(0, _read(_a(3, 1, delta=True))), Seen(5, _read(_a(4, 0, delta=True)))]
    ),
    "a probe that cannot be": (AT_ONCE, [Seen(0, _read(_a(0, 0, delta=True))), Seen(5, _read(_a(1, 2, delta=True)))]),
    "a second instance": (
        AT_ONCE, [Seen(0, _read(_a(10, 0))), Seen(5, _read(_a(12, 0), CounterReading("b", 4, 2)))]
    ),
    "an instance that was replaced": (
        AT_ONCE, [Seen(0, _read(_a(10, 0))), Seen(5, _read(CounterReading("b", 4, 2)))]
    ),
    "an instance that was replaced, where that is ignored": (
        replace(AT_ONCE, on_restart="ignore"), [Seen(0, _read(_a(10, 0))), Seen(5, _read(CounterReading("b", 4, 2)))]
    ),
    "stable's instance was replaced": (AT_ONCE, [
        Seen(0, _read(_a(10, 0)), _old(5, 0)),
        Seen(5, _read(_a(12, 0)), _read(CounterReading("t", 4, 2), release="old")),
    ]),
    "an instance that is away for a look": (AT_ONCE, [
        Seen(0, _read(_a(10, 0), CounterReading("b", 1, 0))), Seen(5, _read(_a(12, 0))),
        Seen(10, _read(_a(13, 0), CounterReading("b", 6, 1))),
    ]),
    "a source that is away, and its instances with it": (AT_ONCE, [
        Seen(0, _read(CounterReading("probe/a", 10, 0), CounterReading("router/a", 5, 0))),
        Seen(5, _read(CounterReading("router/b", 6, 0), unread=(("probe", "probe: no answer"),))),
        Seen(10, _read(CounterReading("probe/b", 6, 0), unread=(("router", "router: no answer"),))),
    ]),
    "counters that were reset": (AT_ONCE, [Seen(0, _read(_a(100, 5))), Seen(5, _read(_a(30, 5)))]),
    "failures that fell, although the total did not": (
        AT_ONCE, [Seen(0, _read(_a(100, 5))), Seen(5, _read(_a(130, 4)))]
    ),
    "more failures than requests, once": (AT_ONCE, [
        Seen(0, _read(_a(100, 3))), Seen(5, _read(_a(101, 9))), Seen(10, _read(_a(110, 9)))
    ]),
    "more failures than requests, twice": (AT_ONCE, [
        Seen(0, _read(_a(100, 3))), Seen(5, _read(_a(101, 9))), Seen(10, _read(_a(103, 12)))
    ]),
    "impossible counters": (AT_ONCE, [Seen(0, _read(_a(5, 0))), Seen(5, _read(_a(5, 6))), Seen(10, _read(_a(9, -1)))]),
    "impossible proportions": (ALL, [
        Seen(0, _read(_a(0, 0, extra=(("failed logins", (5, 1)),)))),
        Seen(5, _read(_a(0, 0, extra=(("failed logins", (6, 7)),)))),
        Seen(10, _read(_a(0, 0, extra=(("failed logins", (9, 2)), ("carts", (7, 7)))))),
    ]),
    "latencies": (ALL, [Seen(0, _read(_slow(5, 0))), Seen(5, _read(_slow(95, 10)))]),
    "latencies at a bucket above the limit": (
        ALL, [Seen(0, _read(_slow(5, 0, bound=2.5))), Seen(5, _read(_slow(95, 10, bound=2.5)))]
    ),
    "latencies at a bucket just below the limit": (ALL, [
        Seen(0, _read(_slow(5, 0, bound=2 - 1e-12))), Seen(5, _read(_slow(95, 10, bound=2 - 1e-12)))
    ]),
    "two instances with two buckets": (ALL, [
        Seen(0, _read(_slow(0, 0), CounterReading("b", 0, 0, ((4.0, 0), (inf, 0))))),
        Seen(5, _read(_slow(3, 1), CounterReading("b", 5, 0, ((4.0, 3), (inf, 5))))),
    ]),
    "a histogram without infinity": (ALL, [
        Seen(0, _read(_a(0, 0, buckets=((2.0, 0),)))), Seen(5, _read(_a(10, 0, buckets=((2.0, 7),)))),
        Seen(10, _read(_a(10, 0, buckets=((2.0, 12),)))),
    ]),
    "a histogram that falls": (ALL, [
        Seen(0, _read(_slow(0, 0))), Seen(5, _read(_a(4, 0, buckets=((1.0, 3), (5.0, 2), (inf, 4))))),
        Seen(10, _read(_a(4, 0, buckets=((1.0, -1), (5.0, 2), (inf, 4))))),
    ]),
    "no histogram": (ALL, [Seen(0, _read(_a(0, 0))), Seen(5, _read(_a(4, 0)))]),
    "fast requests that fell": (ALL, [Seen(0, _read(_slow(50, 5))), Seen(5, _read(_slow(45, 30)))]),
    "slow requests that fell": (ALL, [Seen(0, _read(_slow(50, 5))), Seen(5, _read(_slow(54, 2)))]),
    "requests that hang": (ALL, [
        Seen(0, _read(_slow(5, 0))), Seen(5, _read(_slow(6, 0, overdue=3))), Seen(10, _read(_slow(8, 2, overdue=1))),
        Seen(15, _read(_slow(9, 2, overdue=0))),
    ]),
    "cannot be read": (AT_ONCE, [Seen(0, _read(_a(10, 0))), Seen(5, DOWN), Seen(10, _read(_a(30, 2)))]),
    "cannot be read at first": (AT_ONCE, [Seen(0, DOWN), Seen(5, _read(_a(900, 90))), Seen(10, _read(_a(901, 90)))]),
    "another release": (AT_ONCE, [Seen(0, _read(_a(9, 0))), Seen(5, _read(_a(20, 9), release="newer"))]),
    "settles after a rise": (SETTLING, [
        Seen(0, _read(_slow(0, 0))), Seen(5, _read(_slow(9, 1)), rose=True), Seen(6.9, _read(_slow(20, 2))),
        Seen(7, _read(_slow(40, 4))), Seen(9, _read(_slow(60, 6, overdue=2))),
    ]),
    "settles with requests that hang": (SETTLING, [
        Seen(0, _read(_slow(1, 0))), Seen(1, _read(_slow(9, 1, overdue=1))),
        Seen(2, _read(_slow(9, 1, overdue=4)), rose=True),
        Seen(3, _read(_slow(20, 2, overdue=6))), Seen(5, _read(_slow(20, 4, overdue=6))),
    ]),
    "settles at its first request": (SETTLING, [
        Seen(0, _read(_slow(0, 0)), rose=True), Seen(1, _read(_slow(0, 0))), Seen(2, _read(_slow(4, 0))),
        Seen(3, _read(_slow(8, 0))), Seen(4, _read(_slow(12, 0))), Seen(6, _read(_slow(16, 0))),
    ]),
    "a long gap": (AT_ONCE, [Seen(0, _read(_a(0, 0))), Seen(15, _read(_a(1, 0))), Seen(31, _read(_a(2, 0)))]),
    "a clock that went back": (AT_ONCE, [Seen(9, _read(_a(0, 0))), Seen(5, _read(_a(1, 0)))]),
    "compared": (AT_ONCE, [
        Seen(n * 5.0, _read(_a(10 * n, n)), _old(90 * n, 2 * n)) for n in range(4)
    ]),
    "compared, while stable cannot be read": (AT_ONCE, [
        Seen(0, _read(_a(0, 0)), _old(0, 0)), Seen(5, _read(_a(10, 1)), _old(90, 2)),
        Seen(10, _read(_a(20, 2)), _read(release="old", error="down")),
        Seen(15, _read(_a(30, 3)), _read(release="old", error="down")),
        Seen(20, _read(_a(40, 4)), _old(300, 7)), Seen(25, _read(_a(50, 5)), _old(360, 9)),
    ]),
    "compared, while the candidate cannot be read": (AT_ONCE, [
        Seen(0, _read(_a(0, 0)), _old(0, 0)), Seen(5, _read(_a(10, 1)), _old(90, 2)), Seen(10, DOWN, _old(180, 4)),
        Seen(15, _read(_a(40, 4)), _old(300, 7)),
    ]),
    "compared, while neither can be read": (AT_ONCE, [
        Seen(0, _read(_a(0, 0)), _old(0, 0)), Seen(5, DOWN, _read(release="old", error="down")),
        Seen(10, DOWN, _old(9, 1)), Seen(15, _read(_a(7, 1)), _old(12, 1)),
    ]),
    "compared, while first stable cannot be read, and then the candidate": (AT_ONCE, [
        Seen(0, _read(_a(0, 0)), _old(0, 0)), Seen(5, _read(_a(10, 1)), _read(release="old", error="down")),
        Seen(10, DOWN, _old(90, 4)), Seen(15, _read(_a(40, 4)), _old(300, 7)),
    ]),
    "compared after a rise": (AT_ONCE, [
        Seen(0, _read(_a(0, 0)), _old(0, 0)), Seen(5, _read(_a(10, 1)), _old(90, 2)),
        Seen(10, _read(_a(20, 2)), _old(180, 4), rose=True), Seen(15, _read(_a(30, 3)), _old(270, 6)),
    ]),
    "stable is read later than the candidate": (AT_ONCE, [
        Seen(0, _read(_a(0, 0))), Seen(5, _read(_a(10, 1)), _old(90, 2)), Seen(10, _read(_a(20, 2)), _old(180, 4)),
        Seen(15, _read(_a(30, 3)), _old(270, 6)),
    ]),
}  # fmt: skip


def _counts(counts: Mapping[str, Counts] | None) -> str:
    if counts is None:
        return "-"
    return ", ".join(f"{name} {each.bad} of {each.total}" for name, each in counts.items()) or "none"


def _told(seen: Seen, tick: Tick) -> str:
    assert tick.at == seen.at
    both = f"; beside {_counts(tick.paired)} stable has {_counts(tick.stable)}" if seen.stable else ""
    unread = f", unread for {tick.unread_s:g} s" if tick.unread_s else ""
    found = {"error": tick.errors, "note": tick.notes, "crash": (tick.crashed,) if tick.crashed else ()}
    more = "".join(f"\n  {name}: {said}" for name, all_said in found.items() for said in all_said)
    bounds = f", read at {dict(tick.buckets)}" if tick.buckets else ""
    first = f"{seen.at:g} s: {_counts(tick.candidate)} in {tick.seconds:g} s, {tick.requests} requests"
    return f"{first}{bounds}{both}{unread}{more}"


def _counted(policy: JudgePolicy, looks: Sequence[Seen]) -> str:
    state, lines = begin_evidence(), []
    for seen in looks:
        state = traffic_rose(state, seen.at) if seen.rose else state
        stable = replace(seen.stable, at=seen.at) if seen.stable else None
        state, tick = difference(state, policy, seen.at, replace(seen.candidate, at=seen.at), stable)
        assert EvidenceState.from_json(state.to_json()) == state
        lines.append(_told(seen, tick))
    return "\n".join(lines)


@pytest.mark.parametrize("case", CASES)
def test_readings_are_counted_as_they_are_kept(case: str) -> None:
    assert _counted(*CASES[case]) == kept(FILE)[case]


def test_the_file_has_these_readings_and_no_others() -> None:
    assert list(kept(FILE)) == list(CASES)


@pytest.mark.parametrize(
    ("buckets", "said"),
    [
        (((0.5, 1), (1.0, 2), (inf, 2)), "which ends at 1 s; lower the limit or add a bucket"),
        (((inf, 2),), "which has no finite bucket; lower the limit or add a bucket"),
    ],
)
def test_a_limit_above_the_histogram_is_a_mistake_of_the_configuration(
    buckets: tuple[tuple[float, int], ...], said: str
) -> None:
    with pytest.raises(BucketError) as found:
        _counted(ALL, [Seen(0, _read(_a(2, 0, buckets=buckets)))])
    assert str(found.value) == f"p99: the limit of 2 s is above the latency histogram, {said}"


def test_what_signals_say_is_handed_on() -> None:
    heard = {"health": Signal(True, "503")}
    _, tick = difference(begin_evidence(), AT_ONCE, 0.0, _read(), None, signals=heard)
    assert tick.signals == heard
    assert difference(begin_evidence(), AT_ONCE, 0.0, _read(), None)[1].signals == {}


def test_instances_that_are_present_are_remembered_however_many_they_are() -> None:
    def seen(first: int, count: int) -> Sample:
        return _read(*(CounterReading(f"i{n}", 1, 0) for n in range(first, first + count)))

    state, _ = difference(begin_evidence(), AT_ONCE, 0.0, seen(0, REMEMBERED_INSTANCES), None)
    state, _ = difference(state, AT_ONCE, 5.0, seen(0, REMEMBERED_INSTANCES - 1), None)
    assert isinstance(state.candidate, Side) and len(state.candidate.seen) == REMEMBERED_INSTANCES
    state, _ = difference(state, AT_ONCE, 10.0, seen(0, REMEMBERED_INSTANCES + 9), None)
    assert state.candidate is not None
    assert [known.instance for known in state.candidate.seen] == [
        f"i{n}" for n in range(REMEMBERED_INSTANCES + 9)
    ]


if __name__ == "__main__":
    keep(FILE, {name: _counted(*case) for name, case in CASES.items()})
