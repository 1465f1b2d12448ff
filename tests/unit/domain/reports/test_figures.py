"""What reports count: deployments that failed, times, availability, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.domain.reports import wording
from bot.domain.reports.deployments import Typical
from bot.domain.reports.figures import Figures, Rollbacks
from bot.domain.reports.records import (
    Outage,
    PastAlert,
    PastRollout,
    Period,
    PeriodFacts,
    ReportedLane,
    ServedDays,
    last_days,
    whole_days,
)
from bot.domain.reports.report import Bar, Noisy, counting, report, summed_from
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.findings import Severity

STAGING, PRODUCTION = Lane("checkout", "staging"), Lane("checkout", "production")
MAIL = Lane("mail", "production")
LANES = (
    ReportedLane(STAGING, gated=False),
    ReportedLane(PRODUCTION, gated=True, limit=0.01),
    ReportedLane(MAIL, gated=False),
)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = last_days(7, NOW)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG_AGO = dict.fromkeys((STAGING, PRODUCTION, MAIL), NOW - 99 * DAY)


def rollout(number: int, ended_at: datetime = NOW - HOUR, **more: Any) -> PastRollout:
    usual = PastRollout(
        id=number,
        lane=PRODUCTION,
        phase=Phase.SUCCEEDED,
        to_digest=f"v{number}",
        from_digest=f"v{number - 1}",
        requested_at=ended_at - HOUR,
        ended_at=ended_at,
        had_traffic=True,
    )
    return replace(usual, **more)


def total(**facts: Any) -> Figures:
    return report(WEEK, LANES, PeriodFacts(**{"known_since": LONG_AGO, **facts})).total.now


def alert(number: int, **more: Any) -> PastAlert:
    return replace(PastAlert(number, PRODUCTION, Severity.CRITICAL, "outage", NOW - 3 * HOUR), **more)


def test_a_period_has_whole_days_and_the_one_before_as_many() -> None:
    assert Period(datetime(2026, 11, 16, tzinfo=UTC), NOW) == WEEK
    assert (WEEK.days, WEEK.last) == (7, date(2026, 11, 22))
    assert WEEK.before == Period(datetime(2026, 11, 9, tzinfo=UTC), NOW - 7 * DAY)
    assert WEEK.before.last == date(2026, 11, 15)
    past = whole_days(7, NOW)
    assert (past.since, past.until) == (
        datetime(2026, 11, 15, tzinfo=UTC),
        datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert (past.days, past.last) == (7, date(2026, 11, 21))
    assert not past.has(past.until) and past.has(past.since)


def test_production_is_where_people_decide_and_else_everything_of_a_service() -> None:
    assert counting(LANES) == {PRODUCTION, MAIL}
    found = total(rollouts=(rollout(1), rollout(2, lane=STAGING), rollout(3, lane=MAIL)))
    assert found.deployments == 2


def test_a_deployment_reached_users_and_failed_when_it_needed_a_remedy() -> None:
    found = total(
        rollouts=(
            rollout(1, NOW - 9 * HOUR),
            rollout(2, NOW - 8 * HOUR, phase=Phase.ROLLED_BACK, rolled_back="automatic"),
            rollout(3, NOW - 7 * HOUR, phase=Phase.ROLLED_BACK, rolled_back="person"),
            rollout(4, NOW - 6 * HOUR, phase=Phase.ROLLED_BACK),
            rollout(5, NOW - 5 * HOUR, phase=Phase.FAILED, had_traffic=False),
            rollout(6, NOW - 4 * HOUR, phase=Phase.CANCELLED, had_traffic=False),
            rollout(7, NOW - 3 * HOUR, phase=Phase.CANCELLED),  # halted, and left as it was
            rollout(8, NOW - 2 * HOUR),
            rollout(9, NOW - HOUR, returns=True, from_digest="v8", to_digest="v1"),
        )
    )
    assert (found.deployments, found.failed) == (6, 5)
    assert found.failure_rate == pytest.approx(5 / 6)
    assert found.rollbacks == Rollbacks(automatic=1, by_people=2, unknown=1)
    assert found.per_day == pytest.approx(6 / 6.5)


def test_a_return_blames_the_release_that_it_took_away_also_from_before_the_period() -> None:
    earlier = rollout(1, WEEK.since - DAY)
    back = rollout(2, NOW - HOUR, returns=True, from_digest="v1", to_digest="v0")
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, (earlier, back)))
    assert (found.total.now.deployments, found.total.now.failed) == (0, 0)
    assert (found.total.before.deployments, found.total.before.failed) == (1, 1)
    assert found.total.now.failure_rate is None  # of no deployment
    other = rollout(2, NOW - HOUR, returns=True, from_digest="else", to_digest="v0")
    undone = rollout(2, NOW - HOUR, returns=True, from_digest="v1", phase=Phase.ROLLED_BACK)
    for each in (other, undone):
        assert report(WEEK, LANES, PeriodFacts(LONG_AGO, (earlier, each))).total.before.failed == 0


def test_lead_times_begin_when_releases_were_made_or_else_requested() -> None:
    made = rollout(1, made_at=NOW - 3 * HOUR)
    asked = rollout(2)
    failed = rollout(3, made_at=NOW - 90 * HOUR, phase=Phase.ROLLED_BACK)
    later = rollout(4, made_at=NOW)  # a clock that is wrong
    known = total(rollouts=(made, asked, failed, later))
    assert (known.lead_from, known.lead) == ("made", Typical(7200.0, 1))
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, (asked, replace(made, ended_at=WEEK.since - HOUR))))
    assert (found.total.now.lead_from, found.total.now.lead) == ("requested", Typical(3600.0, 1))
    assert found.total.before.lead_from == "requested"  # like is compared with like
    assert total().lead is None


def test_outages_of_rollouts_and_alerts_that_overlap_are_one() -> None:
    back = rollout(1, NOW - HOUR, phase=Phase.ROLLED_BACK, shifted_at=NOW - 2 * HOUR)
    told = alert(1, opened_at=NOW - 1.5 * HOUR, ended_at=NOW - 0.5 * HOUR)
    mild = alert(2, severity=Severity.MEDIUM, opened_at=NOW - 6 * HOUR, ended_at=NOW)
    none = alert(3, lane=None, ended_at=NOW)
    elsewhere = alert(4, lane=STAGING, ended_at=NOW)
    assert total(rollouts=(back,), alerts=(told, mild, none, elsewhere)).restore == Typical(5400.0, 1)
    returned = rollout(2, NOW - 8 * HOUR, returns=True)
    found = total(rollouts=(back, returned), alerts=(alert(5),))
    assert (found.restore, found.going_on) == (Typical(3600.0, 1), 1)  # what goes on has no end to count
    assert total(rollouts=(replace(back, shifted_at=None),)).restore is None


def test_an_incident_has_the_times_that_people_recorded() -> None:
    told = alert(1, opened_at=NOW - 2 * HOUR, ended_at=NOW)
    apart = alert(2, opened_at=NOW - 9 * HOUR, ended_at=NOW - 6 * HOUR)
    recorded = (Outage(PRODUCTION, NOW - 1.5 * HOUR, NOW - HOUR), Outage(STAGING, NOW - HOUR, NOW))
    assert total(alerts=(told,), incidents=recorded).restore == Typical(1800.0, 1)
    assert total(alerts=(told, apart), incidents=recorded).restore == Typical(6300.0, 2)
    twice = (*recorded, Outage(PRODUCTION, NOW - 1.2 * HOUR, None))
    found = total(alerts=(told, apart), incidents=twice)
    assert (found.restore, found.going_on) == (Typical(10_800.0, 1), 1)


def test_availability_and_budget_are_of_the_requests_that_were_counted() -> None:
    days = (
        ServedDays(PRODUCTION, date(2026, 11, 22), 21_600.0, 1000, 4),
        ServedDays(PRODUCTION, date(2026, 11, 16), 86_400.0, 1000, 2),
        ServedDays(PRODUCTION, date(2026, 11, 15), 86_400.0, 1000, 500),
        ServedDays(STAGING, date(2026, 11, 22), 86_400.0, 1000, 900),
    )
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, served=days)).total
    assert (found.now.requests, found.now.bad, found.before.bad) == (2000, 6, 500)
    assert found.now.availability == pytest.approx(0.997)
    assert found.now.budget_left == pytest.approx(1 - 6 / 20)
    assert found.before.budget_left == 0.0
    assert found.now.share_counted == pytest.approx(108_000 / (6.5 * 86_400))
    unlimited = ServedDays(MAIL, date(2026, 11, 22), 60.0, 10, 1)
    assert report(WEEK, LANES, PeriodFacts(LONG_AGO, served=(unlimited,))).total.now.budget_left is None


def test_what_is_not_known_is_not_zero() -> None:
    nothing = report(WEEK, LANES, PeriodFacts()).total
    assert nothing.now.deployments is nothing.now.rollbacks is nothing.now.availability is None
    said = dict(wording.lines(nothing))
    assert said.pop("Alerts") == "0, before: not known"
    assert all("not known" in text for text in said.values()), said
    young = report(WEEK, LANES, PeriodFacts({PRODUCTION: NOW - 2 * DAY}, (rollout(1),)))
    assert (young.total.now.deployments, young.total.now.days) == (1, 2.0)
    assert young.total.before.deployments is None
    assert dict(wording.lines(young.total))["Deployments"] == "1 (3.5 a week), before: not known"
    assert report(WEEK, LANES, PeriodFacts({PRODUCTION: NOW})).total.now.deployments is None


def test_alerts_are_those_of_all_lanes_and_the_noisiest_are_named() -> None:
    alerts = (
        alert(1, acknowledged_at=NOW - 2 * HOUR),
        alert(2, returns=4),
        alert(3, lane=STAGING, title="slow", acknowledged_at=NOW - 3 * HOUR),
        alert(4, lane=None, title="disk full"),
        alert(5, lane=None, title="disk full"),
        alert(6, opened_at=WEEK.since - DAY),
    )
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, alerts=alerts))
    assert (found.total.now.alerts, found.total.before.alerts) == (5, 1)
    assert found.total.now.acknowledged == Typical(1800.0, 2)
    assert found.noisy == (Noisy(PRODUCTION, "outage", 6), Noisy(None, "disk full", 2))
    assert [each.now.alerts for each in found.services] == [3, 0]
    assert report(WEEK, LANES[:2], PeriodFacts(LONG_AGO)).services == ()


def test_bars_are_days_or_weeks_without_a_day_twice_or_left_out() -> None:
    done = (rollout(1), rollout(2, WEEK.since), rollout(3, WEEK.since, phase=Phase.ROLLED_BACK))
    served = (ServedDays(PRODUCTION, date(2026, 11, 17), 60.0, 100, 1),)
    bars = report(WEEK, LANES, PeriodFacts(LONG_AGO, done, served=served)).bars
    assert bars[0] == Bar(date(2026, 11, 16), date(2026, 11, 16), 1, 1, None)
    assert bars[1].availability == pytest.approx(0.99)
    assert [bar.good for bar in bars] == [1, 0, 0, 0, 0, 0, 1]
    for days in (28, 90):
        period = last_days(days, NOW)
        bars = report(period, LANES, PeriodFacts(LONG_AGO, done)).bars
        covered = [bar.first + n * DAY for bar in bars for n in range((bar.last - bar.first).days + 1)]
        assert covered == [period.since.date() + n * DAY for n in range(days)]
        assert (len(bars), sum(bar.good for bar in bars)) == (28 if days == 28 else 13, 2)
        # What was served is read by the bar, and the days before as one: each day in one of them.
        before, *begins = summed_from(period)
        assert (before, begins) == (period.before.since.date(), [bar.first for bar in bars])
        summed = tuple(ServedDays(PRODUCTION, first, 60.0, 100, 1) for first in (before, *begins))
        found = report(period, LANES, PeriodFacts(LONG_AGO, served=summed))
        assert {bar.availability for bar in found.bars} == {0.99}
        assert (found.total.now.requests, found.total.before.requests) == (100 * len(bars), 100)


def test_a_rate_is_said_once_a_day_is_known() -> None:
    assert (Figures(deployments=3, days=0.01).per_day, Figures(deployments=3, days=2.0).per_day) == (
        None,
        1.5,
    )
    facts = PeriodFacts({PRODUCTION: NOW - HOUR}, (rollout(1, NOW - HOUR / 2),))
    assert dict(wording.lines(report(WEEK, LANES, facts).total))["Deployments"].startswith("1, ")


def test_a_report_reads_as_plain_words() -> None:
    facts = PeriodFacts(
        LONG_AGO,
        (
            *(rollout(n, NOW - n * 5 * HOUR, made_at=NOW - n * 5 * HOUR - 3 * HOUR) for n in range(1, 12)),
            rollout(12, phase=Phase.ROLLED_BACK, rolled_back="automatic", shifted_at=NOW - 2 * HOUR),
            rollout(13, WEEK.since - DAY, made_at=WEEK.since - 53 * HOUR),
        ),
        (alert(1, acknowledged_at=NOW - 2.9 * HOUR, ended_at=NOW), alert(2, lane=STAGING)),
        (
            ServedDays(PRODUCTION, date(2026, 11, 20), 86_400.0, 1_204_331, 602),
            ServedDays(PRODUCTION, date(2026, 11, 13), 86_400.0, 1000, 1),
        ),
    )
    found = report(WEEK, LANES, facts)
    assert dict(wording.lines(found.total)) == {
        "Availability": "99.95%, up from 99.9%. 1,204,331 requests, counted for 15% of the time",
        "Error budget": "95% left, up from 90%",
        "Deployments": "12 (1.8 a day), up from 1",
        "Lead time": "3 h from release to success, median of 11, down from 29 h",
        "Change failure rate": "8.3%, 1 of 12, up from 0%",
        "Time to restore": "3 h, median of 1, before: not known",
        "Rollbacks": "1: 1 automatic, up from 0",
        "Alerts": "2, up from 0. Someone had it after 6 min on average (1 of 2 acknowledged)",
    }
    assert [wording.short(each) for each in found.services] == [
        "99.95% · 12 deployed · 1 failed · 2 alerts",
        "0 deployed",
    ]
    assert wording.dates(WEEK) == "16 to 22 November 2026 (UTC)"
    assert wording.dates(last_days(28, NOW)) == "26 October to 22 November 2026 (UTC)"
    assert wording.dates(last_days(90, datetime(2027, 1, 1, 9, tzinfo=UTC))).startswith(
        "4 October 2026 to 1 January"
    )
    assert wording.share(0.999999) == "99.99%" and wording.share(1.0) == "100%"
