"""Ticks from cumulative readings: what each release did since the last look, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from bot.domain.judge.evidence.counters import BucketError, CounterReading, Counts, Sample, Signal
from bot.domain.judge.evidence.histogram import Histogram
from bot.domain.judge.evidence.look import Look, Side
from bot.domain.judge.evidence.pairing import Window, left_out, paired
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


_NO_SIGNALS: Mapping[str, Signal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at a rollout.

    at, seconds: unix time of the look; seconds it stands for (at most three planned ticks).
    candidate: counts since it was last read, by name of objective or plain rule.
    stable, paired: counts of stable, and of the candidate over the same time (None: those of `candidate`). stable is
        None without one, and while one of them cannot be read: what the other did is carried until both can.
    unread_s: for how long the one that cannot be read now was not read, in seconds; 0 when both can be.
    requests: all of the candidate, whether or not an objective or a rule counts them.
    instances: requests and failed ones of each instance of the candidate that is there; empty where it is not known.
    latency: histograms of candidate and stable over the same time, where they are known.
    errors: sentences on what could not be read; a tick with errors is not measured time.
    crashed: sentence when an instance of the candidate restarted.
    buckets: histogram bound in seconds that was read for each latency objective or rule.
    signals: readings for plain rules, by `Rule.signal`.
    notes: sentences for the rollout's log, such as counters that were reset.
    settling: traffic had just risen, so the candidate's completions were discarded.
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
    paired: Mapping[str, Counts] | None = None
    unread_s: float = 0.0
    requests: int = 0
    settling: bool = False
    instances: Mapping[str, Counts] = field(default_factory=dict)
    latency: tuple[Histogram, Histogram] | None = None

    @property
    def compared(self) -> Mapping[str, Counts]:
        """The candidate's counts over the time that `stable` covers."""
        return self.candidate if self.paired is None else self.paired


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """Counters at the last look.

    rose_at: when candidate traffic last rose. served: whether it ever had any. window: what was not compared yet.
    """

    at: float | None = None
    rose_at: float | None = None
    served: bool = False
    candidate: Side | None = None
    stable: Side | None = None
    window: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "version": 1,
            "at": self.at,
            "rose_at": self.rose_at,
            "served": self.served,
            "candidate": self.candidate.to_json() if self.candidate else None,
            "stable": self.stable.to_json() if self.stable else None,
            "window": self.window.to_json() if self.window else None,
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
            Side.from_json(stored["candidate"]) if stored["candidate"] else None,
            Side.from_json(stored["stable"]) if stored["stable"] else None,
            Window.from_json(stored["window"]) if stored.get("window") else None,
        )


def begin_evidence() -> EvidenceState:
    """The state before the first sample, which only gives a release's counters a starting point."""
    return EvidenceState()


def traffic_rose(state: EvidenceState, at: float) -> EvidenceState:
    """Discard completions of the next `settling_s`; to be called when the candidate's weight was raised.

    Right after a rise, requests that fail fast have completed and slow successes have not, so that a good
    release looks bad. Candidate and stable are not compared over a time in which their shares of the traffic changed.
    """
    return replace(state, rose_at=at, window=left_out(state.window))


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
    mine = Look(policy, at, candidate, state.candidate, by_instance=True)
    theirs = Look(policy, at, stable, state.stable) if stable is not None else None
    looks = [mine] if theirs is None else [mine, theirs]
    traffic = mine.requests > 0
    rose_at = _rose_at(state, policy, at, traffic)
    if _settling(mine, policy, rose_at):
        mine.discard()
    pair = paired(state.window, mine, theirs, at) if theirs is not None else None
    crashed = mine.restarted if policy.on_restart == "fail" else None
    ignored = [] if crashed or not mine.restarted else [mine.restarted]
    tick = Tick(
        at=at,
        seconds=_seconds(state, policy, at),
        candidate=mine.counts,
        stable=pair.stable if pair else None,
        errors=tuple(dict.fromkeys(error for look in looks for error in look.errors)),
        crashed=crashed,
        buckets=mine.buckets,
        signals=signals,
        notes=tuple(note for look in looks for note in look.notes) + tuple(ignored),
        paired=pair.candidate if pair else None,
        unread_s=pair.unread_s if pair else 0.0,
        requests=mine.requests,
        settling=mine.discarded,
        instances=mine.instances,
        latency=pair.latency if pair else None,
    )
    return EvidenceState(
        at,
        rose_at,
        state.served or traffic,
        mine.side,
        theirs.side if theirs is not None else state.stable,
        pair.window if pair else None,
    ), tick


def _seconds(state: EvidenceState, policy: JudgePolicy, at: float) -> float:
    return 0.0 if state.at is None else min(max(0.0, at - state.at), LONGEST_GAP_TICKS * policy.tick_s)


def _rose_at(state: EvidenceState, policy: JudgePolicy, at: float, traffic: bool) -> float | None:
    """When traffic last rose; a first request long after the weight was set counts as a rise."""
    first = traffic and not state.served and state.at is not None
    if first and (state.rose_at is None or state.at is None or state.at >= state.rose_at + policy.settling_s):
        return at
    return state.rose_at


def _settling(look: Look, policy: JudgePolicy, rose_at: float | None) -> bool:
    """Whether part of the time that the look covers is within the settling time after a rise in traffic."""
    if rose_at is None or look.since is None or not policy.settling_s:
        return False
    return look.since < rose_at + policy.settling_s
