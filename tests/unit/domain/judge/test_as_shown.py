"""Verdicts as they are shown, in `as_shown.txt`: outcome, evidence in figures, and a line for each reason.

`python -m tests.unit.domain.judge.test_as_shown` writes the file again, after a change of wording: read the diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.domain.judge.evidence.ticks import Signal, Tick
from bot.domain.judge.judge import JudgePolicy, Objective, Reason, Verdict, begin_soak, parse_rule, verdict
from bot.domain.judge.statistics.confidence import Bounds, bounds_sentence, power_sentence
from tests.support.kept import keep, kept
from tests.support.rules.judging import COMPARED, ERRORS, FIVE, SLOW, independent, judged, tick
from tests.support.rules.latencies import Stream

FILE = Path(__file__).parent / "as_shown.txt"
WATCHED = replace(ERRORS, enforce=False)
LOGINS = Objective("logins", "proportion", 0.02, series="failed logins", min_requests=10)
WORKERS = Objective("workers", "proportion", 0.02)
RATE = parse_rule("error_rate > 5% over 1m")
LASTING = parse_rule("p99 > 2s for 20s")
HEALTH = parse_rule("health check failing for 10s")
ALERT = parse_rule("any P1 alert firing")


class Case(NamedTuple):
    policy: JudgePolicy
    ticks: Iterable[Tick]
    soak_s: float | None = 60.0
    before: Iterable[Tick] = ()  # of the soak


def _even(count: int, *candidate: tuple[int, int], stable: tuple[int, int] | None = None) -> list[Tick]:
    return [tick(n, *candidate, stable=stable) for n in range(1, count + 1)]


def _signals(count: int, **signals: Signal) -> list[Tick]:
    return [tick(n, (10, 0), signals=signals) for n in range(1, count + 1)]


def _blind(first: int, count: int, *errors: str) -> list[Tick]:
    return [tick(n, errors=errors) for n in range(first, first + count)]


def _of_a_rule(name: str, count: int, total: int, bad: int) -> list[Tick]:
    return [tick(n, (total, bad), names=(name,)) for n in range(1, count + 1)]


def _beside(name: str, candidate: tuple[int, int], stable: tuple[int, int]) -> list[Tick]:
    return [tick(1, candidate, stable=stable, names=(name,))]


def _buckets(ticks: list[Tick], bound: float) -> list[Tick]:
    return [replace(one, buckets={"p99": bound}) for one in ticks]


def _slow(count: int, times: float, **shape: Any) -> list[Tick]:
    """Ticks of a candidate that is `times` as slow as stable."""
    pairs = zip(_even(count, (25, 0)), Stream(times=times, **shape).ticks("shown", count), strict=True)
    return [replace(one, latency=drawn.latency) for one, drawn in pairs]


def _unread(ticks: list[Tick], seconds: float) -> list[Tick]:
    return [replace(one, unread_s=seconds) for one in ticks]


CASES: Mapping[str, Case] = {
    "nothing measured": Case(independent((ERRORS, SLOW, LOGINS, WORKERS)), []),
    "nothing to judge": Case(independent(), []),
    "nothing to judge, with traffic": Case(independent(), _even(12, (5, 0))),
    "nothing to judge, with just enough traffic": Case(independent(min_requests=60), _even(12, (5, 0))),
    "good": Case(independent((ERRORS,)), _even(12, (100, 0))),
    "good, and not long enough": Case(independent((ERRORS,)), _even(11, (100, 0))),
    "good, and too few requests": Case(independent((ERRORS,), min_requests=1300), _even(12, (100, 0))),
    "good, and just enough requests": Case(independent((ERRORS,), min_requests=1200), _even(12, (100, 0))),
    "good, outside a soak": Case(independent((ERRORS,)), _even(12, (100, 0)), None),
    "at the limit": Case(independent((ERRORS,)), _even(12, (100, 1))),
    "above the limit, within chance": Case(independent((ERRORS,)), _even(12, (50, 1))),
    "in doubt": Case(independent((ERRORS,)), [*_even(1, (100, 6)), *_even(10, (1, 0))]),
    "in doubt by what came before": Case(
        independent((ERRORS,), min_requests=5), [tick(2, (5, 0))], 5.0, before=[tick(1, (30, 3))]
    ),
    "still in doubt by what came before": Case(
        independent((ERRORS,), min_requests=4), [tick(2, (4, 0))], 5.0, before=[tick(1, (30, 3))]
    ),
    "bad before the soak": Case(independent((ERRORS,)), [tick(2, (500, 0))], before=[tick(1, (100, 20))]),
    "worse in the soak than before": Case(
        independent((ERRORS,)), [tick(2, (100, 20))], before=[tick(1, (500, 0))]
    ),
    "as bad before the soak": Case(independent((ERRORS,)), [tick(2, (100, 20))], before=[tick(1, (100, 20))]),
    "bad again with two requests": Case(
        independent((ERRORS,)), [tick(2, (2, 2))], before=[tick(1, (100, 20))]
    ),
    "bad again with three requests": Case(
        independent((ERRORS,)), [tick(2, (3, 3))], before=[tick(1, (100, 20))]
    ),
    "bad": Case(independent((ERRORS,)), _even(3, (100, 20))),
    "bad, outside a soak": Case(independent((ERRORS,)), _even(3, (100, 20)), None),
    "two bad requests": Case(independent((ERRORS,)), _even(1, (2, 2))),
    "three bad requests": Case(independent((ERRORS,)), _even(1, (3, 3))),
    "a little bad for long": Case(independent((ERRORS,)), _even(200, (100, 2))),
    "bad by far": Case(independent((ERRORS,)), _even(9, (1000, 900))),
    "bad in clusters": Case(independent((ERRORS,), phi=3.0), _even(3, (100, 20))),
    "bad, and only watched": Case(independent((WATCHED,)), _even(12, (100, 20))),
    "bad, and watched beside one that is good": Case(
        independent((SLOW, WATCHED)),
        [tick(n, (100, 0), (100, 20), names=("p99", "errors")) for n in range(1, 13)],
    ),
    "slow": Case(independent((ERRORS, SLOW)), _even(3, (100, 0), (100, 30))),
    "slow at a bucket above the limit": Case(
        independent((SLOW,)), _buckets([tick(n, (100, 30), names=("p99",)) for n in range(1, 4)], 2.5)
    ),
    "not yet slow at a bucket above the limit": Case(
        independent((SLOW,)), _buckets([tick(1, (0, 0), names=("p99",))], 2.5)
    ),
    "not slow at its own bucket": Case(
        independent((SLOW,)), _buckets([tick(n, (100, 0), names=("p99",)) for n in range(1, 13)], 2.0)
    ),
    "proportions of the team": Case(
        independent((LOGINS, WORKERS)),
        [tick(n, (1, 0), (100, 9), names=("logins", "workers")) for n in range(1, 13)],
    ),
    "compared, and no pair yet": Case(independent((COMPARED,)), _even(12, (100, 0))),
    "compared, and no worse": Case(
        independent((COMPARED,)),
        _even(12, (100, 1), stable=(900, 9)),
    ),
    "compared, and in doubt": Case(
        independent((COMPARED,)),
        _even(3, (1000, 8), stable=(1000, 2)),
    ),
    "compared, and worse": Case(
        independent((replace(COMPARED, ratio=1.5),)),
        _even(20, (1000, 8), stable=(1000, 1)),
    ),
    "compared, and worse than a stable without any": Case(
        independent((COMPARED,)),
        _even(20, (1000, 8), stable=(1000, 0)),
    ),
    "compared, worse and only watched": Case(
        independent((replace(COMPARED, enforce=False),)),
        _even(20, (1000, 8), stable=(1000, 0)),
    ),
    "common trouble": Case(independent((ERRORS,)), _even(12, (100, 20), stable=(900, 180))),
    "common trouble that is ignored": Case(
        independent((ERRORS,), on_common_trouble="ignore"), _even(12, (100, 20), stable=(900, 180))
    ),
    "common trouble, only watched": Case(independent((WATCHED,)), _even(12, (100, 20), stable=(900, 180))),
    "stable above the limit by two requests": Case(
        independent((ERRORS,)), _even(1, (100, 20), stable=(60, 2))
    ),
    "stable above the limit by one request": Case(
        independent((ERRORS,)), _even(1, (100, 20), stable=(60, 1))
    ),
    "stable just above the limit": Case(independent((ERRORS,)), _even(1, (20_000, 400), stable=(199, 2))),
    "stable at the limit": Case(independent((ERRORS,)), _even(1, (20_000, 400), stable=(200, 2))),
    "a second in which both fail": Case(
        independent((ERRORS,)), [*_even(35, (25, 0), stable=(100, 0)), tick(36, (25, 10), stable=(100, 34))]
    ),
    "a second in which both fail, and the candidate goes on": Case(
        independent((ERRORS,)),
        [
            *_even(35, (25, 0), stable=(100, 0)),
            tick(36, (25, 10), stable=(100, 34)),
            *(tick(n, (25, 2), stable=(100, 0)) for n in range(37, 40)),
        ],
    ),
    "stable above the limit, perhaps by chance": Case(
        independent((ERRORS,)), [*_even(2, (100, 0), stable=(60, 1)), tick(3, (100, 20), stable=(60, 1))]
    ),
    "stable above the limit, hardly by chance": Case(
        independent((ERRORS,)), [*_even(2, (100, 0), stable=(60, 2)), tick(3, (100, 20), stable=(60, 2))]
    ),
    "stable above the limit in clusters, perhaps by chance": Case(
        independent((ERRORS,), phi=4.0),
        [*_even(2, (100, 0), stable=(60, 2)), tick(3, (100, 30), stable=(60, 2))],
    ),
    "stable cannot be read": Case(independent((ERRORS,)), _unread(_even(3, (100, 20)), 15.0)),
    "stable cannot be read for too long": Case(independent((ERRORS,)), _unread(_even(3, (100, 20)), 60.0)),
    "the trouble is over": Case(
        independent((ERRORS,)),
        [
            *_even(12, (100, 20), stable=(900, 180)),
            *(tick(n, (100, 0), stable=(900, 0)) for n in range(13, 60)),
        ],
    ),
    "one bad measurement": Case(JudgePolicy((ERRORS,)), _even(1, (100, 20))),
    "two bad measurements": Case(JudgePolicy((ERRORS,)), _even(2, (100, 20))),
    "three bad measurements": Case(JudgePolicy((ERRORS,)), _even(3, (100, 20))),
    "bad in longer blocks, and the open one does not suffice yet": Case(
        JudgePolicy((ERRORS,), burst_s=20.0), _even(6, (100, 20))
    ),
    "bad in longer blocks, and the open one suffices already": Case(
        JudgePolicy((ERRORS,), burst_s=20.0), _even(11, (100, 20))
    ),
    "bad in longer blocks": Case(JudgePolicy((ERRORS,), burst_s=20.0), _even(12, (100, 20))),
    "common trouble in a block that is not complete": Case(
        JudgePolicy((ERRORS,), burst_s=60.0), _even(3, (100, 20), stable=(900, 180))
    ),
    "common trouble that is over before its block is": Case(
        JudgePolicy((ERRORS,), burst_s=600.0),
        [
            *_even(3, (100, 20), stable=(900, 180)),
            *(tick(n, (100, 0), stable=(900, 0)) for n in range(4, 80)),
        ],
    ),
    "worse than stable, measurement by measurement": Case(
        JudgePolicy((COMPARED,)), _even(20, (1000, 8), stable=(1000, 1))
    ),
    "slower than stable": Case(independent((ERRORS,)), _slow(40, 3.0)),
    "slower than stable beyond the last bound": Case(
        independent((ERRORS,)), _slow(40, 100.0, bounds=(0.025, 0.05, 0.1))
    ),
    "slower than stable, by far and for long": Case(independent((ERRORS,)), _slow(200, 8.0)),
    "a little slower than stable": Case(independent((ERRORS,)), _slow(40, 1.2)),
    "crashed": Case(independent((ERRORS,)), [tick(1, (100, 0), crashed="new: instance a was replaced by b")]),
    "cannot be read": Case(independent((ERRORS,)), _blind(1, 3, "router: connection refused")),
    "cannot be read for as long as may be": Case(
        independent((ERRORS,)), _blind(1, 12, "down", "away", "gone")
    ),
    "cannot be read, and almost for too long": Case(independent((ERRORS,)), _blind(1, 11, "down", "away")),
    "read again": Case(
        independent((ERRORS,)), [*_blind(1, 20, "down"), *_blind(21, 1), *_blind(22, 2, "down")]
    ),
    "rules without requests": Case(independent(rules=(RATE, LASTING, HEALTH, ALERT)), [tick(1)]),
    "a rule below its floor": Case(independent(rules=(RATE,)), _of_a_rule(RATE.name, 1, 19, 19)),
    "a rule at its floor": Case(independent(rules=(RATE,)), _of_a_rule(RATE.name, 1, 20, 2)),
    "a rule at its limit": Case(independent(rules=(RATE,)), _of_a_rule(RATE.name, 12, 100, 5)),
    "a rule that is broken": Case(independent(rules=(RATE,)), _of_a_rule(RATE.name, 2, 100, 6)),
    "a rule that is broken and only watched": Case(
        independent(rules=(replace(RATE, enforce=False),)), _of_a_rule(RATE.name, 12, 100, 6)
    ),
    "a rule that is not broken for long enough": Case(
        independent(rules=(LASTING,)), _of_a_rule(LASTING.name, 4, 100, 2)
    ),
    "a rule that is broken for long enough": Case(
        independent(rules=(LASTING,)), _of_a_rule(LASTING.name, 5, 100, 2)
    ),
    "a rule that stable breaks too": Case(
        independent(rules=(RATE,)), _beside(RATE.name, (100, 30), (400, 120))
    ),
    "a rule that stable breaks too, and that is ignored": Case(
        independent(rules=(RATE,), on_common_trouble="ignore"), _beside(RATE.name, (100, 30), (400, 120))
    ),
    "a rule that stable breaks too, but far less": Case(
        independent(rules=(RATE,)), _beside(RATE.name, (100, 90), (400, 120))
    ),
    "a rule that stable keeps": Case(independent(rules=(RATE,)), _beside(RATE.name, (100, 30), (400, 20))),
    "a rule that too few requests of stable break": Case(
        independent(rules=(RATE,)), _beside(RATE.name, (100, 30), (9, 9))
    ),
    "a rule that stable breaks too, and only watched": Case(
        independent(rules=(replace(RATE, enforce=False),)), _beside(RATE.name, (100, 30), (400, 120))
    ),
    "signals that are fine": Case(
        independent(rules=(HEALTH, ALERT)),
        _signals(12, **{"health": Signal(False), "alert:P1": Signal(False)}),
    ),
    "a signal that is bad": Case(
        independent(rules=(HEALTH,)), _signals(2, health=Signal(True, "GET /healthz: 503"))
    ),
    "a signal that is bad for long enough": Case(
        independent(rules=(HEALTH,)), _signals(3, health=Signal(True, "GET /healthz: 503"))
    ),
    "a signal that is bad at once": Case(
        independent(rules=(ALERT,)), _signals(1, **{"alert:P1": Signal(True)})
    ),
    "a signal that cannot be read": Case(
        independent(rules=(HEALTH, ALERT)), _signals(2, health=Signal(None, "no answer"))
    ),
    "a signal that cannot be read and is only watched": Case(
        independent(rules=(replace(HEALTH, enforce=False),)), _signals(2)
    ),
}


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _line(reason: Reason) -> str:
    figures = (
        f"{_figure(reason.value)} of {_figure(reason.limit)} in {reason.samples} over {reason.window_s:g} s"
    )
    watched = "" if reason.enforced else ", a warning" if reason.warning else ", watched"
    return f"{reason.outcome} {reason.objective} ({figures}{watched}): {reason.sentence}"


def _shown(case: Case) -> str:
    state = begin_soak(judged(case.policy, case.before), FIVE) if case.before else None
    found = verdict(judged(case.policy, case.ticks, state), case.policy, soak_required_s=case.soak_s)
    assert Verdict.from_json(found.to_json()) == found
    e = found.evidence
    first = (
        f"{found.outcome}{', hold' if found.hold else ''}: M {_figure(e.m)} of {e.needed:g} by {e.objective}"
    )
    seen = f"at most {_figure(e.peak)}; {e.requests} requests in {e.measured_s:g} s, {e.ticks} ticks"
    return "\n".join([f"{first}, {seen}", *map(_line, found.reasons)])


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_is_shown_as_it_is_kept(case: str) -> None:
    assert _shown(CASES[case]) == kept(FILE)[case]


def test_the_file_has_these_verdicts_and_no_others() -> None:
    assert list(kept(FILE)) == list(CASES)


@pytest.mark.parametrize(
    ("candidate", "stable", "said"),
    [
        (Bounds(0.0, 1.0), None, "candidate unknown"),
        (Bounds(0.0, 0.02), None, "candidate at most 2%"),
        (Bounds(0.031, 1.0), Bounds(0.0, 0.009), "candidate at least 3.1%, stable at most 0.9%"),
        (Bounds(0.01, 0.02), Bounds(0.0, 1.0), "candidate at least 1% and at most 2%, stable unknown"),
    ],
)
def test_bounds_are_said_in_words(candidate: Bounds, stable: Bounds | None, said: str) -> None:
    assert bounds_sentence(candidate, stable) == said


@pytest.mark.parametrize(
    ("total", "min_bad", "phi", "said"),
    [
        (2, 3, 1.0, "2 requests are too few to detect any rate above 1%"),
        (1000, 3, 1.0, "95% power to detect a 3.5% rate after 1,000 requests"),
        (1000, 90, 1.0, "95% power to detect a 11% rate after 1,000 requests"),
        (1000, 3, 4.0, "95% power to detect a 6.8% rate after 1,000 requests"),
        (1000, 3, None, "95% power to detect a 3.8% rate after 1,000 requests"),
        (2, 3, None, "2 requests are too few to detect any rate above 1%"),
    ],
)
def test_power_is_said_in_words(total: int, min_bad: int, phi: float | None, said: str) -> None:
    assert power_sentence(total, 0.01, 100.0, blocks=40, min_bad=min_bad, phi=phi) == said


if __name__ == "__main__":
    keep(FILE, {name: _shown(case) for name, case in CASES.items()})
