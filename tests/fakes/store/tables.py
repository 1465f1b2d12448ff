"""Tables of the database in memory. Rows are frozen, so a backup is a shallow copy."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from bot.domain.judge.evidence.ticks import EvidenceState
from bot.domain.judge.history.served import ServedTick
from bot.domain.records import Answer, AuditEntry, KnownRelease, LaneRow, Lock, SeriesPoint
from bot.domain.reports.records import ServedDays
from bot.domain.rollout.events import Effect, Transition
from bot.domain.rollout.model import Lane, Rollout
from bot.domain.watch.alerts.alert import Alert, Entry
from bot.domain.watch.alerts.silences import Silence
from bot.domain.watch.checks import MonitorState
from bot.domain.watch.incidents.incident import Incident, IncidentEntry
from bot.domain.watch.locations import LocationLook
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import Override
from bot.domain.watch.rules import WatchState
from bot.ports.store import CardRef
from bot.ports.watch.alerts import AlertCard
from bot.ports.watch.incidents import IncidentCard
from bot.ports.watch.monitors import MonitorKey
from bot.ports.watch.oncall import ReadCalendar, Told

T = TypeVar("T")
P = ParamSpec("P")
OPEN = ("pending", "leased")


@dataclass(frozen=True, slots=True)
class RolloutRow:
    rollout: Rollout
    evidence: EvidenceState | None
    next_tick: datetime | None


@dataclass(frozen=True, slots=True)
class EffectRow:
    id: int
    key: str
    rollout_id: int | None
    lane: Lane
    effect: Effect
    due_at: datetime
    created_at: datetime
    generation: int | None = None
    urgent: bool = False
    state: str = "pending"
    attempts: int = 0
    fence: int = 0
    done_at: datetime | None = None
    last_error: str = ""
    watched_s: float = 0.0

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def kind(self) -> str:
        return self.effect.kind


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A line of the audit log: of a rollout (`line`), or of a lane (`entry`)."""

    rollout_id: int | None
    lane: Lane
    line: Transition
    entry: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class SilenceRow:
    silence: Silence
    begun: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True)
class AlertRow:
    alert: Alert
    due_at: datetime | None
    drawn: int = 0


@dataclass(frozen=True, slots=True)
class IncidentRow:
    incident: Incident
    due_at: datetime | None
    drawn: int = 0
    card: IncidentCard | None = None


@dataclass
class Tables:
    """Everything that is stored. `copy` is a backup of it."""

    rollouts: dict[int, RolloutRow] = field(default_factory=dict)
    active: dict[Lane, int] = field(default_factory=dict)  # the partial unique index
    effects: dict[int, EffectRow] = field(default_factory=dict)
    open: dict[int, EffectRow] = field(
        default_factory=dict
    )  # the partial index of those that are due or leased
    keys: dict[str, int] = field(default_factory=dict)
    timers: dict[tuple[int, str], tuple[int, datetime]] = field(default_factory=dict)
    lanes: dict[Lane, LaneRow] = field(default_factory=dict)
    locks: dict[Lane, Lock] = field(default_factory=dict)
    releases: dict[tuple[Lane, str], KnownRelease] = field(default_factory=dict)
    audit: list[AuditRow] = field(default_factory=list)
    interactions: dict[str, tuple[Answer, datetime]] = field(default_factory=dict)
    notes: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    samples: list[tuple[int, SeriesPoint]] = field(default_factory=list)
    served: dict[Lane, tuple[ServedTick, ...]] = field(default_factory=dict)
    cards: dict[int, CardRef] = field(default_factory=dict)
    alerts: dict[int, AlertRow] = field(default_factory=dict)
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    alert_cards: dict[tuple[int, int], AlertCard] = field(default_factory=dict)
    incidents: dict[int, IncidentRow] = field(default_factory=dict)
    incident_entries: list[tuple[int, IncidentEntry]] = field(default_factory=list)
    watched: dict[Lane, WatchState] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    silences: dict[int, SilenceRow] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    calendars: dict[str, ReadCalendar] = field(default_factory=dict)
    pages: dict[tuple[str, datetime], Page] = field(default_factory=dict)
    monitors: dict[MonitorKey, MonitorState] = field(default_factory=dict)
    looks: dict[tuple[MonitorKey, str], tuple[float, LocationLook]] = field(
        default_factory=dict
    )  # with when saved
    served_days: dict[tuple[Lane, date], tuple[ServedDays, datetime]] = field(default_factory=dict)
    reports_posted: dict[int, datetime] = field(default_factory=dict)
    manifests: dict[str, object] = field(default_factory=dict)
    last_alert: int = 0
    last_incident: int = 0
    last_rollout: int = 0
    last_effect: int = 0

    def copy(self) -> Tables:
        """As it is now, for a restore later."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Tables(**{k: v.copy() if isinstance(v, (dict, list)) else v for k, v in values.items()})

    # ---- rows that have indices ----

    def put_rollout(self, row: RolloutRow) -> None:
        rollout = row.rollout
        self.rollouts[rollout.id] = row
        if not rollout.phase.final:
            self.active[rollout.lane] = rollout.id
        elif self.active.get(rollout.lane) == rollout.id:
            del self.active[rollout.lane]

    def put_lane(self, row: LaneRow) -> None:
        """The row with a new desired state."""
        self.lanes[row.lane] = replace(row, stamp=secrets.token_hex(4))

    def put_effect(self, row: EffectRow) -> None:
        self.effects[row.id] = row
        if row.open:
            self.open[row.id] = row
        else:
            self.open.pop(row.id, None)

    def change_effect(self, effect_id: int, **changes: object) -> None:
        self.put_effect(replace(self.effects[effect_id], **changes))  # type: ignore[arg-type]

    def drop_effect(self, effect_id: int) -> None:
        gone = self.effects.pop(effect_id)
        self.open.pop(effect_id, None)
        del self.keys[gone.key]

    def add_effect(
        self,
        now: datetime,
        key: str,
        rollout_id: int | None,
        lane: Lane,
        effect: Effect,
        *,
        due_at: datetime | None = None,
        generation: int | None = None,
        urgent: bool = False,
    ) -> bool:
        """False, and nothing added, when the key is there, or the rollout's redraw is pending already."""
        redraw = effect.kind == "draw_card" and any(
            e.rollout_id == rollout_id and e.kind == "draw_card" and e.state == "pending"
            for e in self.open.values()
        )
        if key in self.keys or redraw:
            return False
        self.last_effect += 1
        row = EffectRow(
            self.last_effect,
            key,
            rollout_id,
            lane,
            effect,
            due_at or now,
            now,
            generation=generation,
            urgent=urgent,
        )
        self.keys[key] = row.id
        self.put_effect(row)
        return True

    def claimed(self, effect_id: int, fence: int) -> EffectRow | None:
        """The effect, while it is leased under this fence."""
        row = self.effects.get(effect_id)
        return row if row is not None and row.state == "leased" and row.fence == fence else None

    def record(self, entry: AuditEntry) -> None:
        line = Transition(entry.actor, entry.at, entry.what, entry.why, "", "", entry.details)
        self.audit.append(AuditRow(entry.rollout_id, entry.lane, line, entry))


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """One call of a store's method, to be run on the tables: as a whole or not at all."""

    part: str  # of `bot.ports.store.Store`
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    run: Callable[[Tables, datetime], T]


class MemoryDatabase:
    """Runs statements one after the other, in the server's time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tables = Tables()
        self.now = now

    async def do(self, statement: Statement[T]) -> T:
        return statement.run(self.tables, self.now())


class Part:
    """One part of the store; each of its methods is a `statement`."""

    part: str

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database


def statement(
    body: Callable[Concatenate[Any, Tables, datetime, P], T],
) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """A method of a port, written as what it does to the tables at the server's time."""

    @functools.wraps(body)
    async def method(self: Part, *args: P.args, **kwargs: P.kwargs) -> T:
        def run(tables: Tables, now: datetime) -> T:
            return body(self, tables, now, *args, **kwargs)

        return await self.database.do(Statement(self.part, body.__name__, args, kwargs, run))

    return method
