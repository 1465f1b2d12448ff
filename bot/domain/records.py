"""Records that the engine and its store exchange: plain data, without rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.drift import Drift
from bot.domain.judge.evidence.ticks import EvidenceState
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.rollout.events import CallPeople, Effect, Transition
from bot.domain.rollout.model import Actor, Desired, Identity, Lane, Phase, Release, Rollout


def effect_key(rollout: Rollout, index: int) -> str:
    """The key of the effect at `index` of the step that led to `rollout`: no other effect has it, in any database."""
    return f"{rollout.id}.{rollout.version}.{index}.{rollout.stamp}"


@dataclass(frozen=True, slots=True)
class Lock:
    lane: Lane
    owner_id: int
    owner: str
    reason: str
    since: datetime
    expires: datetime | None
    digest: str = ""  # the quarantined release, when a rollback set it
    quarantined_at: datetime | None = None  # by that rollback; a person's own lock may be older


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    id: int
    lane: Lane
    from_version: str | None
    to_version: str
    phase: str
    requester: str
    reason: str
    outcome: str
    created_at: datetime
    ended_at: datetime | None
    returns: bool = False  # to a known-good release, after the rollout that replaced it had ended


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One tick on the chart: requests and bad requests of that tick, by objective.

    judged: the whole tick, when the judge took it; it is kept, and read apart from what the chart shows.
    """

    at: datetime
    weight: int
    candidate: Mapping[str, tuple[int, int]]  # objective -> (total, bad)
    stable: Mapping[str, tuple[int, int]]
    candidate_latency_s: float | None = None  # the quantile named by the latency objective, this tick
    stable_latency_s: float | None = None
    judged: JudgedTick | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an interaction, and its rollout."""

    rollout_id: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A rollout as stored."""

    rollout: Rollout
    evidence: EvidenceState


@dataclass(frozen=True, slots=True)
class Claimed:
    """An effect that this process may do until its lease ends. `fence` is a random number, new with every claim;
    `attempts` grows with every failure of the effect itself. `watched_s`: seconds for which it was polled since it was
    sent; time in which no process could poll does not count. `requested_at`, `guild_id`: its rollout's.
    """

    id: int
    key: str
    fence: int
    attempts: int
    rollout_id: int | None
    lane: Lane
    effect: Effect
    created_at: datetime
    watched_s: float = 0.0
    requested_at: datetime | None = None
    guild_id: int | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An effect that could not be done: why, its audit line and alerts. Recorded with the end of the claim."""

    error: str
    entry: AuditEntry
    calls: Sequence[CallPeople] = ()


@dataclass(frozen=True, slots=True)
class RolloutChange:
    """Everything that one step changes; it is saved as a whole or not at all.

    before: what `rollout` was computed from; it is saved on that version and stamp alone. None makes a new rollout,
    which `lane` is for: the stamp of the lane's row that it was computed from, None without one.
    evidence: None leaves it as it is. tick_at: when to judge next; None keeps the time that is planned.
    judged: whether the rollout is to be judged at all. claim: the effect that this is the outcome of; it is closed with
    the change, as done or, with `given_up`, as given up. answers: the answer to each interaction, by its id, so that a
    repeated interaction finds it. unless_stopped: servers in which a panic stop keeps a new rollout from starting.
    rolled_back: a release that is no longer known good here. point: what the tick measured that this is the outcome of.
    """

    rollout: Rollout
    before: Rollout | None
    at: datetime
    effects: Sequence[Effect] = ()
    transitions: Sequence[Transition] = ()
    timers: Mapping[str, datetime] = field(default_factory=dict)
    evidence: EvidenceState | None = None
    judged: bool = False
    tick_at: datetime | None = None
    claim: Claimed | None = None
    given_up: GivenUp | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    unless_stopped: Sequence[int] = ()
    rolled_back: Release | None = None
    point: SeriesPoint | None = None
    lane: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A timer that came due."""

    rollout_id: int
    name: str
    step: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A tick that changed only measurements: saved in batches. `before` as in `RolloutChange`."""

    rollout: Rollout
    before: Rollout
    evidence: EvidenceState
    tick_at: datetime
    point: SeriesPoint


@dataclass(frozen=True, slots=True)
class LaneRow:
    """Desired state of a lane, also between rollouts. `generation`: the newest ordered or seen. `stamp`: a random value
    that the database gives to every new desired state.
    """

    lane: Lane
    generation: int
    desired: Desired
    rollout_id: int | None
    adopted_at: datetime | None
    drift: Drift = field(default_factory=Drift)
    stamp: str = field(default="", compare=False)

    @property
    def serving(self) -> Release | None:
        """As `Situation.stable`."""
        return self.desired.stable or (self.desired.candidate if self.desired.weight > 0 else None)


@dataclass(frozen=True, slots=True)
class Active:
    """A rollout that is not final. `judged`: its ticks observe the target already, and each raises its version."""

    id: int
    guild_id: int
    lane: Lane
    phase: Phase
    judged: bool
    version: int
    created_at: datetime
    stamp: str = ""

    @property
    def identity(self) -> Identity:
        return self.id, self.created_at


@dataclass(frozen=True, slots=True)
class KnownRelease:
    """A release that ran in a lane. It is known good while `known_good_at` is newer than `rolled_back_at`."""

    release: Release
    known_good_at: datetime | None
    rolled_back_at: datetime | None

    @property
    def known_good(self) -> bool:
        good, bad = self.known_good_at, self.rolled_back_at
        return good is not None and (bad is None or good > bad)


@dataclass(frozen=True, slots=True)
class Situation:
    """State of a lane, read at one moment. `releases`: newest known good first."""

    row: LaneRow | None
    active: Rollout | None
    lock: Lock | None
    releases: tuple[KnownRelease, ...] = ()

    @property
    def stable(self) -> Release | None:
        """The release that serves now, and keeps serving until another is ready.

        Without a stable release: the candidate that has the traffic, of a first rollout that failed and was closed.
        """
        return self.row.serving if self.row is not None else None

    def known(self, digest: str) -> KnownRelease | None:
        return next((k for k in self.releases if k.release.digest == digest), None)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An audit line about a lane or a guild rather than a rollout."""

    lane: Lane
    actor: Actor
    at: datetime
    what: str
    why: str
    guild_id: int | None = None
    rollout_id: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)
