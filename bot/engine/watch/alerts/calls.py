"""Calls of alerts: the messages to roles, to people by themselves, and to war rooms that a change of an alert makes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.formatting import stamp
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import LEFT_OUT, Alert, AlertState, Call, Change, alert_line, told
from bot.domain.watch.alerts.escalation import AlertPolicy, Responder
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.api import Reached
from bot.ports.store import Store

_ROOM_LINES = 15
# So many alerts of a server call people by themselves in this time, and as many critical ones beside them.
MOST_CALLS, STORM = 20, timedelta(minutes=10)

# Who of a lane's schedule is meant by `on_call`, `second` and `lead` at a time; empty where it has none.
WhoIsOnCall = Callable[[Lane | None, datetime], Awaitable[Mapping[Responder, Reached]]]


async def no_schedule(lane: Lane | None, at: datetime) -> Mapping[Responder, Reached]:
    """The role that is on call in the server is called instead."""
    return {}


class AlertCalls:
    """Who is meant by an alert's calls, and what they are told. Methods raise `Unreachable`."""

    def __init__(self, store: Store, catalog: Callable[[], Catalog], on_call: WhoIsOnCall) -> None:
        self._store = store
        self._catalog = catalog
        self._on_call = on_call
        self._made: dict[tuple[int, bool], list[datetime]] = {}

    async def made(
        self, change: Change, now: datetime, *, opening: bool, pressed: bool = False
    ) -> Sequence[CallPeople]:
        """The messages of a change.

        opening: its card is a new message, which calls the first people itself. pressed: by a person, who is not kept
        waiting by a storm.
        """
        made: list[CallPeople] = []
        for index, call in enumerate(change.calls):
            if opening and not call.direct:
                continue
            few = frozenset(
                guild_id
                for guild_id in change.alert.guilds
                if pressed or not call.who or self._room(guild_id, change.alert.severity, now)
            )
            made += [] if opening else await self._calls(change.alert, call, index, now, few)
            made += await self._direct_calls(change.alert, call, index, now, few)
        return made

    def _room(self, guild_id: int, severity: Severity, now: datetime) -> bool:
        """Whether an alert may call people by itself: in a storm, they are called once for all of the rest."""
        key, since = (guild_id, severity is Severity.CRITICAL), now - STORM
        recent = [at for at in self._made.get(key, ()) if since < at <= now]
        self._made[key] = [*recent, now] if len(recent) < MOST_CALLS else recent
        return len(recent) < MOST_CALLS

    async def reached(self, alert: Alert, who: Sequence[Responder], guild_id: int, now: datetime) -> Reached:
        """Who is meant in one server. Where there is no schedule, its role that is on call stands for the people."""
        catalog = self._catalog()
        config = catalog.lanes.get(alert.lane) if alert.lane is not None else None
        guild = catalog.guilds.get(guild_id)
        people = await self._on_call(alert.lane, now)
        roles: list[str] = list(config.policy.notify_roles) if config is not None and "team" in who else []
        users: list[int] = []
        for one in who:
            if one != "team":
                found = people.get(one, Reached())
                users += found.users
                roles += found.roles
                if found == Reached() and guild is not None:
                    roles.append(guild.oncall_role)
        return Reached(tuple(dict.fromkeys(roles)), tuple(dict.fromkeys(users)))

    async def _calls(
        self, alert: Alert, call: Call, index: int, now: datetime, few: frozenset[int]
    ) -> list[CallPeople]:
        """few: servers in which there is no storm."""
        made = []
        for guild_id in alert.guilds:
            if guild_id not in few:
                reached = await self.reached(alert, call.who, guild_id, now)
                key = _storm_key(f"{guild_id}/{','.join((*reached.roles, *map(str, reached.users)))}", now)
                said = CallPeople(key, guild_id, phrasebook.MANY_ALERTS, phrasebook.many_alerts_wait())
                made.append(replace(said, mention_roles=reached.roles, mention_users=reached.users))
                continue
            room = room_text = ""
            if call.war_room and not await self._is_incident(alert, guild_id):
                room, room_text = f"incident-{now:%Y%m%d-%H%M}", await self._so_far(alert)
            reached = await self.reached(alert, call.who, guild_id, now)
            made.append(
                CallPeople(
                    _key(guild_id, alert, index),
                    guild_id,
                    _title(alert),
                    call.text,
                    reached.roles,
                    channel="incidents" if call.war_room else "alerts",
                    mention_users=tuple(dict.fromkeys((*reached.users, *call.users))),
                    room=room,
                    room_text=room_text,
                    alert_id=alert.id,
                    queue=f"alert/{alert.id}/{guild_id}",
                )
            )
        return made

    async def _direct_calls(
        self, alert: Alert, call: Call, index: int, now: datetime, few: frozenset[int]
    ) -> list[CallPeople]:
        """A message to each person whom a call reaches by themselves; one for all servers."""
        made: dict[int, CallPeople] = {}
        title = f"{alert.group}: {alert_line(alert)}"[:200]
        for guild_id in alert.guilds if call.direct else ():
            reached = await self.reached(alert, call.who, guild_id, now)
            for user in (*reached.users, *call.users):
                key = _key(f"direct/{user}", alert, index)
                said = CallPeople(key, guild_id, title, call.text, direct_to=user, alert_id=alert.id)
                said = replace(said, queue=f"alert/{alert.id}/direct/{user}")
                if guild_id not in few:
                    key = _storm_key(f"direct/{user}", now)
                    text = phrasebook.many_alerts_wait()
                    said = CallPeople(key, guild_id, phrasebook.MANY_ALERTS, text, direct_to=user)
                made.setdefault(user, said)
        return list(made.values())

    async def _is_incident(self, alert: Alert, guild_id: int) -> bool:
        """Whether an incident of the server has it: then people talk about it in that one's thread."""
        incidents = self._store.incidents
        if await incidents.of_origin(guild_id, f"alert-{alert.id}") is not None:
            return True
        return any(alert.id in each.alerts for each in await incidents.open(guild_id))

    async def _so_far(self, alert: Alert) -> str:
        """The beginning of a war room: what is wrong, and the timeline."""
        timeline = await self._store.alerts.timeline(alert.id, _ROOM_LINES)
        lines = []
        for entry in timeline:
            what = "" if entry.what == LEFT_OUT else f" {entry.what}:"
            lines.append(f"{stamp(entry.at)}{what} {told(entry.what, entry.text) or entry.by}")
        return "\n".join((f"{alert.group}: {alert_line(alert)}", *lines))


def pinged_at_first(alert: Alert, policy: AlertPolicy) -> tuple[Responder, ...]:
    """Whom the first message about an alert calls: those of the first step, if it was taken and no one has it."""
    steps = policy.of(alert.severity)
    wanted = alert.state is AlertState.FIRING and alert.silenced_until is None and alert.steps_done > 0
    return steps[0].who if steps and wanted and steps[0].after_s == 0 else ()


def _key(to: int | str, alert: Alert, index: int) -> str:
    """The same for every attempt at one call of one change."""
    return hashlib.sha256(f"{to}/alert/{alert.id}/{alert.version}/{index}".encode()).hexdigest()[:24]


def _storm_key(to: str, now: datetime) -> str:
    """The same for all alerts of a storm, until another message is due."""
    window = int(now.timestamp() // STORM.total_seconds())
    return hashlib.sha256(f"{to}/storm/{window}".encode()).hexdigest()[:24]


def _title(alert: Alert) -> str:
    return f"{alert.group}: {alert.first.finding.title}"[:200]
