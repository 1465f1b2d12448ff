"""Incidents: people and alerts open them, people work on them, and what comes due is done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import SYSTEM, Actor, Lane
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.incidents import actions
from bot.domain.watch.incidents.actions import IncidentActed
from bot.domain.watch.incidents.incident import (
    Incident,
    IncidentAction,
    IncidentCall,
    IncidentChange,
    IncidentEntry,
)
from bot.domain.watch.incidents.postmortem import PostmortemFacts, postmortem
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import AUDITED
from bot.engine.stepper import MESSAGES, Contended
from bot.engine.watch.alerts.calls import WhoIsOnCall, no_schedule
from bot.engine.watch.alerts.service import INCIDENTS, ending_roles
from bot.engine.watch.incidents.api import IncidentOpening, IncidentRequest, IncidentView, key_of
from bot.engine.watch.incidents.views import ENTRIES, view_of
from bot.ports.coordination import Clock, Waker
from bot.ports.store import NO_LANE, Store
from bot.ports.watch.incidents import IncidentSave

log = structlog.get_logger(__name__)

# What needs a role, or to have the incident: it decides for others.
_DECIDING = frozenset({IncidentAction.ASSIGN, IncidentAction.RESTORE, IncidentAction.CLOSE})
_ATTEMPTS = 20
_BATCH = 100
_ALERTS = 1000
_SHOWN = 25
# A card shows new lines of alerts and of the lane after this long.
_LOOK_AGAIN = timedelta(seconds=5)


class Incidents:
    """Raises `UserError` with a sentence, or `Unreachable` when the database is away."""

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        *,
        clock: Clock,
        waker: Waker,
        on_call: WhoIsOnCall = no_schedule,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._waker = waker
        self._on_call = on_call
        self._told: dict[int, tuple[int, datetime]] = {}
        self._looked_at: datetime | None = None

    # ---- opening ----

    async def open(self, request: IncidentOpening) -> Incident:
        """Open one; the incident that the alert has already, if it has one."""
        if request.alert_id:
            return await self._open_for_alert(request)
        origin = key_of(request.interaction) if request.interaction else ""
        there = await self._store.incidents.of_origin(request.guild_id, origin)
        if there is not None:
            return there
        now, lane = self._clock.now(), self._known(request)
        change = actions.begun(
            await self._store.incidents.next_id(),
            request.guild_id,
            lane,
            request.title,
            request.severity,
            by=request.actor,
            at=now,
            production=self._production(lane),
            origin=origin,
        )
        return await self._opened(change, now, request.actor)

    async def _open_for_alert(self, request: IncidentOpening) -> Incident:
        alert = await self._alert(request)
        there = await self._store.incidents.of_origin(request.guild_id, f"alert-{alert.id}")
        if there is not None:
            return there
        if alert.over and request.unless_over:
            raise phrasebook.incident_of_alert_over(alert.id)
        now = self._clock.now()
        change = actions.begun_by_alert(
            await self._store.incidents.next_id(),
            request.guild_id,
            alert,
            now,
            production=self._production(alert.lane),
            by=request.actor.name,
        )
        return await self._opened(change, now, request.actor)

    async def _opened(self, change: IncidentChange, now: datetime, actor: Actor) -> Incident:
        opened = change.incident
        if await self._saved(change, 0, now, actor):
            return opened
        there = await self._store.incidents.of_origin(opened.guild_id, opened.origin)
        assert there is not None, "it was opened meanwhile"
        return there

    async def about(self, request: IncidentOpening) -> Lane | None:
        """The lane that it would be about. Raises `UserError` for an alert that is not there."""
        if not request.alert_id:
            return request.lane
        return (await self._alert(request)).lane

    async def _alert(self, request: IncidentOpening) -> Alert:
        alert = await self._store.alerts.load(request.alert_id)
        if alert is None or request.guild_id not in alert.guilds:
            raise phrasebook.no_alert(request.alert_id)
        return alert

    def _known(self, request: IncidentOpening) -> Lane | None:
        lane = request.lane
        if lane is None:
            return None
        return self._catalog().lane(request.guild_id, lane.service, lane.environment).lane

    async def opened_by(
        self, alert: Alert, rooms: Mapping[int, str], now: datetime
    ) -> Sequence[IncidentSave]:
        """What an alert's war room opens, to be saved with the alert. An `OpensIncidents`."""
        made = []
        for guild_id, key in rooms.items():
            change = actions.begun_by_alert(
                await self._store.incidents.next_id(),
                guild_id,
                alert,
                now,
                production=self._production(alert.lane),
                room=key,
            )
            made.append(self._save_of(change, 0, SYSTEM, ()))
        return made

    # ---- people ----

    async def act(self, request: IncidentRequest) -> Incident:
        """What a person does, once for each `interaction`. A note or a mark after it was closed belongs to it, too."""

        def acted(incident: Incident, now: datetime) -> IncidentChange:
            self._allowed(incident, request)
            owner = incident.owner if incident.acknowledged_at is not None and not incident.over else None
            if request.unless_taken and owner is not None and owner.id != request.actor.id:
                raise phrasebook.incident_taken_by(incident.id, owner.name)
            done = IncidentActed(request.action, request.actor, now, request.text, request.person)
            change = actions.act_on(incident, done, self.policy(incident.lane))
            first, *others = change.entries
            return replace(change, entries=(replace(first, key=request.key), *others))

        return await self._changed(
            request.incident_id, request.guild_id, acted, request.actor, once=request.key
        )

    async def mark(
        self, thread_id: int, message_id: int, *, at: datetime, text: str, by: str
    ) -> Incident | None:
        """Record a marked message of an incident's thread, once; None for other threads."""
        incident = await self.talked_about(thread_id)
        if incident is None:
            return None
        key = f"message-{message_id}"
        return await self._changed(
            incident.id,
            incident.guild_id,
            lambda found, now: actions.marked(found, at=min(at, now), text=text, by=by, key=key),
            None,
            once=key,
        )

    async def tell(self, lane: Lane, text: str) -> None:
        """Add a line about a regression to the open incidents of the lane."""

        def told(incident: Incident, now: datetime) -> IncidentChange:
            return actions.told(incident, now, text)

        for incident in await self._store.incidents.open():
            if incident.lane == lane:
                await self._changed(incident.id, incident.guild_id, told, None)

    async def talked_about(self, thread_id: int) -> Incident | None:
        """The incident of a thread."""
        return await self._store.incidents.of_thread(thread_id)

    def _allowed(self, incident: Incident, request: IncidentRequest) -> None:
        actor = request.actor
        mine = incident.owner is not None and incident.owner.id == actor.id != 0
        person = request.person
        takes = request.action is IncidentAction.ASSIGN and (person is None or person.id == actor.id)
        if request.action not in _DECIDING or mine or takes:
            return
        roles = ending_roles(self._catalog(), incident.lane, request.guild_id)
        if not actor.roles & set(roles):
            raise phrasebook.not_your_incident(request.action, ", ".join(roles))

    # ---- reading ----

    async def listed(self, guild_id: int, *, closed: bool = False) -> Sequence[Incident]:
        """Open ones, the worst first; with `closed` the newest of all."""
        if closed:
            return await self._store.incidents.newest(guild_id, _SHOWN)
        return await self._store.incidents.open(guild_id)

    async def view(
        self, incident_id: int, guild_id: int | None = None, *, whole: bool = False
    ) -> IncidentView:
        """whole: as of `view_of`."""
        incident = await self._load(incident_id, guild_id)
        policy, now = self.policy(incident.lane), self._clock.now()
        return await view_of(self._store, incident, policy, now, whole=whole)

    async def postmortem(self, incident_id: int, guild_id: int, charts: Sequence[str] = ()) -> str:
        """The draft of a post-mortem as Markdown. charts: names of files that are sent with it."""
        view = await self.view(incident_id, guild_id, whole=True)
        facts = PostmortemFacts(view.incident, view.lines, view.times, view.alerts, view.deploys, charts)
        return postmortem(facts)

    # ---- alerts and time ----

    async def once(self) -> bool:
        """Follow the alerts of open incidents, and do what came due; whether there is more."""
        now = self._clock.now()
        due = await self._store.incidents.due(now, _BATCH)
        for incident in due:
            await self._asked(incident, now)
        opened = await self._store.incidents.open()
        if opened:
            alerts = await self._store.alerts.open(None, _ALERTS)
            look = self._looked_at is None or abs(now - self._looked_at) >= _LOOK_AGAIN
            self._looked_at = now if look else self._looked_at
            for incident in opened:
                if not await self._followed(incident, alerts, now) and look:
                    await self._redrawn(incident)
        self._told = {each.id: self._told[each.id] for each in opened if each.id in self._told}
        return len(due) == _BATCH

    async def _asked(self, incident: Incident, now: datetime) -> None:
        change = actions.ask_in_time(incident, now, self.policy(incident.lane))
        if change is None:
            # The catalog gives more time than when it was saved: look again then.
            change = actions.later(incident)
        await self._saved(change, incident.version, now, None)

    async def _followed(self, incident: Incident, open_alerts: Sequence[Alert], now: datetime) -> bool:
        there = [alert for alert in open_alerts if incident.guild_id in alert.guilds]
        known = {alert.id for alert in there}
        mine = [alert_id for alert_id in incident.alerts if alert_id not in known]
        holding = any(each.id in incident.alerts and actions.holds_open(incident, each) for each in there)
        if incident.calm_at is None and not holding:
            there += [found for each in mine if (found := await self._store.alerts.load(each)) is not None]
        elif incident.calm_at is not None and len(mine) == len(incident.alerts):
            there = [alert for alert in there if incident.lane is not None and alert.lane == incident.lane]
        change = actions.follow(incident, there, now, self.policy(incident.lane))
        if change is not None:
            await self._saved(change, incident.version, now, None)
        return change is not None

    async def _redrawn(self, incident: Incident) -> None:
        """Draw its card again when there is a new line of its alerts or its lane."""
        lines = (await self.view(incident.id)).lines
        told = (len(lines), lines[-1].at if lines else incident.opened_at)
        before = self._told.get(incident.id)
        self._told[incident.id] = told
        if before not in (None, told):
            await self._store.incidents.redraw(incident.id)
            await self._waker.wake(INCIDENTS)

    # ---- saving ----

    async def _load(self, incident_id: int, guild_id: int | None) -> Incident:
        incident = await self._store.incidents.load(incident_id)
        if incident is None or guild_id not in (None, incident.guild_id):
            raise phrasebook.no_incident(incident_id)
        return incident

    async def _changed(
        self,
        incident_id: int,
        guild_id: int,
        change_of: Callable[[Incident, datetime], IncidentChange],
        actor: Actor | None,
        *,
        once: str = "",
    ) -> Incident:
        """once: key of an entry; an incident that has it is not changed again."""
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            incident = await self._load(incident_id, guild_id)
            if once and await self._has(incident, once):
                return incident
            change = change_of(incident, now)
            if await self._saved(change, incident.version, now, actor):
                return change.incident
        raise Contended(f"incident {incident_id} keeps changing")

    async def _has(self, incident: Incident, key: str) -> bool:
        known = await self._store.incidents.timeline(incident.id, ENTRIES)
        return any(entry.key == key for entry in known)

    async def _saved(self, change: IncidentChange, before: int, now: datetime, actor: Actor | None) -> bool:
        """actor: who did it, for the audit log; None for what is no one's doing."""
        call = change.call
        calls = [await self._call(change.incident, call, now)] if call is not None else []
        saved = await self._store.incidents.save(self._save_of(change, before, actor, calls))
        if saved:
            await self._waker.wake(INCIDENTS)
            if calls:
                await self._waker.wake(MESSAGES)
        return saved

    def _save_of(
        self, change: IncidentChange, before: int, actor: Actor | None, calls: Sequence[CallPeople]
    ) -> IncidentSave:
        incident = change.incident
        due = actions.incident_due_at(incident, self.policy(incident.lane))
        audit = [] if actor is None else [_line(incident, actor, each) for each in change.entries]
        return IncidentSave(incident, before, due, change.entries, calls, audit)

    async def _call(self, incident: Incident, call: IncidentCall, now: datetime) -> CallPeople:
        users: tuple[int, ...] = (incident.owner.id,) if incident.owner and incident.owner.id else ()
        roles: tuple[str, ...] = ()
        if not users:
            reached = (await self._on_call(incident.lane, now)).get("on_call")
            guild = self._catalog().guilds.get(incident.guild_id)
            users = reached.users if reached is not None else ()
            roles = (guild.oncall_role,) if guild is not None and not users else ()
        once = (
            f"{incident.guild_id}/incident/{incident.id}/{incident.version}/{incident.opened_at.isoformat()}"
        )
        return CallPeople(
            hashlib.sha256(once.encode()).hexdigest()[:24],
            incident.guild_id,
            f"Incident {incident.id}: {incident.title}"[:200],
            call.text,
            roles,
            channel="incidents",
            mention_users=users,
            icon="🚨",
            queue=f"incident/{incident.id}",
        )

    def policy(self, lane: Lane | None) -> IncidentPolicy:
        """How incidents of the lane are followed up."""
        config = self._catalog().lanes.get(lane) if lane is not None else None
        return config.watch.incidents if config is not None else IncidentPolicy()

    def _production(self, lane: Lane | None) -> bool:
        config = self._catalog().lanes.get(lane) if lane is not None else None
        return config is not None and config.gated


def _line(incident: Incident, actor: Actor, said: IncidentEntry) -> AuditEntry:
    return AuditEntry(
        lane=incident.lane or NO_LANE,
        actor=actor,
        at=said.at,
        what=f"{AUDITED}{said.what}",
        why=said.text,
        guild_id=incident.guild_id,
        details={"incident": incident.id},
    )
