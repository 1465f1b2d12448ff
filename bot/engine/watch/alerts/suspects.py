"""Suspects: the deploy that is a plausible cause of an alert, and whether the alert rolls it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.config import Catalog
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import FINAL, Lane, Phase
from bot.domain.watch.alerts.alert import Alert, Suspect
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding
from bot.domain.watch.rules import RULES, on_alerts
from bot.ports.store import Store

_UNDONE = FINAL - {Phase.SUCCEEDED}
# No user was served by these, or not yet.
_NEVER_SERVED = frozenset({Phase.VERIFYING, Phase.GATED, Phase.CANCELLED, Phase.FAILED})
_LOOKED_THROUGH = 10


class Suspects:
    """Looks at a lane's newest rollout. Methods raise `Unreachable`."""

    def __init__(self, store: Store, catalog: Callable[[], Catalog]) -> None:
        self._store = store
        self._catalog = catalog

    async def of(self, finding: Finding, now: datetime, policy: AlertPolicy) -> Suspect | None:
        """The newest rollout of the lane, if it succeeded lately, and there is something to return to.

        One that goes on is a cause for what others see. Rules count what stable serves, and the judge its candidate.
        None for a return to a known-good release: to take it back would bring back what it ended.
        """
        if finding.lane is None:
            return None
        for newest in await self._store.history.history([finding.lane], None, 1):
            at = newest.ended_at or newest.created_at
            lately = newest.phase == Phase.SUCCEEDED and now - at <= timedelta(seconds=policy.blame_s)
            going_on = not Phase(newest.phase).final and finding.source != RULES
            if newest.from_version and not newest.returns and (lately or going_on):
                return Suspect(
                    newest.id, newest.from_version, newest.to_version, newest.requester, at, going_on
                )
        return None

    async def last_deploy(self, lane: Lane | None) -> RolloutSummary | None:
        """The newest rollout of the lane that changed what runs, or does so now."""
        found = await self._store.history.history([lane], None, _LOOKED_THROUGH) if lane is not None else ()
        return next((each for each in found if Phase(each.phase) not in _NEVER_SERVED), None)

    async def rolled_back_by(self, finding: Finding, now: datetime) -> bool:
        """Whether a rule of the lane rolls back for an alert such as this, of a monitor or of another program.

        Trouble from before the rollout is none of its release's.
        """
        config = self._catalog().lanes.get(finding.lane) if finding.lane is not None else None
        if config is None or finding.source == RULES:
            return False
        within_s = [
            rule.after_deploy_s or 0.0
            for rule, mildest in on_alerts(config.watch.rules)
            if rule.rollback and finding.severity.rank <= mildest.rank
        ]
        if not within_s:
            return False
        for newest in await self._store.history.history([config.lane], None, 1):
            if newest.phase == Phase.SUCCEEDED and newest.ended_at is not None:
                lately = now - newest.ended_at <= timedelta(seconds=max(within_s))
                return lately and finding.at >= newest.created_at
        return False

    async def still(self, alert: Alert) -> bool:
        """Whether the suspect is the lane's newest rollout still, and was not undone."""
        assert alert.lane is not None
        assert alert.suspect is not None
        newest = next(iter(await self._store.history.history([alert.lane], None, 1)), None)
        return (
            newest is not None
            and newest.id == alert.suspect.rollout_id
            and Phase(newest.phase) not in _UNDONE
        )
