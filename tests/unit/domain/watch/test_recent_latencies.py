"""Where a quantile of the last minutes lies: between bounds of a histogram, and nowhere else."""

from __future__ import annotations

from math import inf

import pytest

from bot.domain.phrasebook.latencies import latency_about
from bot.domain.watch.latencies import RECENT_S, QuantileRange, RecentLatencies

NOW = 1_800_000_000.0


def took(*counts: int, last: float = inf) -> tuple[tuple[float, int], ...]:
    """So many requests took at most 0.1, 0.5 and 1 s, and however long."""
    return tuple(zip((0.1, 0.5, 1.0, last), counts, strict=True))


@pytest.mark.parametrize(
    ("counts", "above_s", "upto_s"),
    [
        ((100, 100, 100, 100), 0.0, 0.1),
        ((95, 100, 100, 100), 0.0, 0.1),
        ((94, 100, 100, 100), 0.1, 0.5),
        ((0, 94, 95, 100), 0.5, 1.0),
        ((0, 94, 94, 100), 1.0, None),
    ],
)
def test_it_lies_in_the_first_bucket_up_to_which_there_are_enough(
    counts: tuple[int, ...], above_s: float, upto_s: float | None
) -> None:
    known = RecentLatencies().plus(NOW, took(*counts), 100)
    assert known.at_quantile(0.95, NOW) == QuantileRange(0.95, above_s, upto_s, NOW)


def test_what_took_longer_than_the_highest_bound_counts_also_where_the_histogram_ends_there() -> None:
    known = RecentLatencies().plus(NOW, took(50, 90, 90, 90, last=10.0), 100)
    assert known.at_quantile(0.95, NOW) == QuantileRange(0.95, 10.0, None, NOW)


def test_without_requests_there_is_no_quantile() -> None:
    assert RecentLatencies().at_quantile(0.95, NOW) is None
    assert RecentLatencies().plus(NOW, took(0, 0, 0, 0), 0).at_quantile(0.95, NOW) is None


def test_what_is_older_than_five_minutes_is_forgotten_and_so_is_another_source() -> None:
    known = RecentLatencies().plus(NOW, took(0, 0, 0, 100), 100)
    assert known.at_quantile(0.5, NOW) == QuantileRange(0.5, 1.0, None, NOW)
    later = known.plus(NOW + RECENT_S / 2, took(200, 200, 200, 200), 200)
    assert later.at_quantile(0.5, NOW) == QuantileRange(0.5, 0.0, 0.1, NOW)
    assert later.at_quantile(0.95, NOW) == QuantileRange(0.95, 1.0, None, NOW)
    after = later.plus(NOW + 1.2 * RECENT_S, took(1, 1, 1, 1), 1)
    assert after.at_quantile(0.95, NOW) == QuantileRange(0.95, 0.0, 0.1, NOW)
    other = later.plus(NOW + RECENT_S / 2, ((0.25, 10), (inf, 10)), 10)
    assert other.at_quantile(0.95, NOW) == QuantileRange(0.95, 0.0, 0.25, NOW)


@pytest.mark.parametrize(
    ("above_s", "upto_s", "said"),
    [
        (0.25, 0.5, "p95 about 250–500 ms (limit 800 ms)"),
        (0.5, 1.0, "p95 about 500 ms–1 s (limit 800 ms)"),
        (1.0, 2.5, "p95 about 1–2.5 s (limit 800 ms)"),
        (0.0, 0.005, "p95 up to 5 ms (limit 800 ms)"),
        (10.0, None, "p95 above 10 s (limit 800 ms)"),
    ],
)
def test_it_is_said_as_a_range_against_its_limit(above_s: float, upto_s: float | None, said: str) -> None:
    assert latency_about(0.95, above_s, upto_s, 0.8) == said


def test_what_is_kept_is_bounds_and_counts_by_slot() -> None:
    known = RecentLatencies().plus(NOW, took(1, 2, 3, 4), 9)
    assert known.bounds == (0.1, 0.5, 1.0)
    ((_, *counts),) = known.window
    assert counts == [1, 2, 3, 9]
    # As many as the histogram has, where that is more than was counted.
    ((_, *counts),) = RecentLatencies().plus(NOW, took(1, 2, 3, 4), 3).window
    assert counts == [1, 2, 3, 4]
    more = known.plus(NOW, took(1, 1, 1, 1), 1)
    assert [sum(each[1:]) for each in more.window] == [1 + 2 + 3 + 9 + 4]


@pytest.mark.parametrize(
    ("quantile", "above_s", "upto_s"),
    [(0.5, 0.0, 0.1), (0.51, 0.1, 0.5), (0.9, 0.1, 0.5), (0.91, 0.5, 1.0), (1.0, 0.5, 1.0)],
)
def test_a_quantile_at_a_bound_is_not_above_it(quantile: float, above_s: float, upto_s: float) -> None:
    known = RecentLatencies().plus(NOW, took(50, 90, 100, 100), 100)
    assert known.at_quantile(quantile, NOW + 5) == QuantileRange(quantile, above_s, upto_s, NOW + 5)
