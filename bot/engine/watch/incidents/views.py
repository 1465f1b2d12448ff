"""What is shown of an incident: its timeline with that of its alerts and its lane, its times, and what was deployed."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.domain.records import RolloutSummary
from bot.domain.watch.incidents.actions import postmortem_due
from bot.domain.watch.incidents.incident import Incident, response_times
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import merged
from bot.engine.watch.incidents.api import IncidentView
from bot.ports.store import Store

ENTRIES = 200
_ALERT_LINES, _HAPPENED, _DEPLOYS = 50, 200, 20
# What was done to the lane so long before the trouble may be its cause.
_BEFORE = timedelta(hours=1)


async def view_of(store: Store, incident: Incident, policy: IncidentPolicy, now: datetime) -> IncidentView:
    """All that its card and its post-mortem show."""
    entries = await store.incidents.timeline(incident.id, ENTRIES)
    loaded = [await store.alerts.load(each) for each in incident.alerts]
    alerts = [alert for alert in loaded if alert is not None]
    told = {a.id: await store.alerts.timeline(a.id, _ALERT_LINES) for a in alerts}
    since, until = incident.since - _BEFORE, incident.closed_at or now
    happened = await store.history.happened(incident.lane, since, until, _HAPPENED) if incident.lane else ()
    return IncidentView(
        incident,
        merged(entries, told, happened),
        response_times(incident, policy, now),
        alerts,
        await _deploys(store, incident, since, until),
        postmortem_due(incident, policy),
    )


async def _deploys(
    store: Store, incident: Incident, since: datetime, until: datetime
) -> list[RolloutSummary]:
    if incident.lane is None:
        return []
    found = await store.history.history([incident.lane], None, _DEPLOYS)
    around = [
        each
        for each in found
        if each.id in incident.rollouts or (each.created_at <= until and (each.ended_at or until) >= since)
    ]
    return sorted(around, key=lambda each: each.id)
