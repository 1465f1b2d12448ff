"""Deployments of a period: which failed, how long changes took, and when users were worse off."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from bot.domain.reports.records import Outage, PastAlert, PastRollout, PeriodFacts
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.findings import Severity

_TROUBLE = frozenset({Severity.CRITICAL, Severity.HIGH})
_Time = tuple[datetime, datetime | None]


class Typical(NamedTuple):
    """A length of time that stands for `of` others, in seconds."""

    seconds: float
    of: int


class Troubles(NamedTuple):
    """Ids of the deployments that failed, and the times in which users of some lanes were worse off."""

    failed: frozenset[int] = frozenset()
    outages: tuple[Outage, ...] = ()


def troubles(facts: PeriodFacts) -> Troubles:
    """Those of all lanes: each is found by the records of its own lane."""
    return Troubles(failed(facts.rollouts), outages(facts.rollouts, facts.alerts, facts.incidents))


def median(seconds: Iterable[float]) -> Typical | None:
    """None without any."""
    found = list(seconds)
    return Typical(statistics.median(found), len(found)) if found else None


def mean(seconds: Iterable[float]) -> Typical | None:
    """None without any."""
    found = list(seconds)
    return Typical(statistics.fmean(found), len(found)) if found else None


def failed(rollouts: Iterable[PastRollout]) -> frozenset[int]:
    """The deployments among these that needed a remedy: rolled back, left halted, or returned from later."""
    found: set[int] = set()
    serving: dict[Lane, PastRollout] = {}
    for rollout in sorted(rollouts, key=lambda each: (each.ended_at, each.id)):
        before = serving.get(rollout.lane)
        if rollout.returns:
            if _succeeded(rollout) and before is not None and before.to_digest == rollout.from_digest:
                found.add(before.id)
        elif rollout.is_deployment and not _succeeded(rollout):
            found.add(rollout.id)
        if _succeeded(rollout):
            serving[rollout.lane] = rollout
    return frozenset(found)


def lead_times(rollouts: Iterable[PastRollout]) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds until each deployment had succeeded: since its release was made, where that is known, and requested."""
    done = [each for each in rollouts if each.is_deployment and _succeeded(each)]
    made = [(e.ended_at - e.made_at).total_seconds() for e in done if e.made_at and e.made_at <= e.ended_at]
    return made, [(each.ended_at - each.requested_at).total_seconds() for each in done]


def outages(
    rollouts: Iterable[PastRollout], alerts: Iterable[PastAlert], incidents: Iterable[Outage] = ()
) -> tuple[Outage, ...]:
    """Times in which users were worse off, as rollouts, alerts and incidents tell it; what overlaps in a lane is one.

    An incident has its own times, which people recorded: what overlaps it otherwise is left out. A release that was
    rolled back counts from its first traffic, a return from its request, a critical or high alert from its beginning.
    Each ends when the release before serves everything again, or the alert is over.
    """
    found: dict[Lane, list[_Time]] = defaultdict(list)
    for rollout in rollouts:
        if rollout.returns and _succeeded(rollout):
            found[rollout.lane].append((rollout.requested_at, rollout.ended_at))
        elif rollout.phase is Phase.ROLLED_BACK and rollout.shifted_at is not None:
            found[rollout.lane].append((rollout.shifted_at, rollout.ended_at))
    for alert in alerts:
        if alert.lane is not None and alert.severity in _TROUBLE:
            found[alert.lane].append((alert.opened_at, alert.ended_at))
    recorded: dict[Lane, list[_Time]] = defaultdict(list)
    for incident in incidents:
        recorded[incident.lane].append((incident.since, incident.until))
    for lane, times in recorded.items():
        known = _joined(times)
        others = [each for each in _joined(found[lane]) if not any(_overlap(each, one) for one in known)]
        found[lane] = [*known, *others]
    return tuple(Outage(lane, *each) for lane, times in found.items() for each in _joined(times))


def _overlap(one: _Time, other: _Time) -> bool:
    return (other[1] is None or one[0] <= other[1]) and (one[1] is None or other[0] <= one[1])


def _joined(times: Iterable[_Time]) -> Sequence[_Time]:
    joined: list[_Time] = []
    for since, until in sorted(times, key=lambda each: each[0]):
        if joined and (joined[-1][1] is None or since <= joined[-1][1]):
            first, last = joined[-1]
            joined[-1] = (first, max(last, until) if last is not None and until is not None else None)
        else:
            joined.append((since, until))
    return joined


def _succeeded(rollout: PastRollout) -> bool:
    return rollout.phase is Phase.SUCCEEDED
