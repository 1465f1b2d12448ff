"""Alerts: findings become alerts, people act on them, and what comes due is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.formatting import duration
from bot.domain.rollout.model import Lane, Rollout
from bot.domain.watch.alerts.actions import AlertActed, act
from bot.domain.watch.alerts.alert import Alert, AlertAction, Change, Entry
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.alerts.follow_up import due_at, pass_time, set_back
from bot.domain.watch.alerts.lifecycle import begin, concerns, group_of, hear
from bot.domain.watch.alerts.rollbacks import to_be_tried
from bot.domain.watch.alerts.silences import Silence, quieted
from bot.domain.watch.self_monitoring.rules import SOURCE as SLIPWAY
from bot.engine.stepper import MESSAGES, Contended
from bot.engine.watch.alerts.api import AlertRequest, AlertRollback, AlertView
from bot.engine.watch.alerts.calls import AlertCalls, WhoIsOnCall, no_schedule
from bot.engine.watch.alerts.past_alerts import PastAlerts
from bot.engine.watch.alerts.rollbacks import AlertRollbacks, RollsBack
from bot.engine.watch.alerts.silencing import carried_out
from bot.engine.watch.alerts.suspects import Suspects
from bot.ports.coordination import Clock, Waker
from bot.ports.store import Store
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.incidents import IncidentSave
from bot.ports.watch.meter import NoWatchMeter, WatchMeter

log = structlog.get_logger(__name__)

# Wakes what draws the cards of alerts.
ALERTS = "alerts"
# Wakes what draws the cards of incidents.
INCIDENTS = "incidents"
_ATTEMPTS = 20
_BATCH = 100
_TIMELINE = 100
_SILENCES, _MOST_OPEN = timedelta(seconds=60), 5000
_SET_BACK = timedelta(seconds=1)  # less is a clock that follows another one
# What needs a role, or to have acknowledged the alert: it ends what others may be at work on.
_ENDING = frozenset({AlertAction.RESOLVE, AlertAction.SILENCE})

# What a war room opens: the alert's incident in each server, by the key of the message that has the thread.
OpensIncidents = Callable[[Alert, Mapping[int, str], datetime], Awaitable[Sequence[IncidentSave]]]


async def no_incidents(alert: Alert, rooms: Mapping[int, str], now: datetime) -> Sequence[IncidentSave]:
    """The war room is all there is."""
    return ()


class _Heard(NamedTuple):
    """A change of the alert of version `before`; 0 for a new one."""

    change: Change
    before: int


class Alerts:
    """Implements `bot.ports.watch.findings.Findings`, and answers people's requests.

    roll_back: starts a rollback, as `Engine.roll_back`. Methods raise `Unreachable` when the database is away.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        *,
        clock: Clock,
        waker: Waker,
        roll_back: RollsBack,
        on_call: WhoIsOnCall = no_schedule,
        incidents: OpensIncidents = no_incidents,
        meter: WatchMeter | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._waker = waker
        self.calls = AlertCalls(store, catalog, on_call)
        self._suspects = Suspects(store, catalog)
        self._rollbacks = AlertRollbacks(store, catalog, self._suspects, roll_back, self._changed)
        self._incidents = incidents
        self._meter = meter or NoWatchMeter()
        self._turn = asyncio.Lock()
        self._now: datetime | None = None
        self._looked_at: datetime | None = None

    # ---- findings ----

    async def hear(self, findings: Sequence[Finding]) -> None:
        ordered = sorted(findings, key=group_of)
        groups = {group: list(found) for group, found in groupby(ordered, key=group_of)}
        # In turn: in a storm, those who hear of one lane would only be in each other's way.
        async with self._turn:
            silences = await self._store.silences.standing(self._clock.now())
            newest = await self._store.alerts.newest([*groups])
            for group, found in groups.items():
                await self._hear(group, found, silences, newest.get(group))

    async def _hear(
        self, group: str, findings: Sequence[Finding], silences: Sequence[Silence], newest: Alert | None
    ) -> None:
        for attempt in range(_ATTEMPTS):
            now = self._clock.now()
            if attempt:
                newest = (await self._store.alerts.newest([group])).get(group)
            heard = await self._heard(newest, findings, now, silences)
            if heard is None:
                return
            if await self._save(heard.change, heard.before, now, opening=not heard.before):
                await self._try_rollback(newest if heard.before else None, heard.change)
                return
        raise Contended(f"the alert on {group} keeps changing")

    async def _heard(
        self, newest: Alert | None, findings: Sequence[Finding], now: datetime, silences: Sequence[Silence]
    ) -> _Heard | None:
        alert = newest
        before = newest.version if newest is not None and not newest.over else 0
        change: Change | None = None
        past = PastAlerts(self._store.alerts)
        for finding in map(self._linked, findings):
            policy = self.policy(finding.lane)
            if alert is not None and await past.have(alert, finding, now, policy):
                found = None
            elif alert is not None and not alert.over:
                found = hear(alert, finding, now, policy, silences)
            elif alert is not None and concerns(alert, finding, now, policy):
                found = None
            else:
                found = await self._begun(finding, now, policy, silences, alert)
            if found is None:
                continue
            found = await self._rollbacks.asked(found, finding, now, policy, change.entries if change else ())
            alert = found.alert
            change = found if change is None else _together(change, found)
        return _Heard(change, before) if change is not None else None

    async def _begun(
        self,
        finding: Finding,
        now: datetime,
        policy: AlertPolicy,
        silences: Sequence[Silence],
        former: Alert | None,
    ) -> Change | None:
        guilds = self._guilds(finding)
        if not finding.firing or not guilds:
            return None
        alert_id = await self._store.alerts.next_id()
        suspect = await self._suspects.of(finding, now, policy)
        return begin(
            alert_id, finding, guilds, now, policy, suspect=suspect, silences=silences, former=former
        )

    def _linked(self, finding: Finding) -> Finding:
        """The finding with the runbook of its lane, if it has none of its own."""
        config = self._catalog().lanes.get(finding.lane) if finding.lane is not None else None
        if config is None or finding.runbook or not config.watch.runbook:
            return finding
        return replace(finding, runbook=config.watch.runbook)

    def _guilds(self, finding: Finding) -> tuple[int, ...]:
        catalog = self._catalog()
        config = catalog.lanes.get(finding.lane) if finding.lane is not None else None
        if config is not None:
            return config.guilds
        return finding.guilds or (catalog.home if finding.source == SLIPWAY else tuple(catalog.guilds))

    # ---- people ----

    async def act(self, request: AlertRequest) -> Alert:
        """Raises `UserError` with the sentence for the person."""
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            alert = await self._load(request.alert_id, request.guild_id)
            self._allowed(alert, request)
            owner = alert.owner
            if request.unless_taken and owner and alert.asked_at is None and owner.id != request.actor.id:
                raise phrasebook.alert_taken(alert.id, owner.name)
            acted = AlertActed(request.action, request.actor, now, request.reason, request.seconds)
            change = act(alert, acted, self.policy(alert.lane))
            if await self._save(change, alert.version, now, pressed=True):
                return change.alert
        raise Contended(f"alert {request.alert_id} keeps changing")

    def _allowed(self, alert: Alert, request: AlertRequest) -> None:
        actor = request.actor
        if request.action not in _ENDING or (alert.owner is not None and alert.owner.id == actor.id != 0):
            return
        roles = ending_roles(self._catalog(), alert.lane, request.guild_id)
        if not actor.roles & set(roles):
            raise phrasebook.not_your_alert(request.action, ", ".join(roles))

    async def roll_back(self, request: AlertRollback) -> tuple[Alert, Rollout]:
        """Roll back the deploy that is the plausible cause. Raises `UserError`."""
        alert = await self._load(request.alert_id, request.guild_id)
        return await self._rollbacks.by_person(alert, request)

    async def view(self, alert_id: int, guild_id: int | None = None) -> AlertView:
        alert = await self._load(alert_id, guild_id)
        config = self._catalog().lanes.get(alert.lane) if alert.lane is not None else None
        timeline = await self._store.alerts.timeline(alert_id, _TIMELINE)
        last = await self._suspects.last_deploy(alert.lane)
        return AlertView(alert, timeline, config is None or not config.watch.rolls_back, last)

    async def open(self, guild_id: int) -> Sequence[Alert]:
        """Alerts of the server that are not over, the worst first."""
        return await self._store.alerts.open(guild_id)

    # ---- time ----

    async def once(self) -> bool:
        """Do what came due, for every alert; whether there is more."""
        now = self._clock.now()
        if self._now is None or now < self._now - _SET_BACK:
            await self._mind_the_clock(now)
        self._now = now
        await self._keep_silences(now)
        due = await self._store.alerts.due(now, _BATCH)
        for alert in due:
            change = pass_time(alert, now, self.policy(alert.lane))
            if change is None:
                # The lane's steps were changed in the catalog: look again when they say.
                change = Change(replace(alert, version=alert.version + 1))
            if await self._save(change, alert.version, now):
                await self._try_rollback(alert, change)
        return len(due) == _BATCH

    async def _mind_the_clock(self, now: datetime) -> None:
        """After a start, and after the clock was set back: no step waits until the clock has caught up."""
        for alert in await self._store.alerts.open(limit=_MOST_OPEN):
            change = set_back(alert, now)
            if change is not None and await self._save(change, alert.version, now):
                log.warning("alert_after_clock_was_set_back", alert=alert.id)

    async def undelivered(self, alert_id: int, person: str, why: str) -> None:
        """Note once on the timeline that a direct message did not reach someone, or that no channel takes a call.

        person: empty for a channel.
        """
        text = phrasebook.not_written_to(person, why) if person else phrasebook.call_not_posted(why)
        await self._note_unreached(alert_id, text)

    async def left_out(self, alert_id: int, most: int, within_s: float) -> None:
        """Note once on the timeline that a storm left its card out, which was to call the first people.

        most, within_s: new cards that a server has room for.
        """
        text = phrasebook.card_left_out(most, duration(round(within_s)))
        await self._note_unreached(alert_id, text, redraw=False)

    async def _note_unreached(self, alert_id: int, text: str, *, redraw: bool = True) -> None:
        timeline = await self._store.alerts.timeline(alert_id, _TIMELINE)
        if await self._store.alerts.load(alert_id) is None or any(entry.text == text for entry in timeline):
            return
        await self._changed(alert_id, lambda alert, now: _unreached(alert, now, text, redraw=redraw))

    async def _keep_silences(self, now: datetime) -> None:
        """Silence and wake open alerts as maintenance silences begin and end.

        Once a minute, and after a start, what is silent is looked at again: an alert may have been opened while a
        silence ended, by a process that had read it before.
        """
        due = await self._store.silences.due(now, _BATCH)
        if not due and self._looked_at is not None and abs(now - self._looked_at) < _SILENCES:
            return
        self._looked_at = now
        silences = await self._store.silences.standing(now)
        stored = self._store.alerts
        concerned = await (stored.open(limit=_MOST_OPEN) if silences or due else stored.silenced(_MOST_OPEN))
        for alert in concerned:
            await self._silence(alert, silences, now)
        for each in due:
            await self._store.silences.carried_out(each, now, carried_out(each, now))

    async def _silence(self, alert: Alert, silences: Sequence[Silence], now: datetime) -> None:
        for _ in range(_ATTEMPTS):
            found = quieted(Change(alert), silences, now)
            if found is None:
                return
            found = replace(found, alert=replace(found.alert, version=found.alert.version + 1))
            change = pass_time(found.alert, now, self.policy(alert.lane), before=found) or found
            if await self._save(change, alert.version, now):
                await self._try_rollback(alert, change)
                return
            alert = await self._load(alert.id, None)

    async def _try_rollback(self, before: Alert | None, change: Change) -> None:
        """Of several processes, the one that saved this change starts the rollback."""
        if to_be_tried(before, change.alert):
            await self._rollbacks.start(change.alert)

    # ---- saving ----

    async def _load(self, alert_id: int, guild_id: int | None) -> Alert:
        alert = await self._store.alerts.load(alert_id)
        if alert is None or (guild_id is not None and guild_id not in alert.guilds):
            raise phrasebook.no_alert(alert_id)
        return alert

    async def _changed(self, alert_id: int, change_of: Callable[[Alert, datetime], Change]) -> Alert:
        for _ in range(_ATTEMPTS):
            now = self._clock.now()
            alert = await self._load(alert_id, None)
            change = change_of(alert, now)
            if await self._save(change, alert.version, now):
                return change.alert
        raise Contended(f"alert {alert_id} keeps changing")

    async def _save(
        self, change: Change, before: int, now: datetime, *, opening: bool = False, pressed: bool = False
    ) -> bool:
        """opening, pressed: as of `AlertCalls.made`."""
        alert = change.alert
        made = await self.calls.made(change, now, opening=opening, pressed=pressed)
        due = due_at(alert, self.policy(alert.lane))
        rooms = {call.guild_id: call.key for call in made if call.room}
        opened = await self._incidents(alert, rooms, now) if rooms else ()
        saved = await self._store.alerts.save(AlertChange(alert, before, due, change.entries, made, opened))
        if saved:
            for entry in change.entries:
                since_s = (entry.at - alert.opened_at).total_seconds()
                self._meter.alert(entry.what, alert.severity, max(0.0, since_s))
            await self._waker.wake(ALERTS)
            if made:
                await self._waker.wake(MESSAGES)
            if opened:
                await self._waker.wake(INCIDENTS)
        return saved

    def policy(self, lane: Lane | None) -> AlertPolicy:
        """How alerts of the lane are followed up."""
        config = self._catalog().lanes.get(lane) if lane is not None else None
        return config.watch.alerts if config is not None else AlertPolicy()


def ending_roles(catalog: Catalog, lane: Lane | None, guild_id: int) -> Sequence[str]:
    """Who may end what others may be at work on: those on call, and who may operate or roll back the lane."""
    config = catalog.lanes.get(lane) if lane is not None else None
    guild = catalog.guilds.get(guild_id)
    roles = [guild.oncall_role] if guild is not None else []
    if config is not None:
        roles += [*config.policy.operate_roles, *config.policy.rollback_roles]
    return list(dict.fromkeys(roles))


def _together(first: Change, then: Change) -> Change:
    return Change(then.alert, (*first.entries, *then.entries), (*first.calls, *then.calls))


def _unreached(alert: Alert, now: datetime, text: str, *, redraw: bool) -> Change:
    """redraw: its cards are to show it."""
    version = alert.version + 1 if redraw else alert.version
    return Change(replace(alert, version=version), (Entry(now, "unreached", text),))
