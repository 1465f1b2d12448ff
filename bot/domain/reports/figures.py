"""Figures of a period: the four of DORA, rollbacks, availability, the error budget, and alerts.

What is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain.reports.deployments import Troubles, Typical, lead_times, mean, median
from bot.domain.reports.records import DAY, PastRollout, Period, PeriodFacts, ServedDays
from bot.domain.rollout.model import Lane, Phase


@dataclass(frozen=True, slots=True)
class Rollbacks:
    """How many there were, by who ordered them. unknown: the audit log does not say any more."""

    automatic: int = 0
    by_people: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.automatic + self.by_people + self.unknown


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of some lanes in a period.

    deployments: None where no rollout is recorded, or not for all of the time that was asked for. days: for which they
    are known. failed: of the deployments. lead: how long releases took to succeed, since they were made or requested.
    restore: how long users were worse off. going_on: outages without an end. requests, bad, counted_s: what was
    served, and the lane-seconds for which it was counted; share_counted: of the lanes that were counted at all.
    budget_left: 0 when it is spent. acknowledged: the mean time until someone had an alert.
    """

    deployments: int | None = None
    days: float = 0.0
    failed: int = 0
    lead: Typical | None = None
    lead_from: Literal["made", "requested"] = "requested"
    restore: Typical | None = None
    going_on: int = 0
    rollbacks: Rollbacks | None = None
    requests: int = 0
    bad: int = 0
    counted_s: float = 0.0
    share_counted: float | None = None
    budget_left: float | None = None
    alerts: int = 0
    acknowledged: Typical | None = None

    @property
    def availability(self) -> float | None:
        """Share of the requests that succeeded."""
        return 1 - self.bad / self.requests if self.requests else None

    @property
    def failure_rate(self) -> float | None:
        """Share of the deployments that failed."""
        return self.failed / self.deployments if self.deployments else None

    @property
    def per_day(self) -> float | None:
        """None as well while less than a day is known: its rate would say nothing."""
        return self.deployments / self.days if self.deployments is not None and self.days >= 1 else None


def figures(
    period: Period,
    counted: Collection[Lane],
    alerting: Collection[Lane | None],
    facts: PeriodFacts,
    troubles: Troubles,
    *,
    limits: Mapping[Lane, float],
    whole: bool = False,
    lead_from: Literal["made", "requested"] | None = None,
) -> Figures:
    """The figures of the lanes that count as production (`counted`), with the alerts of `alerting`.

    troubles: of these facts; also those of other lanes. limits: on the share of errors. whole: deployments are known
    only if rollouts are recorded for the whole period, as for a comparison. lead_from: None takes when releases were
    made, if that is known of any.
    """
    since = _known_since(period, counted, facts, whole=whole)
    ended = [each for each in facts.rollouts if each.lane in counted and period.has(each.ended_at)]
    made, requested = lead_times(ended)
    basis = lead_from or ("made" if made else "requested")
    worse = [each for each in troubles.outages if each.lane in counted and period.has(each.since)]
    alerts = [each for each in facts.alerts if each.lane in alerting and period.has(each.opened_at)]
    first, last = period.since.date(), period.last
    served = [each for each in facts.served if first <= each.first <= last and each.lane in counted]
    taken = [(a.acknowledged_at - a.opened_at).total_seconds() for a in alerts if a.acknowledged_at]
    known = since is not None
    done = [each for each in ended if each.is_deployment]
    return Figures(
        deployments=len(done) if known else None,
        days=(period.until - since) / DAY if since is not None else 0.0,
        failed=sum(each.id in troubles.failed for each in done) if known else 0,
        lead=median(made if basis == "made" else requested) if known else None,
        lead_from=basis,
        restore=median((each.until - each.since).total_seconds() for each in worse if each.until),
        going_on=sum(each.until is None for each in worse),
        rollbacks=_rollbacks(ended) if known else None,
        requests=sum(each.requests for each in served),
        bad=sum(each.bad for each in served),
        counted_s=sum(each.seconds for each in served),
        share_counted=_share_counted(period, served),
        budget_left=_budget_left(served, limits),
        alerts=len(alerts),
        acknowledged=mean(taken),
    )


def _known_since(
    period: Period, counted: Collection[Lane], facts: PeriodFacts, *, whole: bool
) -> datetime | None:
    """From when on the deployments of the period are known; None: not at all, or not for the `whole` of it."""
    first = min((at for lane, at in facts.known_since.items() if lane in counted), default=None)
    if first is None or first >= period.until or (whole and first > period.since):
        return None
    return max(first, period.since)


def _rollbacks(ended: Iterable[PastRollout]) -> Rollbacks:
    automatic = by_people = unknown = 0
    for each in ended:
        if each.returns and each.phase is Phase.SUCCEEDED:
            by_people += 1
        elif each.phase is Phase.ROLLED_BACK:
            automatic += each.rolled_back == "automatic"
            by_people += each.rolled_back == "person"
            unknown += each.rolled_back is None
    return Rollbacks(automatic, by_people, unknown)


def _share_counted(period: Period, served: Collection[ServedDays]) -> float | None:
    lanes = {each.lane for each in served}
    whole_s = len(lanes) * (period.until - period.since).total_seconds()
    return min(1.0, sum(each.seconds for each in served) / whole_s) if whole_s else None


def _budget_left(served: Iterable[ServedDays], limits: Mapping[Lane, float]) -> float | None:
    """What is left of what the limits allow of these requests; None without requests under a limit."""
    limited = [each for each in served if each.lane in limits]
    allowed = sum(limits[each.lane] * each.requests for each in limited)
    return max(0.0, 1 - sum(each.bad for each in limited) / allowed) if allowed else None
