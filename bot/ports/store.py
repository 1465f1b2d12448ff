"""The database. Every method raises `Unreachable` within about two seconds when it does not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a rollout's card is. `drawn` is a hash of what was last drawn, so that equal edits are spared."""

    rollout_id: int
    channel_id: int
    message_id: int
    thread_id: int | None
    posted_at: datetime
    drawn: str = ""


class CardStore(Protocol):
    """Remembers where cards are, in the database."""

    async def card(self, rollout_id: int) -> CardRef | None: ...

    async def put_card(self, ref: CardRef) -> None: ...


class NoteStore(Protocol):
    """Small facts that outlive the process, by kind and key: synced command hashes, posted keys, breakers."""

    async def note(self, kind: str, key: str) -> Mapping[str, object] | None: ...

    async def put_note(self, kind: str, key: str, value: Mapping[str, object]) -> None: ...


class RolloutStore(Protocol):
    """Rollouts, saved as one change or not at all."""

    async def next_id(self) -> int: ...

    async def load(self, rollout_id: int) -> Loaded | None: ...

    async def answers(self, interactions: Sequence[str]) -> Mapping[str, Answer]:
        """What these interactions were told, by id; those that were not recorded are left out."""
        ...

    async def save(self, change: RolloutChange) -> bool:
        """False when the rollout has moved on or the claim was lost: nothing is saved.

        Of a new one, when its lane has moved on, or a panic stop keeps it from starting.

        Raises `LaneTaken` for a new rollout, `AlreadyAnswered`.
        """
        ...

    async def panic(self, guild_id: int, note: Mapping[str, object]) -> None:
        """Switch a server's panic stop; every rollout that started without seeing it is in `active` afterwards."""
        ...

    async def active(self) -> Sequence[Active]:
        """The rollouts that are not final, oldest first."""
        ...


class EffectStore(Protocol):
    """The outbox: what is to be done, claimed under a lease and a fence."""

    async def claim(
        self, kinds: Sequence[str], limit: int, lease_s: float, holding: Sequence[int]
    ) -> Sequence[Claimed]:
        """Open effects that are due, urgent ones first; `holding` are ids this process is busy with."""
        ...

    async def renew(self, claims: Sequence[Claimed], lease_s: float) -> set[int]:
        """Extend leases; returns the ids that are still ours."""
        ...

    async def close(self, claims: Sequence[Claimed]) -> None: ...

    async def watch(self, claim: Claimed, after_s: float, spent_s: float) -> None:
        """Sent, and to be looked at again after so long; `spent_s` more of its time are used up then."""
        ...

    async def retry(self, claim: Claimed, after_s: float, error: str, *, failed: bool) -> None:
        """Due again after so long. `failed`: count it as an attempt; being unreachable is none."""
        ...

    async def poison(self, claim: Claimed, given_up: GivenUp) -> None:
        """Give up on an effect; the audit says so, and people are called, in the same transaction."""
        ...

    async def order(self, row: LaneRow, key: str, timeout_s: float, entry: AuditEntry) -> None:
        """Order a lane's desired state outside of any rollout (repair)."""
        ...


class TimerStore(Protocol):
    async def due(self, now: datetime, limit: int) -> Sequence[Due]: ...

    async def drop(self, timer: Due) -> None:
        """Forget a timer that nobody waits for; a newer one of that name stays."""
        ...


class TickStore(Protocol):
    """What is judged, in batches."""

    async def due_ticks(
        self, now: datetime, limit: int, without: Sequence[int] = ()
    ) -> Sequence[tuple[Loaded, datetime]]:
        """Rollouts that are to be measured now, with the time each was planned for; not those being measured."""
        ...

    async def save_ticks(self, ticks: Sequence[Judged]) -> set[int]:
        """Ids of those that were saved; the others have moved on in the meantime."""
        ...

    async def add_point(self, rollout: Rollout, point: SeriesPoint) -> None: ...

    async def hasten(self, now: datetime) -> None:
        """Measure now what is planned for later than one tick from now."""
        ...

    async def postpone(self, rollout: Rollout, tick_at: datetime) -> None:
        """Measure it then; nothing else changes."""
        ...


class LaneStore(Protocol):
    """Lanes, locks and what is remembered about releases."""

    async def situation(self, lane: Lane, now: datetime) -> Situation: ...

    async def lanes(self) -> Sequence[LaneRow]: ...

    async def adopt(self, row: LaneRow, entry: AuditEntry) -> bool:
        """Own a lane's state from now on; False when somebody did already."""
        ...

    async def newest(self, lane: Lane, generation: int) -> None:
        """The target has seen this generation: what is ordered next must be newer."""
        ...

    async def heard(
        self, row: LaneRow, drift: str, entry: AuditEntry | None, calls: Sequence[CallPeople] = ()
    ) -> bool:
        """The drift that was found between rollouts; False, and nothing said, when the lane has moved on."""
        ...

    async def lock(self, lock: Lock, entry: AuditEntry) -> None: ...

    async def unlock(self, lane: Lane, entry: AuditEntry) -> bool: ...

    async def locks(self, now: datetime) -> Mapping[Lane, Lock]: ...

    async def record(self, entry: AuditEntry) -> None: ...


class HistoryStore(Protocol):
    """What was, for people to read."""

    async def history(
        self, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]: ...

    async def transitions(self, rollout_id: int) -> Sequence[Transition]: ...

    async def series(self, rollout_id: int, limit: int) -> Sequence[SeriesPoint]: ...

    async def succeeded_at(self, lane: Lane, digest: str) -> datetime | None:
        """When this release last succeeded in the lane and was not rolled back since."""
        ...


class Housekeeping(Protocol):
    async def lead(self, name: str, owner: str, ttl_s: float) -> bool:
        """Whether this owner has the named lease for the next `ttl_s` seconds."""
        ...

    async def resign(self, name: str, owner: str) -> None:
        """Give the lease back, if this owner has it."""
        ...

    async def tidy(self, samples_before: datetime, effects_before: datetime) -> bool:
        """Forget some of what nobody needs any more; True when there is more of it. The audit stays."""
        ...

    async def queue(self) -> tuple[int, float]:
        """Open effects that are due, and for how many seconds the oldest has been."""
        ...

    async def phases(self) -> Mapping[str, int]:
        """Active rollouts by phase."""
        ...

    async def ping(self) -> None: ...


class Store(Protocol):
    """The database, by what is asked of it."""

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
    def housekeeping(self) -> Housekeeping: ...
    @property
    def cards(self) -> CardStore: ...
    @property
    def notes(self) -> NoteStore: ...
