"""Cumulative readings become ticks: what each release did since the last look, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bot.domain.judge.counters import (
    Baseline,
    BucketError,
    CounterReading,
    InconsistentError,
    Sample,
    baseline,
    gained,
)
from bot.domain.judge.policy import JudgePolicy

__all__ = [
    "BucketError",
    "CounterReading",
    "Counts",
    "EvidenceState",
    "Sample",
    "Signal",
    "Tick",
    "begin_evidence",
    "difference",
    "traffic_rose",
]

# A gap between looks counts as measured for at most this many planned ticks.
LONGEST_GAP_TICKS = 3
# Instances that went away are remembered, so that one that comes back is not counted anew; this many at most.
REMEMBERED_INSTANCES = 128


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one kind in one tick: `bad` of `total`."""

    total: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class Signal:
    """A yes-or-no source: `bad` is True in trouble, False when fine, None when it could not be read."""

    bad: bool | None
    detail: str = ""


_NO_SIGNALS: Mapping[str, Signal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at a rollout.

    at, seconds: unix time of the look; seconds it stands for (at most three planned ticks).
    candidate, stable: counts since the last look by name of objective or plain rule; stable is None without
        one.
    errors: sentences on what could not be read; a tick with errors is not measured time.
    crashed: sentence when an instance of the candidate restarted.
    buckets: histogram bound in seconds that was read for each latency objective or rule.
    signals: what plain rules listen to, by `Rule.signal`.
    notes: sentences worth a line in the log (counters that started over).
    """

    at: float
    seconds: float
    candidate: Mapping[str, Counts]
    stable: Mapping[str, Counts] | None = None
    errors: tuple[str, ...] = ()
    crashed: str | None = None
    buckets: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What was last read of one release: a baseline for each instance, and who was there at the last look."""

    release: str
    seen: tuple[Baseline, ...] = ()
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """Where the counters stood. rose_at: when candidate traffic last rose; served: it ever had any."""

    at: float | None = None
    rose_at: float | None = None
    served: bool = False
    candidate: Side | None = None
    stable: Side | None = None

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "version": 1,
            "at": self.at,
            "rose_at": self.rose_at,
            "served": self.served,
            "candidate": _side_to_json(self.candidate),
            "stable": _side_to_json(self.stable),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EvidenceState:
        """Inverse of `to_json`; raises ValueError for another version."""
        if stored.get("version") != 1:
            raise ValueError(f"stored evidence has version {stored.get('version')!r}; this Slipway reads 1")
        return cls(
            stored["at"],
            stored["rose_at"],
            stored["served"],
            _side_from_json(stored["candidate"]),
            _side_from_json(stored["stable"]),
        )


def begin_evidence() -> EvidenceState:
    """Before anything was read. The first sample of a release only says where its counters stand."""
    return EvidenceState()


def traffic_rose(state: EvidenceState, at: float) -> EvidenceState:
    """Call when the candidate's weight was raised: completions of the next `settling_s` are discarded.

    Right after a rise, requests that fail fast have completed and slow successes have not, so that a good
    release looks bad.
    """
    return replace(state, rose_at=at)


def difference(
    state: EvidenceState,
    policy: JudgePolicy,
    at: float,
    candidate: Sample,
    stable: Sample | None,
    *,
    signals: Mapping[str, Signal] = _NO_SIGNALS,
) -> tuple[EvidenceState, Tick]:
    """What happened since the last look at `at` (unix seconds), and the state for the next.

    Raises BucketError (a ValueError) when a latency limit lies above the last finite histogram bound.
    """
    looks = [_Look(policy, candidate, state.candidate)]
    if stable is not None:
        looks.append(_Look(policy, stable, state.stable))
    served = state.served or looks[0].traffic
    rose_at = _rose_at(state, policy, at, looks[0].traffic)
    if _settling(state, policy, rose_at):
        looks[0].discard()
    seconds = 0.0 if state.at is None else min(max(0.0, at - state.at), LONGEST_GAP_TICKS * policy.tick_s)
    crashed = looks[0].restarted if policy.on_restart == "fail" else None
    ignored = [] if crashed or not looks[0].restarted else [looks[0].restarted]
    tick = Tick(
        at=at,
        seconds=seconds,
        candidate=looks[0].counts,
        stable=looks[1].counts if stable is not None else None,
        errors=tuple(error for look in looks for error in look.errors),
        crashed=crashed,
        buckets=looks[0].buckets,
        signals=signals,
        notes=tuple(note for look in looks for note in look.notes) + tuple(ignored),
    )
    side = looks[1].side if stable is not None else state.stable
    return EvidenceState(at, rose_at, served, looks[0].side, side), tick


def _rose_at(state: EvidenceState, policy: JudgePolicy, at: float, traffic: bool) -> float | None:
    """When traffic last rose; a first request that came long after the weight was set is a start, too."""
    first = traffic and not state.served and state.at is not None
    if first and (state.rose_at is None or state.at is None or state.at >= state.rose_at + policy.settling_s):
        return at
    return state.rose_at


def _settling(state: EvidenceState, policy: JudgePolicy, rose_at: float | None) -> bool:
    """Some of the time since the last look lies within the settling time after traffic rose."""
    if rose_at is None or state.at is None or not policy.settling_s:
        return False
    return state.at < rose_at + policy.settling_s


@dataclass(slots=True)
class _Look:
    """One sample laid beside what was known of its release. Lives for one call of `difference` only."""

    policy: JudgePolicy
    sample: Sample
    known: Side | None
    side: Side | None = None
    counts: dict[str, Counts] = field(default_factory=dict)
    buckets: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    restarted: str | None = None
    traffic: bool = False
    before: dict[str, Baseline] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.known is not None and self.known.release != self.sample.release:
            self.known = None
        sums = [[0, 0] for _ in self.policy.series]
        self.before = {b.instance: b for b in self.known.seen} if self.known else {}
        if self.sample.error is not None:
            self.errors.append(self.sample.error)
            self.side = self.known
        else:
            seen = dict(self.before)
            for reading in self.sample.readings:
                self._read(reading, seen, sums)
            self._compare_instances(seen)
        for series, (total, bad) in zip(self.policy.series, sums, strict=True):
            self.counts[series.name] = Counts(total, bad)

    def _read(self, reading: CounterReading, seen: dict[str, Baseline], sums: list[list[int]]) -> None:
        try:
            now = baseline(reading, self.policy.series, self.buckets)
            before = seen.get(reading.instance)
            if before is None and self.known is None:
                seen[reading.instance] = now
                return
            # An instance that appears later has counted nothing but this rollout.
            steps, reset = gained(before or Baseline(reading.instance), now)
        except InconsistentError as problem:
            self.errors.append(f"{self.sample.release}, {reading.instance}: {problem}")
            return
        if reset:
            self.notes.append(f"{self.sample.release}, {reading.instance}: its counters started over")
        seen[reading.instance] = now
        self.traffic = self.traffic or now.total > (before.total if before and not reset else 0)
        for total_bad, (total, bad) in zip(sums, steps, strict=True):
            total_bad[0] += total
            total_bad[1] += bad

    def _compare_instances(self, seen: dict[str, Baseline]) -> None:
        present = tuple(reading.instance for reading in self.sample.readings)
        gone = [name for name in self.before if name not in present]
        new = [name for name in present if name not in self.before]
        if self.known is not None and gone and new:
            self.restarted = (
                f"{self.sample.release}: instance {gone[-1]} is gone and {new[0]} came in its place"
            )
            for name in gone:
                del seen[name]
        while len(seen) > REMEMBERED_INSTANCES and len(seen) > len(present):
            del seen[next(name for name in seen if name not in present)]
        self.side = Side(self.sample.release, tuple(seen.values()), present)

    def discard(self) -> None:
        """Forget this look's completions. Requests that hang are none: they stay to be counted."""
        self.counts = dict.fromkeys(self.counts, Counts())
        if self.side is not None:
            unseen = Baseline("")
            kept = [
                replace(now, overdue=min(now.overdue, self.before.get(now.instance, unseen).overdue))
                for now in self.side.seen
            ]
            self.side = replace(self.side, seen=tuple(kept))


def _side_to_json(side: Side | None) -> list[Any] | None:
    if side is None:
        return None
    return [side.release, list(side.present), [b.to_json() for b in side.seen]]


def _side_from_json(stored: list[Any] | None) -> Side | None:
    if stored is None:
        return None
    return Side(stored[0], tuple(Baseline.from_json(b) for b in stored[2]), tuple(stored[1]))
