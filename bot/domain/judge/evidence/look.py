"""Look at one release: its sample against what was known of it, what it did since, and what to remember."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain.judge.evidence.counters import (
    Baseline,
    CounterReading,
    Counts,
    InconsistentError,
    Part,
    Sample,
    baseline,
    gained,
    gained_by,
)
from bot.domain.judge.evidence.histogram import NOTHING, Histogram, bounds_of, gained_histogram
from bot.domain.judge.policy import JudgePolicy

# Instances that went away are remembered, so that one that comes back is not counted twice; this many at most.
REMEMBERED_INSTANCES = 128


@dataclass(frozen=True, slots=True)
class Side:
    """What was last read of one release.

    seen: a baseline for each instance. present: the instances of the last look. at: when all of it could last be
    read (unix seconds). parts: where the instances stood of a source that counts for the release as a whole.
    bounds: of the latency histograms in `seen`, in seconds.
    """

    release: str
    seen: tuple[Baseline, ...] = ()
    present: tuple[str, ...] = ()
    at: float | None = None
    parts: tuple[Part, ...] = ()
    bounds: tuple[float, ...] = ()

    def to_json(self) -> list[Any]:
        """As a JSON array."""
        rest = [[list(part) for part in self.parts], list(self.bounds)] if self.parts or self.bounds else []
        return [self.release, list(self.present), [b.to_json() for b in self.seen], self.at, *rest]

    @classmethod
    def from_json(cls, stored: list[Any]) -> Side:
        """Inverse of `to_json`."""
        seen, parts = tuple(Baseline.from_json(b) for b in stored[2]), stored[4] if len(stored) > 4 else ()
        at, bounds = stored[3] if len(stored) > 3 else None, stored[5] if len(stored) > 5 else ()
        read = tuple((name, total, bad) for name, total, bad in parts)
        return cls(stored[0], seen, tuple(stored[1]), at, read, tuple(bounds))


@dataclass(slots=True)
class Look:
    """One sample at `at` against the `known` side. Lives for one call of `difference` only.

    counts: by objective or rule, since each instance was last read. errors: what could not be read. requests: all
    that were completed. restarted: a sentence when an instance was replaced.
    instances: requests and failed ones by instance, of those that are there, where `by_instance` asks for them.
    latency: of what was answered since each instance was last read; None when that is not known.
    """

    policy: JudgePolicy
    at: float
    sample: Sample
    known: Side | None
    by_instance: bool = False
    side: Side | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    buckets: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    restarted: str | None = None
    requests: int = 0
    latency: Histogram | None = NOTHING
    bounds: tuple[float, ...] = ()
    discarded: bool = False
    before: dict[str, Baseline] = field(default_factory=dict)
    instances: dict[str, Counts] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if self.known is not None and self.known.release != self.sample.release:
            self.known = None
        sums = [[0, 0] for _ in self.policy.series]
        self.before = {b.instance: b for b in self.known.seen} if self.known else {}
        self.parts = self.known.parts if self.known else ()
        self.errors.extend(sentence for _, sentence in self.sample.unread)
        if self.sample.error is not None:
            self.errors.insert(0, self.sample.error)
            self.side = self.known
        else:
            seen = self._at_bounds()
            for reading in self.sample.readings:
                self._read(reading, seen, sums)
            self._compare_instances(seen)
        for series, (total, bad) in zip(self.policy.series, sums, strict=True):
            self.counts[series.name] = Counts(total, bad)

    @property
    def since(self) -> float | None:
        """When the release was last read as a whole; None before its first sample."""
        return self.known.at if self.known is not None else None

    @property
    def comparable(self) -> bool:
        """Whether the counts are everything that the release did since it was last read."""
        return self.known is not None and not self.discarded

    def _at_bounds(self) -> dict[str, Baseline]:
        """Set the bounds of this look's histograms; what was known, without histograms that have other bounds."""
        before = self.known.bounds if self.known is not None else ()
        self.bounds = bounds_of(reading.latencies for reading in self.sample.readings) or before
        if self.bounds == before:
            return dict(self.before)
        return {name: replace(seen, latency=()) for name, seen in self.before.items()}

    def _read(self, reading: CounterReading, seen: dict[str, Baseline], sums: list[list[int]]) -> None:
        before = (
            Baseline(reading.instance, epoch=reading.epoch) if reading.delta else seen.get(reading.instance)
        )
        try:
            now = baseline(reading, self.policy.series, self.buckets, self.bounds)
            if before is None and self.known is None:
                seen[reading.instance] = now
                self._tell_apart(reading, ())
                return
        except InconsistentError as problem:
            self._unbelievable(reading, problem)
            return
        try:
            # An instance that appears later has counted only this rollout's requests.
            steps, reset = gained(before or Baseline(reading.instance, epoch=reading.epoch), now)
        except InconsistentError as problem:
            self._unbelievable(reading, problem)
            if before is not None and not reading.delta:
                seen[reading.instance] = replace(before, doubted=True)
            return
        if reset:
            self.notes.append(f"{self.sample.release}, {reading.instance}: its counters were reset")
        self._answered(before, now, new=before is None or reading.delta or reset or not before.total)
        seen[reading.instance] = Baseline(reading.instance) if reading.delta else now
        self.requests += now.total - (before.total if before and not reset else 0)
        for total_bad, (total, bad) in zip(sums, steps, strict=True):
            total_bad[0] += total
            total_bad[1] += bad
        self._tell_apart(reading, steps, reset=reset)

    def _tell_apart(
        self, reading: CounterReading, steps: Sequence[tuple[int, int]], *, reset: bool = False
    ) -> None:
        """Add what the instances did: those of a source that counts for all of them, or the one that this is."""
        if not self.by_instance:
            return
        if reading.parts:
            known = {part[0]: part for part in self.parts}
            kept = []
            for part in reading.parts[:REMEMBERED_INSTANCES]:
                before = (part[0], 0, 0) if reset and part[0] in known else known.get(part[0])
                gain = gained_by(before, part)
                self.instances[part[0]] = gain or Counts()
                # What is impossible was read while a request ended; the next look fits, and has it all.
                kept.append(part if gain or before is None else before)
            self.parts = tuple(kept)
        elif reading.total:  # else it is of a source that only adds proportions, or nothing was asked of it
            errors = next((n for n, series in enumerate(self.policy.series) if series.kind == "errors"), None)
            if errors is not None:
                self.instances[reading.instance] = Counts(*steps[errors]) if steps else Counts()

    def _answered(self, before: Baseline | None, now: Baseline, *, new: bool) -> None:
        """Add what an instance answered to the histogram. new: it answered all of it since it was last read."""
        old = () if new or before is None else before.latency
        found = gained_histogram(self.bounds, old, now.latency) if new or old else None
        if now.total and (found is None or self.latency is None):
            self.latency = None
        elif self.latency is not None and found is not None:
            self.latency = self.latency.plus(found)

    def _unbelievable(self, reading: CounterReading, problem: InconsistentError) -> None:
        self.errors.append(f"{self.sample.release}, {reading.instance}: {problem}")

    def _compare_instances(self, seen: dict[str, Baseline]) -> None:
        present = tuple(reading.instance for reading in self.sample.readings)
        unread = tuple(f"{source}/" for source, _ in self.sample.unread)
        gone = [name for name in self.before if name not in present and not name.startswith(unread)]
        new = [name for name in present if name not in self.before]
        if self.known is not None and gone and new:
            self.restarted = f"{self.sample.release}: instance {gone[-1]} was replaced by {new[0]}"
            for name in gone:
                del seen[name]
        while len(seen) > REMEMBERED_INSTANCES and len(seen) > len(present):
            del seen[next(name for name in seen if name not in present)]
        at = self.since if self.errors else self.at
        self.side = Side(self.sample.release, tuple(seen.values()), present, at, self.parts, self.bounds)

    def discard(self) -> None:
        """Discard this look's completions. Requests that hang have not completed and still count."""
        self.discarded = True
        self.requests = 0
        self.counts = dict.fromkeys(self.counts, Counts())
        self.instances = dict.fromkeys(self.instances, Counts())
        if self.side is not None:
            unseen = Baseline("")
            kept = [
                replace(now, overdue=min(now.overdue, self.before.get(now.instance, unseen).overdue))
                for now in self.side.seen
            ]
            self.side = replace(self.side, seen=tuple(kept))
