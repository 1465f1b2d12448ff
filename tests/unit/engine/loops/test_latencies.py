"""Quantiles of latency that the chart shows, between two looks."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.judge import judge
from bot.domain.judge.evidence.counters import CounterReading, Sample
from bot.engine.loops.latencies import gained, latencies, latency, latency_quantile
from tests.support.catalogs import policy


def histogram(*counts: int, release: str = "d") -> Sample:
    bounds = (0.1, 0.5, 1.0, float("inf"))
    return Sample(
        0.0, release, (CounterReading("i", counts[-1], 0, tuple(zip(bounds, counts, strict=True))),)
    )


def since(before: Sample | None, now: Sample, quantile: float) -> float | None:
    return latency(latencies(before), now, quantile)


def test_the_quantile_of_a_tick_is_read_from_what_was_gained() -> None:
    before, now = histogram(1000, 1000, 1000, 1000), histogram(1050, 1098, 1100, 1100)
    assert since(before, now, 0.5) == 0.1
    assert since(before, now, 0.99) == 1.0
    assert latency_quantile(policy().judge) == 0.99


def test_there_is_no_quantile_without_requests_after_a_reset_or_beyond_the_last_bound() -> None:
    before = histogram(10, 10, 10, 10)
    assert since(before, before, 0.99) is None
    assert since(before, histogram(1, 2, 3, 3), 0.99) is None
    assert since(before, histogram(10, 10, 10, 20), 0.99) is None
    assert since(None, before, 0.99) is None
    assert since(before, histogram(20, 20, 20, 20, release="e"), 0.99) is None


def test_what_was_gained_is_told_by_the_bounds_and_only_where_it_is_known() -> None:
    before, now = histogram(1000, 1000, 1000, 1000), histogram(1050, 1098, 1100, 1100)
    rows = ((0.1, 50), (0.5, 98), (1.0, 100), (float("inf"), 100))
    assert gained(latencies(before), now) == rows
    for known, sample in (
        (None, now),
        (latencies(now), before),  # it began again
        (latencies(histogram(1, 1, 1, 1, release="e")), now),
        (latencies(before), replace(now, error="it is away")),
        (latencies(before), None),
    ):
        assert gained(known, sample) == ()


def test_a_quantile_is_read_from_a_histogram_of_one_time() -> None:
    """The buckets of a router are exact at the limit of 2 s, and a second behind elsewhere."""

    def sample(total: int, counted: int) -> Sample:
        buckets = ((0.01, counted), (2.0, total), (10.0, total))
        consistent = ((0.01, counted), (10.0, counted))
        reading = CounterReading("router", total, 0, buckets, histogram=consistent)
        return Sample(0.0, "d", (reading,))

    assert since(sample(100, 90), sample(200, 150), 0.99) == 0.01
    assert since(sample(100, 90), sample(200, 90), 0.99) is None  # nothing new in it yet
    assert latency_quantile(judge.JudgePolicy()) is None


def test_of_equal_bounds_one_tuple_is_kept() -> None:
    one, other = latencies(histogram(1, 2, 3, 4)), latencies(histogram(5, 6, 7, 8))
    assert one is not None and other is not None
    assert one.bounds is other.bounds


def test_a_quantile_of_several_instances_is_of_all_of_their_requests() -> None:
    def both(*totals: int) -> Sample:
        readings = (histogram(total, total, total, total).readings[0] for total in totals)
        return Sample(0.0, "d", tuple(replace(r, instance=str(n)) for n, r in enumerate(readings)))

    probed = replace(histogram(0, 0, 0, 900).readings[0], delta=True)
    now = both(150, 300)
    assert since(both(100, 300), now, 0.99) == 0.1
    assert since(both(100, 300), replace(now, readings=(*now.readings, probed)), 0.01) == 0.1
    assert since(both(100, 300), replace(now, readings=(*now.readings, probed)), 0.5) is None
    assert since(None, Sample(0.0, "d", (probed,)), 0.99) is None
    assert since(None, replace(now, error="away"), 0.99) is None
