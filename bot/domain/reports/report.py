"""Report of a server or a service: its figures beside those of the period before, and what the chart shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from bot.domain.reports.deployments import failed
from bot.domain.reports.figures import Figures, figures
from bot.domain.reports.records import DAY, Period, PeriodFacts, ReportedLane
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
    services = tuple(
        _compared(service, period, own, {each.lane for each in own}, facts)
        for service, own in by_service.items()
    )
    return PeriodReport(
        period,
        _compared(name, period, lanes, everything, facts),
        services if len(services) > 1 else (),
        _bars(period, production, facts),
        _noisy(period, everything, facts),
    )


def counting(lanes: Sequence[ReportedLane]) -> frozenset[Lane]:
    """The lanes that count as production: those where people decide what goes forward, else all of a service's."""
    gated = {each.lane.service for each in lanes if each.gated}
    return frozenset(each.lane for each in lanes if each.gated or each.lane.service not in gated)


def _compared(
    name: str,
    period: Period,
    lanes: Sequence[ReportedLane],
    alerting: Collection[Lane | None],
    facts: PeriodFacts,
) -> Compared:
    counted = counting(lanes)
    limits = {each.lane: each.limit for each in lanes if each.limit is not None}
    now = figures(period, counted, alerting, facts, limits)
    before = figures(period.before, counted, alerting, facts, limits, whole=True, lead_from=now.lead_from)
    environments = dict.fromkeys(each.lane.environment for each in lanes if each.lane in counted)
    return Compared(name, tuple(environments), now, before)


def _bars(period: Period, counted: frozenset[Lane], facts: PeriodFacts) -> tuple[Bar, ...]:
    """Of each day, or week where there are many days; the first week may be shorter."""
    each = 1 if period.days <= _MOST_BARS else 7
    bad = failed(facts.rollouts)
    bars: list[Bar] = []
    last = period.last
    while last >= period.since.date():
        first = max(last - (each - 1) * DAY, period.since.date())
        done = [
            r.id in bad
            for r in facts.rollouts
            if r.lane in counted
            and r.is_deployment
            and period.has(r.ended_at)
            and first <= r.ended_at.date() <= last
        ]
        served = [s for s in facts.served if s.lane in counted and first <= s.day <= last]
        requests = sum(s.requests for s in served)
        share = 1 - sum(s.bad for s in served) / requests if requests else None
        bars.append(Bar(first, last, done.count(False), done.count(True), share))
        last = first - DAY
    return tuple(reversed(bars))


def _noisy(period: Period, alerting: Collection[Lane | None], facts: PeriodFacts) -> tuple[Noisy, ...]:
    """What was alerted about most often; once is no noise."""
    times: dict[tuple[Lane | None, str], int] = defaultdict(int)
    for alert in facts.alerts:
        if alert.lane in alerting and period.has(alert.opened_at):
            times[alert.lane, alert.title] += 1 + alert.returns
    found = [Noisy(lane, title, count) for (lane, title), count in times.items() if count > 1]
    return tuple(sorted(found, key=lambda each: (-each.times, str(each.lane), each.title))[:_MOST_NOISY])
