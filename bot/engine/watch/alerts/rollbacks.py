"""Starts the rollbacks that alerts ask for, and those that people order from an alert."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.errors import UserError
from bot.domain.rollout.model import SYSTEM, Rollout
from bot.domain.watch.alerts import rollbacks
from bot.domain.watch.alerts.alert import Alert, Change, Entry, WantedRollback
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding
from bot.engine.api import RollbackRequest
from bot.engine.stepper import Contended
from bot.engine.watch.alerts.api import AlertRollback
from bot.engine.watch.alerts.suspects import Suspects
from bot.ports.errors import Unreachable
from bot.ports.store import Store

log = structlog.get_logger(__name__)

_TIMELINE = 100

RollsBack = Callable[[RollbackRequest], Awaitable[Rollout]]
# Saves what an alert of this number becomes, computed again where it has changed meanwhile.
Changed = Callable[[int, Callable[[Alert, datetime], Change]], Awaitable[Alert]]


class AlertRollbacks:
    """What is wanted is saved with the alert first, and then started: a restart or a database that is away delays it.

    roll_back: starts a rollback, once for each `interaction`, as `Engine.roll_back`.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        suspects: Suspects,
        roll_back: RollsBack,
        changed: Changed,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._suspects = suspects
        self._roll_back = roll_back
        self._changed = changed

    async def by_person(self, alert: Alert, request: AlertRollback) -> tuple[Alert, Rollout]:
        """Roll back its suspect, unless something else was rolled out since. Raises `UserError`.

        Not of an alert that is over: only a request that was carried out before is answered again.
        """
        if alert.over and not await self._store.rollouts.answers([request.interaction]):
            raise phrasebook.rollback_of_alert_over(alert.id)
        if alert.lane is None or alert.suspect is None or not await self._suspects.still(alert):
            raise phrasebook.nothing_to_roll_back(str(alert.lane or ""))
        if request.of_rollout not in (0, alert.suspect.rollout_id):
            raise phrasebook.another_deploy(alert.suspect.from_version)
        asked = RollbackRequest(
            guild_id=request.guild_id,
            actor=request.actor,
            service=alert.lane.service,
            environment=alert.lane.environment,
            version=alert.suspect.from_version,
            reason=request.reason or phrasebook.because_of_alert(alert.id, alert.first.finding.title),
            interaction=request.interaction,
            confirmed=request.confirmed,
        )
        rollout = await self._roll_back(asked)
        return await self._changed(
            alert.id, lambda a, now: rollbacks.begun(a, request.actor, rollout.id, now)
        ), rollout

    async def asked(
        self,
        heard: Change,
        finding: Finding,
        now: datetime,
        policy: AlertPolicy,
        so_far: Sequence[Entry] = (),
    ) -> Change:
        """The change of an alert by a finding that rolls back, if it does. so_far: lines that are saved with it.

        Where the lane only watches, it says what it would do, once.
        """
        if not finding.firing or not (finding.rollback or await self._suspects.rolled_back_by(finding, now)):
            return heard
        # The alert may be older than the deploy.
        alert = rollbacks.suspected(heard.alert, await self._suspects.of(finding, now, policy))
        heard = replace(heard, alert=alert)
        config = self._catalog().lanes.get(alert.lane) if alert.lane is not None else None
        if config is None or alert.suspect is None or not await self._suspects.still(alert):
            return heard
        if config.watch.rolls_back:
            return rollbacks.wanted(heard, alert.suspect, finding.title, now)
        text = phrasebook.would_roll_back(alert.suspect.to_version, alert.suspect.from_version)
        if any(entry.text == text for entry in so_far) or await self._said(alert.id, text):
            return heard
        return replace(heard, entries=(*heard.entries, Entry(now, "rollback", text)))

    async def start(self, alert: Alert) -> None:
        """Try to start what the alert wants. What cannot be started now is tried again in time."""
        if alert.wanted is None or alert.over:
            return
        try:
            await self._started(alert, alert.wanted)
        except (Unreachable, Contended) as away:
            log.warning("alert_rollback_waits", alert=alert.id, why=str(away))

    async def _started(self, alert: Alert, wanted: WantedRollback) -> None:
        key = f"alert-{alert.id}-{wanted.rollout_id}"
        answer = (await self._store.rollouts.answers([key])).get(key)
        if answer is not None:
            # It was started before, and that could not be noted.
            await self._changed(alert.id, lambda a, now: rollbacks.begun(a, SYSTEM, answer.rollout_id, now))
            return
        config = self._catalog().lanes.get(alert.lane) if alert.lane is not None else None
        suspect = alert.suspect
        same = suspect is not None and suspect.rollout_id == wanted.rollout_id
        if config is None or suspect is None or not same or not await self._suspects.still(alert):
            await self._leave(alert, phrasebook.rollback_superseded(str(alert.lane or "")))
            return
        if not config.watch.rolls_back:
            # The catalog was changed meanwhile.
            await self._leave(alert, phrasebook.would_roll_back(suspect.to_version, suspect.from_version))
            return
        guild_id = config.guilds[0]
        why = phrasebook.because_of_alert(alert.id, wanted.why)
        request = AlertRollback(alert.id, replace(SYSTEM, guild_id=guild_id), guild_id, why, key)
        try:
            await self.by_person(alert, request)
        except UserError as refused:
            log.warning("alert_not_rolled_back", alert=alert.id, why=str(refused))
            await self._leave(alert, phrasebook.not_rolled_back(str(refused)))

    async def _leave(self, alert: Alert, why: str) -> None:
        """Want it no more, and say why, once: the same finding is told again."""
        said = "" if await self._said(alert.id, why) else why
        await self._changed(alert.id, lambda a, now: rollbacks.not_begun(a, now, said))

    async def _said(self, alert_id: int, text: str) -> bool:
        return any(entry.text == text for entry in await self._store.alerts.timeline(alert_id, _TIMELINE))
