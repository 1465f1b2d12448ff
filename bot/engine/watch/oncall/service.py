"""On-call schedules as people and alerts ask about them, and their overrides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig, unknown
from bot.domain.formatting import clean
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.escalation import Responder
from bot.domain.watch.oncall import schedule as oncall
from bot.domain.watch.oncall.calendar import shifts_of
from bot.domain.watch.oncall.pages import Page
from bot.domain.watch.oncall.schedule import (
    Calendar,
    OnCallSchedule,
    OnCallShift,
    Override,
    Person,
    Responders,
)
from bot.engine.watch.alerts.api import Reached
from bot.engine.watch.oncall.overrides import (
    Overridden,
    OverrideRequest,
    begin_of,
    concerned,
    entry_of,
    is_same,
    replaced,
    told_ahead,
)
from bot.engine.watch.oncall.rota import BACK, Rota
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.members import Members
from bot.ports.watch.oncall import OnCallStore, ReadCalendar

T = TypeVar("T")
_ANSWER_S = 2.0
_MEMBERS_S = 1.0
_RECENT_S = 2.0
_PAGES_BACK = timedelta(weeks=2)


@dataclass(frozen=True, slots=True)
class OnCallStatus:
    """One schedule now. shifts: the present one and those of the next four weeks; never empty.

    gone: ids of its people who are not in the server. lanes: those that it is for. problem: of its calendar.
    page: the last test page of the last weeks.
    """

    schedule: OnCallSchedule
    shifts: Sequence[OnCallShift]
    responders: Responders
    gaps: Sequence[OnCallShift] = ()
    gone: frozenset[int] = frozenset()
    lanes: Sequence[Lane] = ()
    problem: str = ""
    page: Page | None = None

    @property
    def now(self) -> OnCallShift:
        return self.shifts[0]


class OnCall:
    """Raises `UserError` with a sentence, or `Unreachable` within two seconds."""

    def __init__(
        self,
        store: OnCallStore,
        catalog: Callable[[], Catalog],
        clock: Clock,
        members: Members | None = None,
        *,
        answer_s: float = _ANSWER_S,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._members = members
        self._answer_s = answer_s
        self._recent: tuple[Catalog, Rota] | None = None

    async def rota(self) -> Rota:
        """Every schedule of the catalog now."""
        return await self._soon(self._rota())

    async def _rota(self) -> Rota:
        at, schedules = self._clock.now(), self._catalog().on_call
        if not schedules:
            return Rota(at, {}, ())
        overrides = await self._store.overrides(at - BACK)
        if any(each.source is not None for each in schedules.values()):
            read = await self._store.calendars()
            calendars = {name: _calendar(each, read.get(name)) for name, each in schedules.items()}
            schedules = {name: each.reading(calendars) for name, each in schedules.items()}
        return Rota(at, schedules, overrides)

    async def responders(self, schedule: str | None) -> Responders:
        """Whom to call now, first, second and last."""
        return (await self.rota()).responders(schedule) if schedule is not None else Responders()

    async def reached(self, lane: Lane | None, at: datetime) -> Mapping[Responder, Reached]:
        """Whom alerts of the lane call; empty where it has no schedule.

        Someone who has left all servers of the lane is left out: the role that is on call is called instead. Overrides
        may be two seconds old.
        """
        catalog = self._catalog()
        config = catalog.lanes.get(lane) if lane is not None else None
        if config is None or config.on_call not in catalog.on_call:
            return {}
        people = (await self._lately(catalog, at)).responders(config.on_call)
        named: dict[Responder, Person | None] = {
            "on_call": people.primary,
            "second": people.second,
            "lead": people.lead,
        }
        left = await self._left(config.guilds, [each.id for each in named.values() if each is not None])
        found = {
            who: Reached(users=(p.id,)) for who, p in named.items() if p is not None and p.id not in left
        }
        if people.lead is None and people.lead_role:
            found["lead"] = Reached(roles=(people.lead_role,))
        return found

    async def _lately(self, catalog: Catalog, at: datetime) -> Rota:
        """The schedules at that time, with overrides as they were read last: a storm of alerts reads them once."""
        if self._recent is None or self._recent[0] is not catalog or not _recently(self._recent[1].at, at):
            self._recent = catalog, await self.rota()
        return replace(self._recent[1], at=at)

    async def _left(self, guild_ids: Sequence[int], people: Sequence[int]) -> frozenset[int]:
        """Those who are in none of these servers."""
        guilds = [self._catalog().guilds[each] for each in guild_ids if each in self._catalog().guilds]
        gone = [await self.gone(guild, people) for guild in guilds]
        return frozenset.intersection(*gone) if gone else frozenset()

    async def status(self, guild_id: int, schedule: str | None = None) -> Sequence[OnCallStatus]:
        """The schedules that the guild may see, or the one of that name."""
        catalog = self._catalog()
        names = self._visible(guild_id, schedule)
        rota = await self.rota()
        found = [self._status(rota, name, catalog) for name in names if name in rota.schedules]
        gone = await self._gone(catalog.guilds[guild_id], found)
        tested = any(each.schedule.tested is not None for each in found)
        pages = await self._soon(self._store.pages(rota.at - _PAGES_BACK)) if tested else ()
        last = {page.schedule: page for page in pages}  # by the time when they were due
        return [replace(each, gone=gone, page=last.get(each.schedule.name)) for each in found]

    async def everywhere(self, schedule: str | None = None) -> Sequence[OnCallStatus]:
        """The schedules of all servers, without a look at who is still there: for the machine's own command line."""
        catalog = self._catalog()
        if schedule is not None and schedule not in catalog.on_call:
            raise unknown("schedule", schedule, catalog.on_call)
        rota = await self.rota()
        return [self._status(rota, name, catalog) for name in rota.schedules if schedule in (None, name)]

    def _status(self, rota: Rota, name: str, catalog: Catalog) -> OnCallStatus:
        schedule = rota.schedules[name]
        return OnCallStatus(
            schedule=schedule,
            shifts=rota.coming(name),
            responders=rota.responders(name),
            gaps=rota.gaps(name),
            lanes=[config.lane for config in catalog.lanes.values() if config.on_call == name],
            problem=schedule.calendar.problem if schedule.calendar else "",
        )

    async def _gone(self, guild: GuildConfig, found: Sequence[OnCallStatus]) -> frozenset[int]:
        people = {shift.person for each in found for shift in each.shifts}
        people |= {p for e in found for p in (e.responders.second, e.responders.lead)}
        return await self.gone(guild, [person.id for person in people if person is not None])

    async def gone(self, guild: GuildConfig, people: Collection[int]) -> frozenset[int]:
        """Those of these people who are not in the server, as far as Discord says so within a second."""
        if self._members is None or not people:
            return frozenset()
        try:
            async with asyncio.timeout(_MEMBERS_S):
                return await self._members.gone(guild, people)
        except TimeoutError:
            return frozenset()

    def schedule(self, guild_id: int, name: str) -> OnCallSchedule:
        """A schedule as the catalog has it. Raises `UserError` that offers the closest names."""
        (found,) = self._visible(guild_id, name)
        return self._catalog().on_call[found]

    def _visible(self, guild_id: int, name: str | None) -> Sequence[str]:
        known = self._catalog().schedules(guild_id)
        if name is None:
            return list(known)
        if name not in known:
            raise unknown("schedule", name, known)
        return [name]

    # ---- test pages ----------------------------------------------------------------------------------------

    async def answer_page(self, guild_id: int, actor: Actor, schedule: str, due_at: datetime) -> str:
        """Answer a test page, as the person it went to; a sentence for them. Again is as good as once."""
        self.schedule(guild_id, schedule)
        now = self._clock.now()
        found = [page for page in await self._soon(self._store.pages(due_at)) if page.schedule == schedule]
        if not found or found[0].due_at != due_at:
            raise phrasebook.page_over()
        page = found[0]
        if page.person.id != actor.id:
            raise phrasebook.not_your_page(page.person.name)
        if page.answered_at is None:
            if not await self._soon(self._store.answer_page(page, now)):
                raise phrasebook.page_over()
            page = replace(page, answered_at=now)
        assert page.answered_at is not None
        posted = await self._soon(self._store.posted([page.key(guild_id, "sent")]))
        since = page.reached(posted) or page.sent_at
        return phrasebook.page_answered(max(0.0, (page.answered_at - since).total_seconds()))

    async def _soon(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._answer_s):
                return await asked
        except TimeoutError:
            raise Unreachable(f"no answer within {self._answer_s:g} s") from None

    # ---- overrides -----------------------------------------------------------------------------------------

    def may_override(self, guild_id: int, schedule: str) -> Sequence[str]:
        """The roles that may: the guild's on-call role, and those that operate a lane of the schedule."""
        catalog = self._catalog()
        lanes = [config for config in catalog.visible(guild_id) if config.on_call == schedule]
        operating = [role for config in lanes for role in config.policy.operate_roles]
        return list(dict.fromkeys((catalog.guilds[guild_id].oncall_role, *operating)))

    async def override(self, request: OverrideRequest) -> Overridden:
        """Give the time to the person. The override is in the audit log when the call returns, and ends by itself.

        The same override once more is answered as before, and changes nothing.
        """
        name, person = request.schedule, request.person
        self.schedule(request.guild_id, name)
        roles = self.may_override(request.guild_id, name)
        if request.actor.via != "system" and not request.actor.roles & set(roles):
            raise phrasebook.needs_role("change who is on call", roles)
        reason = clean(request.reason)
        if not reason:
            raise phrasebook.reason_required("Say why, for the people who look at the schedule.")
        rota = await self.rota()
        since = begin_of(rota.at, request.since, request.until)
        there = oncall.on_call(rota.schedules[name], rota.overrides, since).override
        if there is not None and is_same(there, request, reason, since):
            return Overridden(there)
        if await self.gone(self._catalog().guilds[request.guild_id], [person.id]):
            raise phrasebook.cannot_be_on_call(person.name)
        instead = replaced(rota, name, since, request.until)
        if all(shift.person == person for shift in instead):
            raise phrasebook.on_call_anyway(person.name, name)
        wanted = Override(
            0, name, person, since, request.until, request.actor.id, request.actor.name, reason, rota.at
        )
        given = await self._give(wanted, instead, request)
        return Overridden(given, instead)

    async def _give(
        self, wanted: Override, instead: Sequence[OnCallShift], request: OverrideRequest
    ) -> Override:
        calls: list[CallPeople] = []
        if wanted.since > wanted.at:  # one that begins now is announced as a hand-over
            guild = self._catalog().guilds[request.guild_id]
            gone = await self.gone(guild, concerned(wanted, instead))
            calls.append(told_ahead(wanted, instead, guild.id, gone))
        return await self._soon(self._store.give(wanted, entry_of(wanted, instead, request), calls))


def _recently(then: datetime, at: datetime) -> bool:
    return abs((at - then).total_seconds()) < _RECENT_S


def _calendar(schedule: OnCallSchedule, read: ReadCalendar | None) -> Calendar:
    """What was read of the schedule's own calendar, not of one that it had before."""
    source = schedule.source
    if read is None or source is None or read.source != source.digest:
        return Calendar()
    return Calendar(shifts_of(read.events, schedule.people), read.until, read.problem)
