"""What several sources said about one rollout, as one tick and one point of the chart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.domain.judge import judge
from bot.domain.judge.evidence.counters import CounterReading, Sample, Signal
from bot.domain.judge.evidence.ticks import Tick, begin_evidence
from bot.domain.rollout.model import Desired, Lane
from tests.fakes.outside import FakeMetrics
from tests.fakes.target import FakeTarget
from tests.support.catalogs import PRODUCTION, V140, V150
from tests.support.sampling import NOW, rollout, sampler, serving


class Scrape:
    """A second source, with one instance's own view as readings."""

    name = "scrape"
    limit_s = 1.0

    def __init__(self) -> None:
        self.total = 0
        self.error: str | None = None

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        self.total += 50
        reading = CounterReading("pid-1", self.total, self.total // 5, extra=(("cache", (self.total, 1)),))
        return [Sample(0.0, d, () if self.error else (reading,), self.error) for d in digests]


async def test_a_request_that_two_sources_saw_is_counted_once() -> None:
    objectives = (
        judge.Objective("errors", "errors", 0.01),
        judge.Objective("scrape", "proportion", 0.5),
        judge.Objective("cache", "proportion", 0.5),
    )
    judging = judge.JudgePolicy(objectives=objectives, settle_s=0.0)
    looker = sampler(await serving(), router=FakeMetrics(), scrape=Scrape())
    first = await looker.look(rollout(judging), begin_evidence(), 100.0)
    second = await looker.look(rollout(judging), first.evidence, 105.0)
    counts = {name: (c.total, c.bad) for name, c in second.tick.candidate.items()}
    assert counts == {"errors": (100, 0), "scrape": (50, 10), "cache": (50, 0)}
    assert second.tick.errors == ()


async def test_a_second_source_that_is_away_is_an_error_and_the_first_still_counts() -> None:
    scrape = Scrape()
    scrape.error = "the endpoint refused"
    looker = sampler(await serving(), router=FakeMetrics(), scrape=scrape)
    first = await looker.look(rollout(), begin_evidence(), 100.0)
    second = await looker.look(rollout(), first.evidence, 105.0)
    assert second.tick.candidate["errors"].total == 100
    assert second.tick.errors == ("the endpoint refused",)


async def test_a_second_source_that_could_not_be_read_keeps_the_comparison_waiting() -> None:
    judging = judge.JudgePolicy((judge.Objective("scrape", "proportion", 0.5, ratio=1.0),), settle_s=0.0)
    scrape, looking, evidence, ticks = Scrape(), rollout(judging), begin_evidence(), []
    looker = sampler(await serving(), router=FakeMetrics(), scrape=scrape)
    for number, error in enumerate((None, None, "the endpoint refused", None)):
        scrape.error = error
        look = await looker.look(looking, evidence, 100.0 + 5 * number)
        evidence = look.evidence
        ticks.append(look.tick)
    compared = [(t.compared["scrape"].total, (t.stable or {})["scrape"].total) for t in (ticks[1], ticks[3])]
    assert compared == [(50, 50), (100, 100)]
    assert ticks[2].stable is None
    assert ticks[3].crashed is None


async def test_a_source_that_cannot_be_reached_is_an_error_of_the_tick() -> None:
    metrics = FakeMetrics(away=True)
    looker = sampler(await serving(), router=metrics)
    look = await looker.look(rollout(), begin_evidence(), 100.0)
    assert look.tick.errors
    assert "the metrics are away" in look.tick.errors[0]


async def test_a_source_that_awaits_what_is_cancelled_is_an_error_of_the_tick() -> None:
    class Cancelled(FakeMetrics):
        async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
            raise asyncio.CancelledError  # as a shared request that another lane gave up

    looker = sampler(await serving(), router=Cancelled())
    look = await looker.look(rollout(), begin_evidence(), 100.0)
    assert look.tick.errors == ("router failed: AwaitedCancelled",)


async def test_a_lane_without_sources_cannot_be_judged() -> None:
    look = await sampler(await serving()).look(rollout(), begin_evidence(), 100.0)
    assert "has no metric source" in look.tick.errors[0]


async def test_a_limit_above_the_histogram_is_said_and_no_soak_passes() -> None:
    judging = judge.JudgePolicy(objectives=(judge.Objective("p99", "latency", 0.01, threshold_s=60.0),))
    look = await sampler(await serving(), router=FakeMetrics()).look(
        rollout(judging), begin_evidence(), 100.0
    )
    assert len(look.tick.errors) == 1


async def test_health_is_unknown_while_the_target_is_away() -> None:
    target = await serving()
    looker = sampler(target, router=FakeMetrics())
    assert (await looker.look(rollout(), begin_evidence(), 100.0)).tick.signals["health"].bad is False
    target.crash(PRODUCTION, V150.digest)
    assert (await looker.look(rollout(), begin_evidence(), 105.0)).tick.signals["health"].bad is True
    target.away = True
    look = await looker.look(rollout(), begin_evidence(), 110.0)
    assert look.tick.signals["health"].bad is None
    assert look.observed is None


async def test_an_alert_from_before_the_rollout_is_none_of_the_candidates() -> None:
    def fires(since: float) -> Signal:
        return Signal(True, "CheckoutBurns fires", since=since)

    class Alerts(FakeMetrics):
        async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
            signals = (("alert:P1", fires(began - 1)), ("alert:P2", fires(began)))
            return [Sample(began, digest, signals=signals) for digest in digests]

    began = NOW.timestamp()
    looker = sampler(await serving(), router=FakeMetrics(), pages=Alerts())
    signals = (await looker.look(rollout(), begin_evidence(), began + 60)).tick.signals
    assert signals["alert:P1"] == Signal(False, "CheckoutBurns fires since before this rollout")
    assert signals["alert:P2"].bad is True


async def test_what_is_still_coming_up_does_not_fail_its_health_check() -> None:
    """An exclusive service takes over by starting: that has a limit of its own. Once it was there, it counts."""
    target = FakeTarget()
    await target.apply(PRODUCTION, Desired(2, V140))
    await target.observe(PRODUCTION)
    looking, ordered = sampler(target), rollout()
    assert ordered.confirmed != ordered.generation
    coming = await looking.look(ordered, begin_evidence(), NOW.timestamp())
    there = replace(ordered, confirmed=ordered.generation)
    gone = await looking.look(there, begin_evidence(), NOW.timestamp())
    assert (coming.tick.signals["health"].bad, gone.tick.signals["health"].bad) == (False, True)


@pytest.mark.simulation
async def test_what_is_kept_for_the_chart_is_bounded_however_many_rollouts_there_were() -> None:
    looking = sampler(await serving(), router=FakeMetrics())
    for number in range(5000):
        looking._point(replace(rollout(), id=number), Tick(0.0, 0.0, {}), Sample(0.0, "d"), None)
    assert len(looking._before) == 4096
    assert (4999, rollout().created_at) in looking._before
