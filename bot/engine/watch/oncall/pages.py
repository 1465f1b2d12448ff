"""Weekly test pages: sent to the person on call, answered by a button, and missed when no answer comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.pages import Page, due
from bot.domain.watch.oncall.schedule import OnCallSchedule
from bot.domain.watch.self_monitoring.rules import GATEWAY_AWAY
from bot.engine.watch.oncall.rota import ICON, Rota
from bot.engine.watch.oncall.service import OnCall
from bot.ports.watch.alerts import AlertStore
from bot.ports.watch.meter import NoWatchMeter, WatchMeter
from bot.ports.watch.oncall import OnCallStore

log = structlog.get_logger(__name__)

_LATELY = timedelta(days=1)
_BUTTON = "slipway-page"
_ID = re.compile(rf"{_BUTTON}:(?P<schedule>[^:]+):(?P<due>[0-9]{{1,10}})")


def button_of(page: Page) -> str:
    """The id of the button that answers the page: at most 100 characters."""
    return f"{_BUTTON}:{page.schedule}:{int(page.due_at.timestamp())}"


def named_by(custom_id: str) -> tuple[str, int] | None:
    """Schedule and due time, in unix seconds, of a page's button; None for other ids."""
    found = _ID.fullmatch(custom_id)
    return (found["schedule"], int(found["due"])) if found else None


class PageLoop:
    """Pages are rows: a restart loses and repeats none, and of two processes one sends it.

    While Discord is away, a page waits to be posted, and a person to answer it: that time does not count. alerts: know
    since when Slipway was connected to Discord again.
    """

    def __init__(
        self,
        on_call: OnCall,
        store: OnCallStore,
        alerts: AlertStore,
        catalog: Callable[[], Catalog],
        meter: WatchMeter | None = None,
    ) -> None:
        self._on_call = on_call
        self._meter = meter or NoWatchMeter()
        self._unanswered: set[tuple[str, datetime]] = set()
        self._store = store
        self._alerts = alerts
        self._catalog = catalog

    async def once(self) -> bool:
        """One round of the loop."""
        tested = [each for each in self._catalog().on_call.values() if each.tested is not None]
        if not tested:
            return False
        rota = await self._on_call.rota()
        sent = await self._store.pages(rota.at - _LATELY)
        known = {(page.schedule, page.due_at) for page in sent}
        for schedule in tested:
            due_at = due(schedule.tested, rota.at) if schedule.tested else None
            if due_at is not None and (schedule.name, due_at) not in known:
                await self._send(rota, schedule, due_at)
        for page in sent:
            self._count(page)
            if page.late(rota.at):
                await self._look(rota, page)
        return False

    def _count(self, page: Page) -> None:
        """Answers come to any process; this one counts those of pages that it has seen without."""
        key = (page.schedule, page.due_at)
        if page.answered_at is None:
            self._unanswered.add(key)
        elif key in self._unanswered:
            self._unanswered.discard(key)
            self._meter.page("answered")

    async def _send(self, rota: Rota, schedule: OnCallSchedule, due_at: datetime) -> None:
        person = rota.on_call(schedule.name).person if schedule.name in rota.schedules else None
        if person is None:
            return  # a gap is announced as such
        page = Page(schedule.name, due_at, person, rota.at)
        guilds = self._catalog().guilds_of_schedule(schedule.name)
        there = [each for each in guilds if not await self._on_call.gone(each, [person.id])]
        calls = [
            CallPeople(
                key=page.key(guild.id, "sent"),
                guild_id=guild.id,
                title=f"{schedule.name}: test page for {person.name}",
                text=phrasebook.ANSWER_PAGE,
                mention_users=(person.id,),
                icon=ICON,
                button=button_of(page),
                until=page.until,
                queue=_queue(guild, page),
            )
            for guild in there or guilds
        ]
        if await self._store.send_page(page, calls):
            self._meter.page("sent")
            log.info("test_page_sent", schedule=schedule.name, person=person.id)

    async def _look(self, rota: Rota, page: Page) -> None:
        """Miss the page if the person could have answered it: it was posted, and Discord was there for long enough."""
        guilds = self._catalog().guilds_of_schedule(page.schedule)
        posted_at = page.reached(await self._store.posted([page.key(each.id, "sent") for each in guilds]))
        if posted_at is None or not page.late(rota.at, posted_at):
            return
        back_at = await self._connected_since(rota.at)
        if page.late(rota.at, max(posted_at, back_at or posted_at)):
            await self._miss(rota, page, posted_at)

    async def _connected_since(self, at: datetime) -> datetime | None:
        """When Slipway was last connected to Discord again; `at` while it is not, None when it was not away lately."""
        alert = (await self._alerts.newest([GATEWAY_AWAY])).get(GATEWAY_AWAY)
        if alert is None:
            return None
        if not alert.over and alert.firing:
            return at
        return max((each.over_at or alert.ended_at or at for each in alert.troubles), default=None)

    async def _miss(self, rota: Rota, page: Page, posted_at: datetime) -> None:
        people = rota.responders(page.schedule)
        concerned = [each.id for each in (page.person, people.second, people.lead) if each is not None]
        calls: list[CallPeople] = []
        for guild in self._catalog().guilds_of_schedule(page.schedule):
            gone = await self._on_call.gone(guild, concerned)
            call = CallPeople(
                key=page.key(guild.id, "missed"),
                guild_id=guild.id,
                title=f"{page.schedule}: {page.person.name} was not reached",
                text=phrasebook.page_missed(page.person.name, posted_at),
                mention_roles=_roles(guild, people.lead_role),
                mention_users=tuple(each for each in dict.fromkeys(concerned) if each not in gone),
                queue=_queue(guild, page),
            )
            calls.append(call)
        if await self._store.miss_page(page, rota.at, calls):
            self._meter.page("missed")
            log.warning("test_page_missed", schedule=page.schedule, person=page.person.id)


def _roles(guild: GuildConfig, lead_role: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (guild.oncall_role, lead_role))))


def _queue(guild: GuildConfig, page: Page) -> str:
    return f"page/{guild.id}/{page.schedule}"
