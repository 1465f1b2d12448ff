"""Report of a server or a service: its figures beside those of the period before, and what the chart shows."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from bot.domain.reports.deployments import Troubles, troubles
from bot.domain.reports.figures import Figures, figures
from bot.domain.reports.records import (
    DAY,
    Outage,
    PastAlert,
    PastRollout,
    Period,
    PeriodFacts,
    ReportedLane,
    ServedDays,
)
from bot.domain.rollout.model import Lane

_MOST_NOISY = 5
# More days than these are shown by the week.
_MOST_BARS = 31


class Bar(NamedTuple):
    """Some days on the chart. availability: share of requests that succeeded; None: not known."""

    first: date
    last: date
    good: int
    failed: int
    availability: float | None


class Noisy(NamedTuple):
    """Alerts with one title in one lane. times: how often they began, each return included."""

    lane: Lane | None
    title: str
    times: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Figures of a service, or of all, with those of the period before. environments: those that count."""

    name: str
    environments: tuple[str, ...]
    now: Figures
    before: Figures


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """total: of all lanes. services: each, in the catalog's order; empty where there is one alone."""

    period: Period
    total: Compared
    services: tuple[Compared, ...] = ()
    bars: tuple[Bar, ...] = ()
    noisy: tuple[Noisy, ...] = ()


def report(period: Period, lanes: Sequence[ReportedLane], facts: PeriodFacts, name: str = "") -> PeriodReport:
    """What the facts show. name: of the service that it is about; empty for all."""
    production = counting(lanes)
    everything: set[Lane | None] = {None, *(each.lane for each in lanes)}
    by_service: dict[str, list[ReportedLane]] = defaultdict(list)
    for each in lanes:
        by_service[each.lane.service].append(each)
    whole = troubles(facts)
    shares = _by_service(facts) if len(by_service) > 1 else {}
    worse = _outages_by_service(whole.outages)
    services = tuple(
        _compared(
            service,
            period,
            own,
            shares.get(service, PeriodFacts()),
            Troubles(whole.failed, tuple(worse.get(service, ()))),
        )
        for service, own in by_service.items()
    )
    return PeriodReport(
        period,
        _compared(name, period, lanes, facts, whole, nowhere=True),
        services if len(services) > 1 else (),
        _bars(period, production, facts, whole.failed),
        _noisy(period, everything, facts),
    )


def summed_from(period: Period) -> Sequence[date]:
    """From which days on a report needs what was served: of the period before as a whole, then of each bar."""
    return [period.before.since.date(), *(first for first, _ in _spans(period))]


def _spans(period: Period) -> Sequence[tuple[date, date]]:
    """First and last day of each bar: a day, or a week where there are many days; the first week may be shorter."""
    each = 1 if period.days <= _MOST_BARS else 7
    spans: list[tuple[date, date]] = []
    last, begin = period.last, period.since.date()
    while last >= begin:
        first = max(last - (each - 1) * DAY, begin)
        spans.append((first, last))
        last = first - DAY
    return spans[::-1]


def _outages_by_service(outages: Iterable[Outage]) -> Mapping[str, Sequence[Outage]]:
    found: dict[str, list[Outage]] = defaultdict(list)
    for each in outages:
        found[each.lane.service].append(each)
    return found


def _by_service(facts: PeriodFacts) -> Mapping[str, PeriodFacts]:
    """The facts of each service, found in one pass over all."""
    lists: dict[str, tuple[list[PastRollout], list[PastAlert], list[ServedDays], list[Outage]]]
    lists = defaultdict(lambda: ([], [], [], []))
    for rollout in facts.rollouts:
        lists[rollout.lane.service][0].append(rollout)
    for alert in facts.alerts:
        if alert.lane is not None:
            lists[alert.lane.service][1].append(alert)
    for day in facts.served:
        lists[day.lane.service][2].append(day)
    for incident in facts.incidents:
        lists[incident.lane.service][3].append(incident)
    known: dict[str, dict[Lane, datetime]] = defaultdict(dict)
    for lane, at in facts.known_since.items():
        known[lane.service][lane] = at
    return {
        service: PeriodFacts(known[service], *(tuple(each) for each in lists[service]))  # type: ignore[arg-type]
        for service in [*lists, *(known.keys() - lists.keys())]
    }


def counting(lanes: Sequence[ReportedLane]) -> frozenset[Lane]:
    """The lanes that count as production: those where people decide what goes forward, else all of a service's."""
    gated = {each.lane.service for each in lanes if each.gated}
    return frozenset(each.lane for each in lanes if each.gated or each.lane.service not in gated)


def _compared(
    name: str,
    period: Period,
    lanes: Sequence[ReportedLane],
    facts: PeriodFacts,
    found: Troubles,
    *,
    nowhere: bool = False,
) -> Compared:
    """nowhere: alerts that concern no lane count too."""
    alerting: set[Lane | None] = {each.lane for each in lanes} | ({None} if nowhere else set())
    counted = counting(lanes)
    limits = {each.lane: each.limit for each in lanes if each.limit is not None}
    now = figures(period, counted, alerting, facts, found, limits=limits)
    before = figures(
        period.before, counted, alerting, facts, found, limits=limits, whole=True, lead_from=now.lead_from
    )
    environments = dict.fromkeys(each.lane.environment for each in lanes if each.lane in counted)
    return Compared(name, tuple(environments), now, before)


def _bars(
    period: Period, counted: frozenset[Lane], facts: PeriodFacts, failed: frozenset[int]
) -> tuple[Bar, ...]:
    spans = _spans(period)
    firsts = [first for first, _ in spans]
    ended: list[list[bool]] = [[] for _ in spans]
    for rollout in facts.rollouts:
        if rollout.lane in counted and rollout.is_deployment and period.has(rollout.ended_at):
            ended[bisect(firsts, rollout.ended_at.date()) - 1].append(rollout.id in failed)
    requests, bad = [0] * len(spans), [0] * len(spans)
    for served in facts.served:
        if served.lane in counted and firsts[0] <= served.first <= period.last:
            place = bisect(firsts, served.first) - 1
            requests[place] += served.requests
            bad[place] += served.bad
    return tuple(
        Bar(first, last, done.count(False), done.count(True), 1 - wrong / total if total else None)
        for (first, last), done, total, wrong in zip(spans, ended, requests, bad, strict=True)
    )


def _noisy(period: Period, alerting: Collection[Lane | None], facts: PeriodFacts) -> tuple[Noisy, ...]:
    """What was alerted about most often; once is no noise."""
    times: dict[tuple[Lane | None, str], int] = defaultdict(int)
    for alert in facts.alerts:
        if alert.lane in alerting and period.has(alert.opened_at):
            times[alert.lane, alert.title] += 1 + alert.returns
    found = [Noisy(lane, title, count) for (lane, title), count in times.items() if count > 1]
    return tuple(sorted(found, key=lambda each: (-each.times, str(each.lane), each.title))[:_MOST_NOISY])
