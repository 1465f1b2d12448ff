"""Sampler: one tick from every metric source of a lane and its target."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from bot.domain.config import LaneConfig
from bot.domain.judge.evidence.counters import CounterReading, Sample
from bot.domain.judge.evidence.ticks import EvidenceState, Signal, Tick, difference
from bot.domain.judge.judge import PolicyError
from bot.domain.records import SeriesPoint
from bot.domain.rollout.model import Identity, Lane, Observed, Rollout, RunState
from bot.engine.lanes import Lanes
from bot.engine.loops.latencies import Latencies, latencies, latency, latency_quantile
from bot.engine.tasks import own_cancellation_only
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.errors import Unreachable

log = structlog.get_logger(__name__)

# Beyond a source's own limit, so that the source can say what it could not read.
_GRACE_S = 1.0
_REMEMBERED = 4096  # rollouts; the one sampled longest ago is forgotten first
_HEALTH = "health"


class Measurement(NamedTuple):
    """Result of one look. `observed` is None when the target could not be reached."""

    evidence: EvidenceState
    tick: Tick
    point: SeriesPoint
    observed: Observed | None


class Sampler:
    """Samples lanes. The first source that a rollout is bound to counts requests; the others only add proportions.

    A request that two sources saw is one request: of a further source, its requests and its bad ones are a
    proportion under the source's name, beside the proportions that it reads by itself.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        # For the quantiles on the chart only; after a restart its first point has none.
        self._before: OrderedDict[Identity, tuple[Latencies | None, Latencies | None]] = OrderedDict()

    async def look(self, rollout: Rollout, evidence: EvidenceState, at: float) -> Measurement:
        """Measure at `at` (unix time). Never raises `Unreachable`: what cannot be read is an error of the tick."""
        observing = asyncio.create_task(self._observed(rollout))
        digests = [rollout.candidate.digest, *([rollout.stable.digest] if rollout.stable else [])]
        try:
            sources, missing = self._sources(rollout)
            sampled = await self._sampled(sources, rollout.lane, digests, at)
            observed, problem = await observing
        finally:
            observing.cancel()
        firsts = _together(
            sources, sampled, digests, at, judged=bool(rollout.policy.judge.series), missing=missing
        )
        candidate, stable = firsts[0], firsts[1] if len(firsts) > 1 else None
        policy = rollout.policy.judge
        signals = _signals(rollout, observed, problem, candidate)
        try:
            evidence, tick = difference(evidence, policy, at, candidate, stable, signals=signals)
        except PolicyError as mistake:
            # A limit above the source's histogram: people must correct it, and no soak passes until then.
            evidence = replace(evidence, at=at)
            tick = Tick(at, 0.0, {}, errors=(str(mistake),), signals=signals)
        return Measurement(evidence, tick, self._point(rollout, tick, candidate, stable), observed)

    async def stable(self, config: LaneConfig, digest: str, at: float) -> Sample:
        """What the present catalog's sources count for one release at `at` (unix time). Raises `Unreachable`."""
        sources = self._lanes.sources_at(config)
        sampled = await self._sampled(sources, config.lane, [digest], at)
        missing = "the lane has no metric source"
        return _together(sources, sampled, [digest], at, judged=True, missing=missing)[0]

    def _sources(self, rollout: Rollout) -> tuple[Sequence[MetricSource], str]:
        """The rollout's sources, or why there are none."""
        try:
            return self._lanes.sources_of(rollout), "the lane has no metric source"
        except Unreachable as error:
            return (), str(error)

    async def _sampled(
        self, sources: Sequence[MetricSource], lane: Lane, digests: Sequence[str], at: float
    ) -> Sequence[Sequence[Sample]]:
        if len(sources) == 1:  # most lanes have one, which needs no task of its own
            return [await self._sample(sources[0], lane, digests, at)]
        return await asyncio.gather(*(self._sample(source, lane, digests, at) for source in sources))

    async def _sample(
        self, source: MetricSource, lane: Lane, digests: Sequence[str], at: float
    ) -> Sequence[Sample]:
        limit_s = source.limit_s + _GRACE_S
        try:
            with own_cancellation_only():
                async with asyncio.timeout(limit_s):
                    return await source.sample(lane, digests)
        except TimeoutError:
            why = f"{source.name} did not answer within {limit_s:g} s"
        except Unreachable as error:
            why = f"{source.name}: {error}"
        except Exception as error:
            # A bug in a source, or an unexpected answer: this lane cannot be measured, and the tick says so.
            log.exception("source_failed", source=source.name, lane=str(lane))
            why = f"{source.name} failed: {type(error).__name__}"
        return [Sample(at, digest, error=why) for digest in digests]

    async def _observed(self, rollout: Rollout) -> tuple[Observed | None, str]:
        try:
            return await self._lanes.look(rollout.lane, rollout), ""
        except Unreachable as error:
            return None, f"the target cannot be reached: {error}"

    def _point(self, rollout: Rollout, tick: Tick, candidate: Sample, stable: Sample | None) -> SeriesPoint:
        before, stable_before = self._before.get(rollout.identity, (None, None))
        quantile = latency_quantile(rollout.policy.judge)
        if quantile is not None:
            self._before[rollout.identity] = (latencies(candidate), latencies(stable))
            self._before.move_to_end(rollout.identity)
            if len(self._before) > _REMEMBERED:
                self._before.popitem(last=False)
        return SeriesPoint(
            at=rollout.created_at.fromtimestamp(tick.at, rollout.created_at.tzinfo),
            weight=rollout.observed_weight,
            candidate={name: (c.total, c.bad) for name, c in tick.candidate.items()},
            stable={name: (c.total, c.bad) for name, c in (tick.stable or {}).items()},
            candidate_latency_s=latency(before, candidate, quantile),
            stable_latency_s=latency(stable_before, stable, quantile),
        )


def _of_its_own(signal: Signal, rollout: Rollout) -> Signal:
    """The signal; trouble from before the rollout is none of its candidate's, which may be the way out of it."""
    if signal.since is None or signal.since >= rollout.created_at.timestamp():
        return signal
    return Signal(False, f"{signal.detail} since before this rollout")


def crash(rollout: Rollout, observed: Observed) -> str | None:
    """A sentence when the candidate should run and does not."""
    if observed.generation != rollout.generation or rollout.confirmed != rollout.generation:
        return None
    if not _was_started(rollout):
        return None
    running = observed.of(rollout.candidate.digest)
    if running is None:
        return "the target no longer runs it"
    if running.state in (RunState.CRASHED, RunState.STOPPED):
        return running.detail or f"it is {running.state}"
    return None


def _was_started(rollout: Rollout) -> bool:
    """Whether the target was ordered to start the candidate: not by a gate before any check or shift, and for an
    exclusive service not by its checks either."""
    started = any(step.starts_candidate for step in rollout.plan.steps[: rollout.step])
    return rollout.had_traffic or (started and not rollout.policy.exclusive)


def _together(
    sources: Sequence[MetricSource],
    sampled: Sequence[Sequence[Sample]],
    digests: Sequence[str],
    at: float,
    *,
    judged: bool,
    missing: str,
) -> list[Sample]:
    """The first source's samples with the proportions of the others.

    judged: whether requests are counted; if not, no source is needed.
    """
    if not sources and not judged:
        return [Sample(at, digest) for digest in digests]
    if not sources:
        return [Sample(at, digest, error=missing) for digest in digests]
    firsts = list(sampled[0])
    for source, samples in zip(sources[1:], sampled[1:], strict=True):
        firsts = [_beside(f, source.name, sample) for f, sample in zip(firsts, samples, strict=True)]
    return firsts


def _beside(first: Sample, source: str, further: Sample) -> Sample:
    """The first source's sample with what a further source says about the same release."""
    signals = (*first.signals, *further.signals)
    if further.error is not None:
        return replace(first, signals=signals, unread=(*first.unread, (source, further.error)))
    readings = first.readings
    if first.error is None:
        readings += tuple(_proportions(source, reading) for reading in further.readings)
    return replace(first, signals=signals, readings=readings)


def _proportions(source: str, reading: CounterReading) -> CounterReading:
    own = (source, (reading.total, reading.bad))
    name = f"{source}/{reading.instance}"
    return CounterReading(name, 0, 0, extra=(own, *reading.extra), delta=reading.delta)


def _signals(rollout: Rollout, observed: Observed | None, problem: str, sample: Sample) -> dict[str, Signal]:
    """What plain rules listen to: the candidate's readiness, as the target sees it, and what the sources say."""
    said = {name: _of_its_own(signal, rollout) for name, signal in sample.signals}
    if observed is None:
        return {**said, _HEALTH: Signal(None, problem)}
    running = observed.of(rollout.candidate.digest)
    state = running.state if running is not None else "not running"
    detail = f"{rollout.candidate.version} is {state}"
    coming = running is None or running.state is RunState.STARTING
    if coming and rollout.confirmed != rollout.generation:
        # Ordered, but not ready yet: the order has its own time limit, so this is not a failing health check.
        heard = (rule.signal for rule in rollout.policy.judge.rules)
        return {signal: Signal(False, detail) for signal in (_HEALTH, *heard) if signal is not None}
    ready = running is not None and running.state is RunState.READY
    return {**said, _HEALTH: Signal(not ready, "" if ready else detail)}
