"""Past alerts of a lane, beside its newest one: what a finding may be late news of."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import OWN_SOURCES, Finding
from bot.domain.watch.alerts.lifecycle import concerns, knows
from bot.ports.watch.alerts import AlertStore

# What fires for longer, or was over for longer, is news.
_BACK = timedelta(days=14)
_MOST = 20


class PastAlerts:
    """Reads them once for all findings that come together, and only for those that may be about one."""

    def __init__(self, alerts: AlertStore) -> None:
        self._alerts = alerts
        self._found: list[Alert] | None = None

    async def have(self, newest: Alert, finding: Finding, now: datetime, policy: AlertPolicy) -> bool:
        """Whether it is news of an older alert of the lane, which is over. Raises `Unreachable`."""
        late = finding.source not in OWN_SOURCES and finding.at < newest.opened_at
        if (
            finding.lane is None
            or not finding.firing
            or not (late or finding.lasting)
            or knows(newest, finding)
        ):
            return False
        if self._found is None:
            self._found = list(await self._alerts.of_lane(finding.lane, now - _BACK, _MOST))
        older = (each for each in self._found if each.id < newest.id and knows(each, finding))
        last = next(older, None)
        return last is not None and last.over and concerns(last, finding, now, policy)
