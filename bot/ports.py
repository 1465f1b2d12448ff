"""Every Protocol that the inside needs of the outside, on one page.

"No data" is a value; "cannot reach" is an error (`Unreachable`). Adapters translate their own exceptions
into these. Records, connections and payloads of a library never cross a port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.domain.applications import Application, Scope
from bot.domain.events import CallPeople, RestoreCommands, RunSync, Transition
from bot.domain.evidence import Sample
from bot.domain.manifest.records import (
    Accepted,
    KnownManifest,
    Manifest,
    ScopeBackup,
    ScopeChange,
    ScopeReading,
    StoredBackup,
    StoredChange,
)
from bot.domain.model import Desired, HttpCheck, Lane, Observed, Release, Rollout
from bot.domain.records import (
    Active,
    Answer,
    Change,
    Claimed,
    Due,
    Entry,
    Judged,
    LaneRow,
    Loaded,
    Lock,
    RolloutSummary,
    SeriesPoint,
    Situation,
)


class Unreachable(Exception):
    """The outside did not answer. Says nothing about whether a call was applied."""


class StaleGeneration(Exception):
    """The target has seen a newer generation for this lane and refused the older one."""


class TargetRefused(Exception):
    """The target understood and will not: the sentence says why (bad spec, exclusive, artifact missing)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do. `weights`: any split, or only 0 and 100. `warm`: keeps a release without traffic."""

    weights: bool = True
    warm: bool = True


class DeployTarget(Protocol):
    """Runs releases in an environment. Level-triggered: `apply` is declarative and may be repeated."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def observe(self, lane: Lane) -> Observed:
        """What runs now. An unknown lane is `Observed(0)`. Raises `Unreachable`."""
        ...

    async def apply(self, lane: Lane, desired: Desired) -> None:
        """Accept what is desired and start to bring it about; `observe` tells when it is so.

        Raises `StaleGeneration`, `TargetRefused`, `Unreachable` (perhaps applied).
        """
        ...

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        """All traffic to stable, at once, under a generation newer than any seen. Raises `Unreachable`.

        `Observed.abort` tells of it until a desired state of a newer generation is applied.
        """
        ...


class MetricSource(Protocol):
    """Reads cumulative counts of releases. The judge takes deltas."""

    @property
    def name(self) -> str: ...

    async def sample(self, lane: Lane, digests: Sequence[str]) -> Sequence[Sample]:
        """One `Sample` for each digest, in order. What cannot be read is a `Sample` with `error` set."""
        ...


class ReleaseSource(Protocol):
    """Knows which releases of a service exist."""

    async def releases(self, service: str, environment: str) -> Sequence[Release]:
        """Newest first; specs resolved for `environment`. Raises `Unreachable`."""
        ...


class Checker(Protocol):
    """Asks a candidate over HTTP before it gets traffic."""

    async def check(self, address: str, check: HttpCheck) -> str | None:
        """None when it passed, else a sentence with what was expected and what came."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """A short message that people must hear. `key` makes posting repeatable (≤ 25 characters)."""

    key: str
    rollout_id: int
    what: str
    text: str
    mention_roles: tuple[str, ...] = ()
    mention_users: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people must see and that belongs to no rollout. `over`: the end of what was told before.

    `key` makes posting repeatable (≤ 24 characters).
    """

    key: str
    guild_id: int
    title: str
    text: str
    mention_roles: tuple[str, ...] = ()
    over: bool = False


class Alarm(Protocol):
    """Calls people in #alerts."""

    async def alert(self, alert: Alert) -> None:
        """Posts once for each key. Raises `Unreachable` to be tried again later."""
        ...


class Announcer(Alarm, Protocol):
    """Speaks in Discord. Every call may be repeated with the same key and posts once.

    Each returns when Discord has it. Raises `Unreachable` to be tried again later; a channel that is gone or
    closed to us is reported by the announcer elsewhere and is not an error: a rollout never waits for a card.
    """

    async def draw_card(self, rollout_id: int) -> None: ...

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None: ...

    async def notify(self, notice: Notice) -> None: ...


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a rollout's card is. `drawn` is a hash of what was last drawn, so that equal edits are spared."""

    rollout_id: int
    channel_id: int
    message_id: int
    thread_id: int | None
    posted_at: datetime
    drawn: str = ""


class CardBook(Protocol):
    """Remembers where cards are, in the database."""

    async def card(self, rollout_id: int) -> CardRef | None: ...

    async def put_card(self, ref: CardRef) -> None: ...


class Notebook(Protocol):
    """Small facts that outlive the process, by kind and key: synced command hashes, posted keys, breakers."""

    async def note(self, kind: str, key: str) -> Mapping[str, object] | None: ...

    async def put_note(self, kind: str, key: str, value: Mapping[str, object]) -> None: ...


class RateLimiter(Protocol):
    """Fixed budgets by person and category, shared by all processes where Redis is configured."""

    async def hit(self, category: str, person: int) -> float:
        """Take one; 0.0 when allowed, else the seconds until the next one would be."""
        ...


class Waker(Protocol):
    """Tells other tasks and processes that there is work. May be lost: everybody polls as well."""

    async def wake(self, topic: str) -> None: ...

    async def wait(self, topic: str, timeout_s: float) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime: ...


class Meter(Protocol):
    """Numbers that operators watch. Every method returns at once and never raises."""

    def rollouts(self, by_phase: Mapping[str, int]) -> None: ...

    def rollout_ended(self, phase: str) -> None: ...

    def effect(self, kind: str, outcome: str, seconds: float) -> None: ...

    def effect_queue(self, depth: int, oldest_s: float) -> None: ...

    def verdict(self, outcome: str) -> None: ...

    def rolled_back(self, seconds: float) -> None: ...

    def tick(self, late_s: float) -> None: ...


# ---- the truth ---------------------------------------------------------------------------------------------
# Every method below raises `Unreachable` within about two seconds when the database does not answer.


class LaneTaken(Exception):
    """Another rollout is active in the lane (invariant 3)."""


class AlreadyAnswered(Exception):
    """The interaction was recorded by somebody else in the meantime: load again and give its answer."""


class RolloutStore(Protocol):
    """Rollouts, saved as one change or not at all."""

    async def next_id(self) -> int: ...

    async def load(self, rollout_id: int, interaction: str = "") -> Loaded | None: ...

    async def answer(self, interaction: str) -> Answer | None: ...

    async def save(self, change: Change) -> bool:
        """False when the rollout has moved on or the claim was lost, for a new one when its lane has: nothing is saved.

        Raises `LaneTaken` for a new rollout, `AlreadyAnswered`.
        """
        ...

    async def active(self, guild_id: int | None = None) -> Sequence[Active]:
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

    async def retry(self, claim: Claimed, after_s: float, error: str, *, failed: bool) -> None:
        """Due again after so long. `failed`: count it as an attempt; being unreachable is none."""
        ...

    async def poison(
        self, claim: Claimed, error: str, entry: Entry, calls: Sequence[CallPeople] = ()
    ) -> None:
        """Give up on an effect; the audit says so, and people are called, in the same transaction."""
        ...

    async def order(self, row: LaneRow, key: str, timeout_s: float, entry: Entry) -> None:
        """Order a lane's desired state outside of any rollout (repair)."""
        ...


class TimerStore(Protocol):
    async def due(self, now: datetime, limit: int) -> Sequence[Due]: ...

    async def drop(self, timer: Due) -> None:
        """Forget a timer that nobody waits for; a newer one of that name stays."""
        ...


class TickStore(Protocol):
    """What is judged, in batches."""

    async def due_ticks(self, now: datetime, limit: int) -> Sequence[tuple[Loaded, datetime]]:
        """Rollouts that are to be measured now, with the time each was planned for."""
        ...

    async def save_ticks(self, ticks: Sequence[Judged]) -> set[int]:
        """Ids of those that were saved; the others have moved on in the meantime."""
        ...

    async def add_point(self, rollout: Rollout, point: SeriesPoint) -> None: ...

    async def hasten(self, now: datetime) -> None:
        """Measure everything now that is planned for later."""
        ...

    async def postpone(self, rollout: Rollout, tick_at: datetime) -> None:
        """Measure it then; nothing else changes."""
        ...


class LaneStore(Protocol):
    """Lanes, locks and what is remembered about releases."""

    async def situation(self, lane: Lane, now: datetime) -> Situation: ...

    async def lanes(self) -> Sequence[LaneRow]: ...

    async def adopt(self, row: LaneRow, entry: Entry) -> bool:
        """Own a lane's state from now on; False when somebody did already."""
        ...

    async def newest(self, lane: Lane, generation: int) -> None:
        """The target has seen this generation: what is ordered next must be newer."""
        ...

    async def heard(
        self, row: LaneRow, drift: str, entry: Entry | None, calls: Sequence[CallPeople] = ()
    ) -> bool:
        """The drift that was found between rollouts; False, and nothing said, when the lane has moved on."""
        ...

    async def lock(self, lock: Lock, entry: Entry) -> None: ...

    async def unlock(self, lane: Lane, entry: Entry) -> bool: ...

    async def locks(self, now: datetime) -> Mapping[Lane, Lock]: ...

    async def record(self, entry: Entry) -> None: ...


class HistoryStore(Protocol):
    """What was, for people to read."""

    async def history(
        self, guild_id: int, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]: ...

    async def transitions(self, rollout_id: int) -> Sequence[Transition]: ...

    async def series(self, rollout_id: int, limit: int) -> Sequence[SeriesPoint]: ...

    async def succeeded_at(self, lane: Lane, digest: str) -> datetime | None:
        """When this release last succeeded in the lane and was not rolled back since."""
        ...


class Housekeeping(Protocol):
    async def lead(self, name: str, owner: str, ttl_s: float) -> bool:
        """Whether this owner runs the named loop for all processes, for the next `ttl_s` seconds."""
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
    def cards(self) -> CardBook: ...
    @property
    def notes(self) -> Notebook: ...


# ---- slash commands ----------------------------------------------------------------------------------------


class ManifestUnavailable(Exception):
    """The manifest cannot be had; the sentence says from where, and why."""


@dataclass(frozen=True, slots=True)
class SourcedManifest:
    """What a source gave: any JSON value, not validated. `where`: one line for people; `commit`: if it has one."""

    content: Any
    where: str
    commit: str = ""


class ManifestSource(Protocol):
    """Reads an application's manifest from where the catalog says."""

    async def read(self, application: Application) -> SourcedManifest:
        """As it is now. Raises `ManifestUnavailable`; bounded in time and size."""
        ...

    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        """The one that belongs to this release, where manifests are artifacts; else as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class ServedCommands:
    """What Discord has in one scope, as it answers: with ids, defaults filled in, localisations included."""

    commands: Sequence[Mapping[str, Any]]
    at: datetime
    ms: float


class CommandsSync(Protocol):
    """Slash commands as a step of another service's rollout."""

    async def sync(self, rollout_id: int, effect: RunSync) -> list[str]:
        """Bring them to the release's manifest; sentences say why not. Raises `Unreachable` to be tried again."""
        ...

    async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
        """Bring back what was there before that rollout. Raises `Unreachable`, `TargetRefused`."""
        ...


class CommandsReader(Protocol):
    """Reads Discord itself. One call each."""

    async def read(self, application: Application, scope: Scope) -> ServedCommands:
        """Raises `Unreachable`, `TargetRefused` (with a sentence: token, permission, unknown application)."""
        ...


class CommandBooks(Protocol):
    """What is remembered about manifests and changes, in the database. Every method may raise `Unreachable`."""

    async def put_manifest(
        self, manifest: Manifest, application: str, where: str, commit: str = "", *, found: bool = False
    ) -> None:
        """Keep it by its content. `found`: seen in Discord, which does not replace a better origin."""
        ...

    async def manifest(self, digest: str) -> Manifest | None: ...

    async def manifests(self, application: str, limit: int) -> Sequence[KnownManifest]:
        """Newest first."""
        ...

    async def by_guild_digest(self, guild_digest: str, application: str) -> Sequence[str]:
        """Digests of the manifests that look like this in a guild; the application's newest first."""
        ...

    async def accept(self, lane: Lane, desired: Desired) -> bool:
        """Remember what a lane was told; False for an older generation, or another meaning of the same."""
        ...

    async def accepted(self, lane: Lane) -> Accepted | None: ...

    async def withdrawn(self, lane: Lane, digest: str) -> None: ...

    async def aborted(self, lane: Lane, generation: int, abort: Mapping[str, Any]) -> None: ...

    async def back_up(self, change: ScopeChange, backup: ScopeBackup) -> None:
        """Keep what is there before `change`; the same state is kept once for each generation."""
        ...

    async def begin_change(self, change: ScopeChange) -> int:
        """Write down what is about to be done; what it creates counts against the day's budget from now on."""
        ...

    async def open_change(self, change: ScopeChange) -> int | None:
        """The id of this change if somebody began it and did not say how it ended."""
        ...

    async def end_change(self, change_id: int, result: str, detail: str, calls: int) -> None: ...

    async def creates(self, change: ScopeChange, since: datetime) -> Sequence[tuple[datetime, int]]:
        """Creations in the scope since then, oldest first, without those of `change` itself."""
        ...

    async def last_change(self, application_id: int, scope: Scope) -> str | None:
        """The digest that our last verified change left in a scope."""
        ...

    async def put_reading(self, reading: ScopeReading) -> None: ...

    async def readings(self, application_id: int, scope: Scope, limit: int) -> Sequence[ScopeReading]:
        """Newest first."""
        ...

    async def tidy_readings(self, before: datetime) -> None: ...


class CommandArchive(Protocol):
    """What was done to commands, for people to read."""

    async def backups(
        self, application: str, environment: str | None, before: int | None, limit: int
    ) -> Sequence[StoredBackup]: ...

    async def backup(self, backup_id: int) -> StoredBackup | None: ...

    async def changes(
        self, applications: Sequence[str], before: int | None, limit: int
    ) -> Sequence[StoredChange]: ...

    async def rate(self, applications: Sequence[str], since: datetime) -> tuple[int, int]:
        """How many changes were verified, of how many that ended."""
        ...

    async def took_over(self, row: LaneRow, entry: Entry) -> bool:
        """What was found is what the lane holds from now on; False while a rollout is active there."""
        ...
