"""One instance's cumulative counters: what they must satisfy, and what was gained between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Any

from bot.domain.formatting import duration
from bot.domain.judge.evidence.histogram import read
from bot.domain.judge.policy import PolicyError, Series


class BucketError(PolicyError):
    """A latency limit above the source's histogram: a mistake in the configuration."""


# Name of an instance, its requests and the failed ones among them.
Part = tuple[str, int, int]


class InconsistentError(Exception):
    """Counters that contradict each other, such as more failed requests than requests; carries a sentence."""


@dataclass(frozen=True, slots=True)
class CounterReading:
    """One instance of one release at one time, cumulative since the instance started unless it says `delta`.

    instance: identity; changes when the instance restarts. A source that counts for a release as a whole (a
        router) uses one constant name, and may start over: lower counts than before are a reset, not a crash.
    epoch: of such a source: changes when its counters start over, if it can tell.
    total, bad: requests completed, and those failed among them (5xx, refused, reset, timed out).
    buckets: cumulative histogram of latency, `(upper bound in seconds, requests up to it)`; the last may be
        inf.
    overdue: gauge: requests in flight for longer than the largest latency limit of the policy.
    extra: other proportions by name: `(total, bad)`.
    delta: the counts are what happened since the last look, of a source that keeps none (a probe). So it does not
        matter which process looked before, and what a look found counts if the look was saved.
    parts: of a source that counts for a release as a whole: what each of its instances has of that.
    histogram: like `buckets`, all of it as it was at one time, of a router: its `buckets` have exact counts at the
        limits, and elsewhere those of a moment ago, so that they give no quantile.
    """

    instance: str
    total: int
    bad: int
    buckets: tuple[tuple[float, int], ...] = ()
    overdue: int = 0
    extra: tuple[tuple[str, tuple[int, int]], ...] = ()
    delta: bool = False
    epoch: str = ""
    parts: tuple[Part, ...] = ()
    histogram: tuple[tuple[float, int], ...] = ()

    @property
    def latencies(self) -> tuple[tuple[float, int], ...]:
        """The histogram of one time."""
        return self.histogram or self.buckets


@dataclass(frozen=True, slots=True)
class Signal:
    """A yes-or-no reading: `bad` is True in trouble, False when fine, None when it could not be read.

    since: unix seconds when the trouble began, where that is known: older trouble is none of the candidate's.
    """

    bad: bool | None
    detail: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What the sources said about one release at one time (unix seconds).

    error: a sentence when the release could not be read. No readings and no error is "no data yet".
    unread: `(source, sentence)` of further sources that could not be read; their instances are `source/...`.
    signals: what the release said that plain rules listen to, by `Rule.signal`.
    """

    at: float
    release: str
    readings: tuple[CounterReading, ...] = ()
    error: str | None = None
    unread: tuple[tuple[str, str], ...] = ()
    signals: tuple[tuple[str, Signal], ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one kind in one tick: `bad` of `total`."""

    total: int = 0
    bad: int = 0


def gained_by(before: Part | None, now: Part) -> Counts | None:
    """What an instance gained since `before`; None when that is not known, or is impossible.

    An instance that was not seen before may have counted for long. One that counts less than before has started over.
    """
    if before is None:
        return None
    fell = now[1] < before[1] or now[2] < before[2]
    total, bad = (now[1], now[2]) if fell else (now[1] - before[1], now[2] - before[2])
    return Counts(total, bad) if 0 <= bad <= total else None


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where one instance's counters stood: all requests, `(good, bad)` for each series, requests overdue.

    doubted: what came after it did not fit, and was not taken. epoch: of the reading. latency: its histogram at the
    bounds of its side, and all that it counts; empty where there is none.
    """

    instance: str
    total: int = 0
    series: tuple[tuple[int, int, bool], ...] = ()
    overdue: int = 0
    doubted: bool = False
    epoch: str = ""
    latency: tuple[int, ...] = ()

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        series = [list(s) for s in self.series]
        rest = [series, self.doubted, self.epoch, list(self.latency)]
        return [self.instance, self.total, self.overdue, *rest]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Baseline:
        """Inverse of `to_json`."""
        series = tuple((s[0], s[1], bool(s[2])) for s in stored[3])
        return cls(stored[0], stored[1], series, stored[2], *stored[4:6], *map(tuple, stored[6:7]))


def baseline(
    reading: CounterReading,
    series: tuple[Series, ...],
    buckets: dict[str, float],
    bounds: tuple[float, ...] = (),
) -> Baseline:
    """The reading reduced to what the policy's series need, and its histogram at `bounds`; notes latency bounds in
    `buckets`.

    Raises InconsistentError, or BucketError when a limit lies above the last finite bound.
    """
    if not 0 <= reading.bad <= reading.total:
        raise InconsistentError(f"{reading.bad} of {reading.total} requests failed, which is impossible")
    found = []
    for one in series:
        if one.kind == "latency":
            good, bad, bound = _latency(reading, one)
            if bound is not None:
                buckets[one.name] = max(bound, buckets.get(one.name, bound))
            found.append((good, bad, True))
        elif one.kind == "errors":
            found.append((reading.total - reading.bad, reading.bad, False))
        else:
            total, bad = dict(reading.extra).get(one.source, (0, 0))
            if not 0 <= bad <= total:
                raise InconsistentError(f"{one.source}: {bad} bad of {total}, which is impossible")
            found.append((total - bad, bad, False))
    latency = read(reading.latencies, bounds)
    return Baseline(
        reading.instance, reading.total, tuple(found), reading.overdue, epoch=reading.epoch, latency=latency
    )


def _latency(reading: CounterReading, series: Series) -> tuple[int, int, float | None]:
    """(fast, slow, bound read), from the bucket at the limit or the next above it."""
    if not reading.buckets:
        if reading.total:
            raise InconsistentError("it counts requests, but has no latency histogram")
        return 0, 0, None
    counts = [count for _, count in reading.buckets]
    if counts != sorted(counts) or counts[0] < 0:
        raise InconsistentError("its latency histogram is not cumulative")
    # A bound such as 0.30000000000000004 is the bound 0.3.
    fits = (
        pair for pair in reading.buckets if pair[0] >= series.threshold_s * (1 - 1e-9) and not isinf(pair[0])
    )
    bound, fast = next(fits, (None, 0))
    if bound is None:
        finite = [b for b, _ in reading.buckets if not isinf(b)]
        last = f"ends at {duration(finite[-1])}" if finite else "has no finite bucket"
        raise BucketError(
            f"{series.name}: the limit of {duration(series.threshold_s)} is above the latency histogram, "
            f"which {last}; lower the limit or add a bucket"
        )
    everything = counts[-1] if isinf(reading.buckets[-1][0]) else max(counts[-1], reading.total)
    return fast, everything - fast, bound


def gained(before: Baseline, now: Baseline) -> tuple[list[tuple[int, int]], bool]:
    """`(total, bad)` for each series since `before`, and whether the counters were reset in between.

    The counters of an instance start over together: one that fell is a reset of all. When none fell and yet more
    requests failed than there were, either they were read while a request ended, and the next look fits, or they
    started over and have overtaken what they were. So the first time it raises InconsistentError, and after a `before`
    that is doubted it is a reset.

    A request that is overdue counts as slow at once, and not again when it completes: slow completions plus
    requests overdue only ever grow by requests that became slow.
    """
    reset = before.epoch != now.epoch or _fell(before, now)
    if not reset:
        steps = _steps(before, now)
        odd = next(((total, bad) for total, bad in steps if not 0 <= bad <= total), None)
        if odd is None:
            return steps, False
        if not before.doubted:
            raise InconsistentError(
                f"{odd[1]} of {odd[0]} requests failed since the last look, which is impossible"
            )
    return _steps(Baseline(now.instance), now), True


def _fell(before: Baseline, now: Baseline) -> bool:
    """Whether any counter is lower than it was. Of a latency histogram those are the fast requests and all requests."""
    if now.total < before.total:
        return True
    for (good0, bad0, latency), (good1, bad1, _) in zip(before.series, now.series, strict=False):
        if good1 + bad1 < good0 + bad0 or (good1 < good0 if latency else bad1 < bad0):
            return True
    return False


def _steps(before: Baseline, now: Baseline) -> list[tuple[int, int]]:
    """The differences as they are; after a `before` without series all of `now`."""
    hanging = now.overdue - before.overdue
    old = before.series or ((0, 0, False),) * len(now.series)
    steps = []
    for (good0, bad0, _), (good1, bad1, latency) in zip(old, now.series, strict=True):
        good, bad = good1 - good0, bad1 - bad0
        if latency:
            steps.append((max(0, good) + max(0, bad + hanging), max(0, bad + hanging)))
        else:
            steps.append((good + bad, bad))
    return steps
