"""The judges of the comparison decide as their documentation says, in cases made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import Random

import pytest

from benchmarks.judge.contestants import (
    Seen,
    argo,
    flagger,
    kayenta,
    others,
    policy_of,
    read,
    seen,
    slipway,
    taken,
    threshold,
)
from benchmarks.judge.mann_whitney import score, shifted_up
from benchmarks.judge.traffic.library import MODELS
from benchmarks.judge.traffic.scenario import Case, Look, Scenario
from bot.domain.judge.evidence.ticks import Counts

GOOD, BAD, SILENT = Counts(25, 0), Counts(25, 2), Counts(0, 0)


def minutes(kinds: Sequence[Counts | None]) -> list[Seen]:
    """One kind of tick for each minute of twelve looks; None is a minute in which the candidate cannot be read."""
    return [
        Seen(60 * number + 5 * tick, kind, Counts(100, 0))
        for number, kind in enumerate(kinds)
        for tick in range(1, 13)
    ]


def by_pairs(candidate: Sequence[float], stable: Sequence[float]) -> float:
    """The score from its definition: pairs in which the candidate is above, ties for half."""
    n, m = len(candidate), len(stable)
    u = sum((c > s) + 0.5 * (c == s) for c in candidate for s in stable)
    values = [*candidate, *stable]
    ties = sum(values.count(v) ** 3 - values.count(v) for v in set(values))
    spread = (n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))) ** 0.5
    above = u - n * m / 2
    return (above - (0.5 if above > 0 else -0.5 if above < 0 else 0.0)) / spread


def test_mann_whitney_counts_pairs_and_corrects_for_ties() -> None:
    for seed in range(20):
        random = Random(seed)
        candidate = [float(random.randrange(6)) for _ in range(12)]
        stable = [float(random.randrange(5)) for _ in range(17)]
        assert score(candidate, stable, 0.0) == pytest.approx(by_pairs(candidate, stable))
        moved = [value - 1.5 for value in candidate]
        assert score(candidate, stable, 1.5) == pytest.approx(by_pairs(moved, stable))
    assert score([1.0], [1.0], 0.0) == 0.0


def test_a_shift_counts_when_its_interval_is_above_a_quarter_of_its_estimate() -> None:
    random = Random(1)
    stable = [random.gauss(0, 1) for _ in range(40)]
    candidate = [random.gauss(0, 1) for _ in range(40)]
    assert shifted_up([value + 3 for value in candidate], stable, 0.98, 0.25)
    assert not shifted_up([value - 3 for value in candidate], stable, 0.98, 0.25)
    assert not shifted_up(candidate, stable, 0.98, 0.25)
    # Significant, but the lower end is within the tolerance.
    near = [value + 0.8 for value in candidate]
    assert shifted_up(near, stable, 0.98, 0.0)
    assert not shifted_up(near, stable, 0.98, 0.9)


def test_equal_or_missing_data_shows_no_shift() -> None:
    assert not shifted_up([], [1.0, 2.0], 0.98, 0.25)
    assert not shifted_up([0.0] * 50, [0.0] * 50, 0.98, 0.25)
    assert not shifted_up([1.0, 2.0] * 20, [1.0, 2.0] * 20, 0.98, 0.25)


def test_kayenta_judges_at_its_intervals_with_all_points_since_the_start() -> None:
    bad = [Seen(5 * n, Counts(25, 3 + n % 2), Counts(100, n % 2)) for n in range(1, 121)]
    assert kayenta(bad, 200) == 200
    late = [Seen(5 * n, Counts(25, 3 if n > 40 else 0), Counts(100, n % 2)) for n in range(1, 121)]
    assert kayenta(late, 200) == 600
    assert kayenta([Seen(look.at, look.candidate, None) for look in bad], 200) == inf


def test_flagger_rolls_back_at_the_nth_failed_minute() -> None:
    looks = minutes([BAD, GOOD, BAD, GOOD, BAD, GOOD])
    assert [flagger(looks, n) for n in (1, 2, 3, 4)] == [60, 180, 300, inf]
    # A success rate of exactly 99% is good: 3 of 300.
    assert flagger([Seen(5 * n, Counts(25, int(n % 4 == 0)), None) for n in range(1, 13)], 1) == inf


def test_flagger_takes_silence_as_a_failed_check_and_promotes_after_ten_good_ones() -> None:
    assert flagger(minutes([GOOD, SILENT]), 1) == 120
    assert flagger(minutes([GOOD, None]), 1) == 120
    assert flagger(minutes([GOOD] * 10 + [BAD] * 20), 1) == inf
    assert flagger(minutes([GOOD] * 9 + [BAD]), 1) == 600


def test_argo_aborts_when_more_than_its_limit_failed() -> None:
    looks = minutes([BAD, GOOD, BAD, BAD, SILENT, GOOD])
    assert argo(looks, 0) == 60
    assert argo(looks, 2) == 240
    assert argo(looks, 3) == 300
    assert argo(looks, 4) == inf


def test_argo_aborts_at_the_fifth_error_in_a_row() -> None:
    assert argo(minutes([None] * 4 + [GOOD] + [None] * 4), 0) == inf
    assert argo(minutes([GOOD] + [None] * 5), 0) == 360


def test_a_threshold_looks_at_the_last_minute_and_wants_twenty_requests() -> None:
    # 4 of 300 after two bad ticks; 2 of 300 are within the limit.
    assert threshold(minutes([GOOD, BAD])) == 70
    few = [Seen(5 * n, Counts(1, 1), None) for n in range(1, 40)]
    assert threshold(few) == inf
    assert threshold(few, at_least=12) == 60
    spread = [Seen(5 * n, Counts(10, int(n == 1)), None) for n in range(1, 40)]
    assert threshold(spread) == 10
    assert threshold(spread[12:]) == inf


def test_what_was_not_read_is_read_later_and_what_a_reset_lost_is_gone() -> None:
    each = (Counts(10, 1),)
    looks = (
        Look(5, each, (Counts(20, 0), Counts(20, 2))),
        Look(10, each, each, unread=frozenset({"candidate"})),
        Look(15, each, each),
        Look(20, each, each, unread=frozenset({"candidate"})),
        Look(25, (Counts(4, 0),), each, reset=frozenset({"candidate"})),
    )
    known = seen(Scenario(600, looks, ()))
    assert [look.candidate for look in known] == [Counts(10, 1), None, Counts(20, 2), None, Counts(4, 0)]
    assert [look.stable for look in known] == [Counts(40, 2), *[Counts(10, 1)] * 4]


def test_plain_ticks_are_those_that_counters_give() -> None:
    known = MODELS["blips-5s-60"].stream(Random(1), Case(0.03, 0.02))
    policy = policy_of(known)
    assert list(read(known, policy)) == list(taken(known, policy))


@pytest.mark.parametrize("name", ["sick-candidate", "gaps-40", "resets", "herd"])
def test_counters_carry_everything_that_was_read(name: str) -> None:
    known = MODELS[name].stream(Random(1), Case(0.03, 0.02))
    ticks = list(read(known, policy_of(known)))
    looks = seen(known)
    assert [tick.at for tick in ticks] == [look.at for look in looks]
    for tick, look, raw in zip(ticks, looks, known.looks, strict=True):
        if raw.shifted:
            assert tick.candidate["errors"] == Counts()
        else:
            assert tick.candidate["errors"] == (look.candidate or Counts())
        if not raw.unread:
            assert not tick.errors
        assert (tick.stable is None) == bool(raw.unread)


def test_all_judges_find_what_is_plain_and_acquit_what_is_silent() -> None:
    awful = MODELS["independent"].stream(Random(1), Case(0.5, 0.001))
    assert slipway(awful, policy_of(awful)).fails_at == 10
    assert set(others(awful).values()) == {200, 60, 600, 240, 5}
    perfect = MODELS["independent"].stream(Random(1), Case(0.0, 0.0))
    assert slipway(perfect, policy_of(perfect)).fails_at == inf
    assert slipway(perfect, policy_of(perfect)).passes
    assert set(others(perfect).values()) == {inf}
