"""What is shown of an incident: its timeline with that of its alerts and its lane, its times, and what was deployed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.records import RolloutSummary
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import LEFT_OUT
from bot.domain.watch.incidents.actions import postmortem_due
from bot.domain.watch.incidents.incident import Incident, response_times
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import TimelineLine, merged
from bot.engine.watch.incidents.api import IncidentView
from bot.ports.store import Store

ENTRIES = 200
_ALERT_LINES, _HAPPENED = 50, 200
# The same for a post-mortem. Lines of alerts are shared out among them.
_WHOLE = 2000
# What was done to the lane so long before the trouble may be its cause; in a post-mortem, so much is always there.
_BEFORE, _BEGINNING = timedelta(hours=1), timedelta(hours=3)
_DEPLOYS, _PAGES = 20, 10


async def view_of(
    store: Store, incident: Incident, policy: IncidentPolicy, now: datetime, *, whole: bool = False
) -> IncidentView:
    """All that its card shows: of long timelines, the first lines and the newest. whole: all that a post-mortem has."""
    entries = await store.incidents.timeline(incident.id, _WHOLE if whole else ENTRIES)
    loaded = [await store.alerts.load(each) for each in incident.alerts]
    alerts = [alert for alert in loaded if alert is not None]
    of_each = max(_ALERT_LINES, _WHOLE // max(1, len(alerts))) if whole else _ALERT_LINES
    told = {a.id: await store.alerts.timeline(a.id, of_each) for a in alerts}
    since, until = incident.since - _BEFORE, incident.closed_at or now
    happened, gaps = await _happened(store, incident.lane, since, until, whole=whole)
    return IncidentView(
        incident,
        merged(entries, told, happened, gaps),
        response_times(incident, policy, now),
        alerts,
        await _deploys(store, incident, since, until),
        postmortem_due(incident, policy),
    )


async def _happened(
    store: Store, lane: Lane | None, since: datetime, until: datetime, *, whole: bool
) -> tuple[Sequence[Transition], Sequence[TimelineLine]]:
    """Audit lines of the lane, and where others are left out. A post-mortem has the beginning and the newest."""
    if lane is None:
        return (), ()
    limit = _WHOLE if whole else _HAPPENED
    newest = await store.history.happened(lane, since, until, limit)
    if not whole or len(newest) < limit:
        return newest, ()
    others_until = min(line.at for line in newest) - timedelta(microseconds=1)
    begun_until = min(since + _BEGINNING, others_until)
    begun = await store.history.happened(lane, since, begun_until, limit) if begun_until >= since else ()
    text = phrasebook.lane_lines_left_out(others_until)
    gap = [TimelineLine(begun_until, "lane", LEFT_OUT, text)] if begun_until < others_until else []
    return [*begun, *newest], gap


async def _deploys(
    store: Store, incident: Incident, since: datetime, until: datetime
) -> list[RolloutSummary]:
    if incident.lane is None:
        return []
    found: list[RolloutSummary] = []
    for _ in range(_PAGES):
        page = await store.history.history([incident.lane], found[-1].id if found else None, _DEPLOYS)
        found += page
        # A lane has one rollout at a time: those before one that ended earlier ended earlier, too.
        if len(page) < _DEPLOYS or (page[-1].ended_at or until) < since:
            break
    around = [
        each
        for each in found
        if each.id in incident.rollouts or (each.created_at <= until and (each.ended_at or until) >= since)
    ]
    return sorted(around, key=lambda each: each.id)
