"""The database. Every method raises `Unreachable` within about two seconds when it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.drift import Drift
from bot.domain.judge.evidence.counters import Counts
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.judge.history.served import Edges, ServedTick
from bot.domain.records import (
    Active,
    Answer,
    AuditEntry,
    Claimed,
    Due,
    GivenUp,
    Judged,
    LaneRow,
    Loaded,
    Lock,
    RolloutChange,
    RolloutSummary,
    SeriesPoint,
    Situation,
)
from bot.domain.rollout.events import CallPeople, Transition
from bot.domain.rollout.model import Lane, Rollout
from bot.ports.reports import ExportStore, ReportStore
from bot.ports.retention import NoteKind
from bot.ports.watch.alerts import AlertStore, WatchedLanes
from bot.ports.watch.incidents import IncidentStore
from bot.ports.watch.monitors import MonitorStore
from bot.ports.watch.oncall import OnCallStore
from bot.ports.watch.silences import SilenceStore

# Kind of the notes that hold the panic stop of a server; their key is the server's id.
PANIC_NOTE: NoteKind = "panic"
# Of a message that concerns a whole server.
NO_LANE = Lane("", "")


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a rollout's card is. `drawn`: hash of what was last drawn, so that an equal edit is not sent."""

    rollout_id: int
    channel_id: int
    message_id: int
    thread_id: int | None
    posted_at: datetime
    drawn: str = ""


class CardStore(Protocol):
    """Where cards are."""

    async def card(self, rollout_id: int) -> CardRef | None: ...

    async def put_card(self, ref: CardRef) -> None: ...

    async def redrawn(self, rollout_id: int, drawn: str) -> None:
        """The card shows what has the digest `drawn` now."""
        ...


class NoteStore(Protocol):
    """Small facts that outlive the process, by kind and key: synced command hashes, posted keys, breakers."""

    async def note(self, kind: NoteKind, key: str) -> Mapping[str, object] | None: ...

    async def put_note(self, kind: NoteKind, key: str, value: Mapping[str, object]) -> None: ...


class RolloutStore(Protocol):
    """Rollouts. A change is saved whole or not at all."""

    async def next_id(self) -> int: ...

    async def load(self, rollout_id: int, known: Loaded | None = None) -> Loaded | None:
        """The rollout as it is stored. known: what the caller has of it, returned if it is from the newest save."""
        ...

    async def answers(self, interactions: Sequence[str]) -> Mapping[str, Answer]:
        """Answers to these interactions, by id; those that were not recorded are left out."""
        ...

    async def save(self, change: RolloutChange) -> bool:
        """Save the change; False, with nothing saved, when the rollout has changed meanwhile or the claim was lost.

        For a new rollout: False when its lane has changed meanwhile, or a panic stop keeps it from starting.

                Raises `LaneTaken` for a new rollout, `AlreadyAnswered`.
        """
        ...

    async def panic(
        self, guild_id: int, note: Mapping[str, object], calls: Sequence[CallPeople] = ()
    ) -> None:
        """Switch a server's panic stop; every rollout that started without seeing it is in `active` afterwards."""
        ...

    async def active(self) -> Sequence[Active]:
        """The rollouts that are not final, oldest first."""
        ...


class EffectStore(Protocol):
    """The outbox: effects that are not done yet, claimed under a lease and a fence."""

    async def claim(
        self, kinds: Sequence[str], limit: int, lease_s: float, holding: Sequence[int]
    ) -> Sequence[Claimed]:
        """Claim open effects that are due, urgent ones first; `holding`: ids that this process works on already."""
        ...

    async def renew(self, claims: Sequence[Claimed], lease_s: float) -> set[int]:
        """Extend leases; returns the ids that still belong to this process."""
        ...

    async def close(self, claims: Sequence[Claimed]) -> None: ...

    async def watch(self, claim: Claimed, after_s: float, spent_s: float) -> None:
        """Mark the effect as sent, to be polled after `after_s`; `spent_s` more of its time are used up then."""
        ...

    async def retry(self, claim: Claimed, after_s: float, error: str, *, failed: bool) -> None:
        """Make the effect due again after `after_s`. `failed`: count an attempt; `Unreachable` is none."""
        ...

    async def poison(self, claim: Claimed, given_up: GivenUp) -> None:
        """Give up an effect; its audit line and the alerts are written in the same transaction."""
        ...

    async def say(self, claim: Claimed, key: str, text: str) -> None:
        """Add a line to the log of the claim's rollout; one with the same key is not repeated."""
        ...

    async def order(self, row: LaneRow, key: str, timeout_s: float, entry: AuditEntry) -> None:
        """Order a lane's desired state outside of any rollout (repair)."""
        ...


class TimerStore(Protocol):
    async def due(self, now: datetime, limit: int) -> Sequence[Due]: ...

    async def drop(self, timer: Due) -> None:
        """Delete a timer that is not waited for; a newer one of that name stays."""
        ...


Known = Callable[[int], Loaded | None]


def unknown(rollout_id: int) -> Loaded | None:
    """Nothing is known of any rollout."""
    return None


class TickStore(Protocol):
    """Ticks of the judge, in batches."""

    async def due_ticks(
        self, now: datetime, limit: int, without: Sequence[int] = (), known: Known = unknown
    ) -> Sequence[tuple[Loaded, datetime]]:
        """Rollouts to measure now, each with its planned time.

        without: ids that are being measured already. known: what the caller has of a rollout, which is not read again
        if it is from the newest save.
        """
        ...

    async def save_ticks(self, ticks: Sequence[Judged]) -> set[int]:
        """Save ticks; returns the ids of those saved. The other rollouts have changed in the meantime."""
        ...

    async def hasten(self, now: datetime) -> None:
        """Make due now every tick that is planned for later than one tick from now."""
        ...

    async def postpone(self, rollout: Rollout, tick_at: datetime) -> None:
        """Set the time of the next tick; nothing else changes."""
        ...


class LaneStore(Protocol):
    """Lanes, locks and the releases known in a lane."""

    async def situation(self, lane: Lane, now: datetime) -> Situation: ...

    async def lanes(self) -> Sequence[LaneRow]: ...

    async def adopt(self, row: LaneRow, entry: AuditEntry) -> bool:
        """Take over a lane's state; False when the lane has a row already."""
        ...

    async def newest(self, lane: Lane, generation: int) -> None:
        """Record a generation that the target has seen: the next order must be newer."""
        ...

    async def heard(
        self, row: LaneRow, drift: Drift, entry: AuditEntry | None, calls: Sequence[CallPeople] = ()
    ) -> bool:
        """Record drift found between rollouts; False, with nothing recorded, when the lane has changed meanwhile."""
        ...

    async def lock(self, lock: Lock, entry: AuditEntry) -> None: ...

    async def unlock(self, lane: Lane, entry: AuditEntry) -> bool: ...

    async def lift(self, lock: Lock, entry: AuditEntry) -> bool:
        """End the quarantine: Slipway's lock goes, a person's stays for every release.

        False, with nothing recorded, when the lane has no such quarantine any more.
        """
        ...

    async def locks(self, now: datetime) -> Mapping[Lane, Lock]: ...

    async def record(self, entry: AuditEntry) -> None: ...


class HistoryStore(Protocol):
    """History, for people to read."""

    async def history(
        self, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]: ...

    async def last_successes(self, lanes: Sequence[Lane]) -> Mapping[Lane, RolloutSummary]:
        """The newest rollout of each lane that succeeded."""
        ...

    async def transitions(self, rollout_id: int) -> Sequence[Transition]: ...

    async def happened(
        self, lane: Lane, since: datetime, until: datetime, limit: int
    ) -> Sequence[Transition]:
        """The newest audit lines of a lane from `since` to `until`, oldest first."""
        ...

    async def series(self, rollout_id: int, limit: int) -> Sequence[SeriesPoint]:
        """The newest `limit` points, oldest first, without `SeriesPoint.judged`."""
        ...

    async def judged(self, rollout_id: int, limit: int) -> Sequence[JudgedTick]:
        """The newest `limit` ticks that the judge took, oldest first, as far as they are kept."""
        ...

    async def succeeded_at(self, lane: Lane, digest: str) -> datetime | None:
        """When this release last succeeded in the lane and was not rolled back since."""
        ...


class ServedStore(Protocol):
    """What stable served, lane by lane: full ticks first, minutes later. Times are unix seconds, to the millisecond."""

    async def append(self, ticks: Sequence[tuple[Lane, ServedTick]]) -> None:
        """Add ticks. One that ends when another of its lane does is the same tick, added again."""
        ...

    async def read(self, lane: Lane, since: float = 0.0) -> Sequence[ServedTick]:
        """The lane's ticks that end at `since` or later, oldest first."""
        ...

    async def strips(
        self, lanes: Sequence[Lane], measure: str, since: float, slot_s: float
    ) -> Mapping[Lane, Mapping[int, Counts]]:
        """What these lanes served from `since` on, in slots of `slot_s` seconds, by the slots' numbers.

        Lanes and slots in which the measure was not counted are left out.
        """
        ...

    async def thin(self, lane: Lane, edges: Edges) -> bool:
        """Make minutes of some full ticks before the edge; True when there are more."""
        ...

    async def forget(self, before: float) -> bool:
        """Delete some of what ended before, of lanes that left the catalog too; True when there is more.

        A store deletes by the block, so up to six hours stay longer.
        """
        ...


class Housekeeping(Protocol):
    async def lead(self, name: str, owner: str, ttl_s: float) -> bool:
        """Whether this owner has the named lease for the next `ttl_s` seconds."""
        ...

    async def resign(self, name: str, owner: str) -> None:
        """Release the lease, if this owner has it."""
        ...

    async def tidy(
        self, samples_before: datetime, effects_before: datetime, records_before: datetime
    ) -> bool:
        """Delete some outdated rows; True when there are more. The audit log stays, and what is open.

        records_before: alerts and incidents that were over by then, with their timelines. An alert of an incident that
        is open stays with it. Silences, on-call overrides and test pages of before it go too. In the
        middle of a long timeline of an alert that is open, trouble that came and went goes (`PASSING`, from
        `bot.ports.watch.alerts.KEPT_FIRST` lines on); one line says how many lines went.
        """
        ...

    async def queue(self) -> tuple[int, float]:
        """Number of open effects that are due, and for how many seconds the oldest has been."""
        ...

    async def phases(self) -> Mapping[str, int]:
        """Active rollouts by phase."""
        ...

    async def ping(self) -> None: ...


class Store(Protocol):
    """The database, one property per area."""

    @property
    def rollouts(self) -> RolloutStore: ...
    @property
    def effects(self) -> EffectStore: ...
    @property
    def timers(self) -> TimerStore: ...
    @property
    def ticks(self) -> TickStore: ...
    @property
    def lanes(self) -> LaneStore: ...
    @property
    def history(self) -> HistoryStore: ...
    @property
    def served(self) -> ServedStore: ...
    @property
    def alerts(self) -> AlertStore: ...
    @property
    def incidents(self) -> IncidentStore: ...
    @property
    def watched(self) -> WatchedLanes: ...
    @property
    def on_call(self) -> OnCallStore: ...
    @property
    def silences(self) -> SilenceStore: ...
    @property
    def monitors(self) -> MonitorStore: ...
    @property
    def reports(self) -> ReportStore: ...
    @property
    def exports(self) -> ExportStore: ...
    @property
    def housekeeping(self) -> Housekeeping: ...
    @property
    def cards(self) -> CardStore: ...
    @property
    def notes(self) -> NoteStore: ...
