"""On-call schedules for tests: people, a catalog that has them, and the engine's part on a store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.domain.config import Catalog, GuildConfig
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import CalendarSource, OnCallSchedule, Person
from bot.engine.watch.oncall.overrides import OverrideRequest
from bot.engine.watch.oncall.service import OnCall
from bot.ports.errors import Unreachable
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.actors import ONCALL
from tests.support.catalogs import GUILD, catalog
from tests.support.clocks import FrozenClock

ADA, GRACE, ALAN = Person(101, "ada"), Person(102, "grace"), Person(103, "alan")
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
# Wednesday of grace's week: she took over from ada on Monday 2026-11-09 at 9:00 in Berlin, and hands over to alan.
NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
HAND_OVER = datetime(2026, 11, 16, 8, tzinfo=UTC)


def schedule(name: str = "payments", *people: Person, **more: object) -> OnCallSchedule:
    """ada, grace and alan in weekly turns, each from Monday 9:00 in Berlin."""
    rotation = Rotation("Europe/Berlin", datetime(2026, 11, 2, 9), WEEK)
    usual = OnCallSchedule(name, people or (ADA, GRACE, ALAN), "Europe/Berlin", rotation)
    return replace(usual, **more)  # type: ignore[arg-type]


def with_schedules(has: Catalog, *schedules: OnCallSchedule) -> Catalog:
    """The catalog, and in all its lanes the first of these schedules."""
    first = schedules[0].name if schedules else None
    lanes = {lane: replace(config, on_call=first) for lane, config in has.lanes.items()}
    return replace(has, lanes=lanes, on_call={each.name: each for each in schedules})


class PeopleOfServers:
    """Implements `gone` of `bot.ports.members.Members`. left: who is not there any more."""

    def __init__(self) -> None:
        self.left: set[int] = set()

    async def roles(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
        return frozenset()

    async def gone(self, guild: GuildConfig, user_ids: Iterable[int]) -> frozenset[int]:
        return frozenset(self.left & set(user_ids))


@dataclass
class FakeCalendarReader:
    """Implements `bot.ports.watch.oncall.CalendarReader`: ada is always on call. problem: why it cannot be read."""

    problem: str = ""
    reads: list[tuple[str, str]] = field(default_factory=list)
    asked: tuple[datetime, datetime] | None = None

    async def read(
        self, source: CalendarSource, zone: str, since: datetime, until: datetime
    ) -> Sequence[CalendarEvent]:
        self.reads.append((source.file, zone))
        self.asked = (since, until)
        if self.problem:
            raise Unreachable(self.problem)
        return [CalendarEvent(since, until, ADA.name)]


@dataclass
class Desk:
    """A catalog with schedules, and what people and loops need of them."""

    catalog: Catalog = field(default_factory=lambda: with_schedules(catalog(), schedule()))
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW))
    members: PeopleOfServers = field(default_factory=PeopleOfServers)

    def __post_init__(self) -> None:
        self.store = MemoryStore(MemoryDatabase(self.clock.now))
        self.on_call = OnCall(self.store.on_call, lambda: self.catalog, self.clock, self.members)

    @property
    def messages(self) -> list[CallPeople]:
        """What was to be posted so far, oldest first."""
        rows = self.store.effects.database.tables.effects.values()
        return [row.effect for row in rows if isinstance(row.effect, CallPeople)]

    def asked(self, person: Person = ADA, hours: float = 8, **more: object) -> OverrideRequest:
        now = self.clock.now()
        usual = OverrideRequest(GUILD, ONCALL, "payments", person, now, now + hours * HOUR, "a dentist")
        return replace(usual, **more)  # type: ignore[arg-type]
