"""What reports count: deployments that failed, times, availability, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from bot.domain.reports import wording
from bot.domain.reports.deployments import Typical, failed, lead_times, mean, median, outages
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


# ---- as a whole ----------------------------------------------------------------------------------------------


def test_a_report_of_two_services_as_a_whole() -> None:
    lanes = (*LANES, ReportedLane(Lane("mail", "staging"), gated=True))
    facts = PeriodFacts(
        LONG_AGO,
        (
            rollout(1, NOW - 9 * HOUR, phase=Phase.ROLLED_BACK, shifted_at=NOW - 10 * HOUR),
            rollout(2, NOW - 8 * HOUR, lane=Lane("mail", "staging"), made_at=NOW - 9 * HOUR),
            rollout(3, WEEK.since - DAY, lane=Lane("mail", "staging"), made_at=WEEK.since - 26 * HOUR),
            rollout(4, NOW, lane=PRODUCTION),  # after the period
        ),
        (alert(1, lane=None), alert(2, lane=MAIL), alert(3, lane=PRODUCTION, severity=Severity.MEDIUM)),
        (
            ServedDays(PRODUCTION, date(2026, 11, 22), 43_200.0, 1000, 5),
            ServedDays(MAIL, date(2026, 11, 22), 43_200.0, 9, 9),
        ),
        (Outage(MAIL, NOW - 2 * HOUR, None),),
    )
    known = {Lane("mail", "staging"): NOW - 99 * DAY}
    found = report(WEEK, lanes, replace(facts, known_since={**LONG_AGO, **known}), "all of it")
    assert (found.period, found.total.name) == (WEEK, "all of it")
    assert found.total.environments == ("production", "staging")
    assert found.total.now == Figures(
        deployments=2,
        days=6.5,
        failed=1,
        lead=Typical(3600.0, 1),
        lead_from="made",
        restore=Typical(3600.0, 1),
        rollbacks=Rollbacks(unknown=1),
        requests=1000,
        bad=5,
        counted_s=43_200.0,
        share_counted=pytest.approx(43_200 / (6.5 * 86_400)),
        budget_left=pytest.approx(0.5),
        alerts=3,
    )
    # Compared on the same basis.
    assert found.total.before == Figures(
        deployments=1,
        days=6.5,
        lead=Typical(7200.0, 1),
        lead_from="made",
        rollbacks=Rollbacks(),
    )
    checkout, mail = found.services
    assert (checkout.name, checkout.environments) == ("checkout", ("production",))
    assert (mail.name, mail.environments) == ("mail", ("staging",))
    assert (checkout.now.failed, checkout.now.alerts, checkout.now.lead) == (1, 1, None)
    assert checkout.now.restore == Typical(3600.0, 1)
    assert (mail.now.deployments, mail.now.failed, mail.now.alerts, mail.now.requests) == (1, 0, 1, 0)
    # Of a lane that does not count as production, no outage does.
    assert (mail.now.going_on, mail.now.lead, mail.now.rollbacks) == (0, Typical(3600.0, 1), Rollbacks())
    assert [(bar.good, bar.failed) for bar in found.bars][-1] == (1, 1)
    assert found.bars[-1].availability == pytest.approx(0.995)
    assert report(WEEK, lanes, facts).total.name == ""


def test_rollouts_of_a_lane_that_was_never_known_count_for_no_service() -> None:
    facts = PeriodFacts({MAIL: NOW - 99 * DAY}, (rollout(1, lane=MAIL),))
    checkout, mail = report(WEEK, LANES, facts).services
    assert (checkout.now.deployments, mail.now.deployments) == (None, 1)
    assert report(WEEK, LANES, PeriodFacts(LONG_AGO)).services[1].now.deployments == 0


def test_deployments_are_known_from_the_first_rollout_on_and_compared_only_as_a_whole() -> None:
    def of(since: datetime) -> tuple[Figures, Figures]:
        found = report(WEEK, LANES, PeriodFacts({PRODUCTION: since, STAGING: NOW - 99 * DAY})).total
        return found.now, found.before

    before = WEEK.before
    assert of(before.since)[1].deployments == 0
    assert of(before.since + DAY / 2)[1].deployments is None
    assert (of(WEEK.since)[0].days, of(WEEK.since - DAY)[0].days) == (6.5, 6.5)
    assert of(NOW - DAY)[0].days == 1.0
    unknown = of(NOW)[0]
    assert (unknown.deployments, unknown.days, unknown.lead, unknown.rollbacks) == (None, 0.0, None, None)
    later = report(
        WEEK, LANES, PeriodFacts({PRODUCTION: NOW}, (rollout(1, phase=Phase.ROLLED_BACK),))
    ).total.now
    assert (later.failed, later.lead) == (0, None)


@pytest.mark.parametrize(
    ("at", "counts"), [(WEEK.since - HOUR / 60, False), (WEEK.since, True), (NOW, False)]
)
def test_the_edges_of_a_period(at: datetime, counts: bool) -> None:
    found = total(
        rollouts=(rollout(1, at),), alerts=(alert(1, opened_at=at),), incidents=(Outage(MAIL, at, None),)
    )
    assert (found.deployments, found.alerts, found.going_on) == (counts, counts, counts + counts)


@pytest.mark.parametrize(("day", "counts"), [(15, False), (16, True), (22, True), (23, False)])
def test_what_was_served_on_the_first_and_on_the_last_day_counts(day: int, counts: bool) -> None:
    served = ServedDays(PRODUCTION, date(2026, 11, day), 60.0, 10, 1)
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, served=(served,)))
    assert found.total.now.requests == (10 if counts else 0)
    assert sum(bar.availability is not None for bar in found.bars) == counts


def test_the_share_of_time_that_was_counted_is_of_the_lanes_that_were_counted() -> None:
    days = (
        ServedDays(PRODUCTION, date(2026, 11, 16), 6.5 * 86_400 / 2, 0, 0),
        ServedDays(MAIL, date(2026, 11, 16), 6.5 * 86_400, 0, 0),
    )
    assert total(served=days).share_counted == pytest.approx(0.75)
    assert total(served=(replace(days[1], seconds=1e9),)).share_counted == 1.0
    assert total().share_counted is None
    assert total(served=days).budget_left is None


def test_the_median_and_the_mean_of_none_are_not_known() -> None:
    assert (median(()), mean(())) == (None, None)
    assert median(iter((1.0, 2.0, 9.0))) == Typical(2.0, 3)
    assert mean(iter((1.0, 2.0, 9.0))) == Typical(4.0, 3)


def test_lead_times_of_each_deployment_that_succeeded() -> None:
    at = NOW - HOUR
    same = rollout(1, at, made_at=at)
    assert lead_times((same, rollout(2), rollout(3, returns=True), rollout(4, had_traffic=False))) == (
        [0.0],
        [3600.0, 3600.0],
    )


def test_which_deployments_failed() -> None:
    first, second = rollout(1, NOW - 5 * HOUR), rollout(2, NOW - 4 * HOUR)
    elsewhere = rollout(9, NOW - 3.5 * HOUR, lane=MAIL)
    back = rollout(3, NOW - 3 * HOUR, returns=True, from_digest="v2", to_digest="v1")
    again = rollout(4, NOW - 2 * HOUR, returns=True, from_digest="v1", to_digest="v0")
    assert failed((back, elsewhere, second, first)) == {2}
    # What a return brought back is what serves then, and a return is no deployment to blame.
    assert failed((first, second, back, again)) == {2, 3}
    assert failed((first, rollout(2, phase=Phase.CANCELLED), rollout(3, phase=Phase.ROLLED_BACK))) == {2, 3}
    assert failed((rollout(2, phase=Phase.ROLLED_BACK, returns=True),)) == frozenset()
    assert failed((rollout(2, phase=Phase.FAILED, had_traffic=False),)) == frozenset()
    assert failed((back,)) == frozenset()
    # Of two that ended at one time, the higher number is the later.
    assert failed((rollout(2, back.ended_at), replace(back, id=3))) == {2}
    assert failed((rollout(4, back.ended_at), replace(back, id=3))) == frozenset()


def test_outages_that_touch_are_one_and_each_lane_has_its_own() -> None:
    def told(number: int, since: float, until: float | None, lane: Lane = PRODUCTION) -> PastAlert:
        end = NOW + until * HOUR if until is not None else None
        return alert(number, lane=lane, opened_at=NOW + since * HOUR, ended_at=end)

    def of(*alerts: PastAlert, **more: Any) -> set[tuple[str, float, float | None]]:
        found = outages((), alerts, **more)
        return {
            (
                each.lane.service,
                (each.since - NOW) / HOUR,
                (each.until - NOW) / HOUR if each.until is not None else None,
            )
            for each in found
        }

    assert of(told(1, -5, -4), told(2, -4, -3)) == {("checkout", -5, -3)}
    assert of(told(1, -5, -4), told(2, -3.9, -3)) == {("checkout", -5, -4), ("checkout", -3.9, -3)}
    assert of(told(2, -4, -3), told(1, -5, -1)) == {("checkout", -5, -1)}
    assert of(told(1, -5, None), told(2, -4, -3)) == {("checkout", -5, None)}
    assert of(told(1, -5, -3), told(2, -4, None)) == {("checkout", -5, None)}
    assert of(told(1, -5, -4), told(2, -5, -4, MAIL)) == {("checkout", -5, -4), ("mail", -5, -4)}
    for severity, counts in zip(Severity, (True, True, False, False), strict=True):
        assert bool(of(replace(told(1, -5, -4), severity=severity))) is counts


@pytest.mark.parametrize(
    ("since", "until", "left_out"),
    [
        (-6, -4, True),  # up to its beginning
        (-6, -4.1, False),
        (-2, -1, True),  # from its end on
        (-1.9, -1, False),
        (-3.5, -2.5, True),
        (-6, None, True),
        (-1, None, False),
    ],
)
def test_what_overlaps_an_incident_is_the_incident(since: float, until: float | None, left_out: bool) -> None:
    incident = Outage(PRODUCTION, NOW - 4 * HOUR, NOW - 2 * HOUR)
    told = alert(1, opened_at=NOW + since * HOUR, ended_at=None if until is None else NOW + until * HOUR)
    found = outages((), (told,), (incident,))
    assert (incident in found, len(found)) == (True, 1 if left_out else 2)
    going_on = replace(incident, until=None)
    assert len(outages((), (told,), (going_on,))) == (2 if until is not None and until < -4 else 1)


def test_a_release_is_an_outage_from_its_first_traffic_and_a_return_from_its_request() -> None:
    ended = NOW - HOUR
    back = rollout(1, ended, phase=Phase.ROLLED_BACK, shifted_at=ended - HOUR / 2)
    gone = rollout(2, ended, returns=True)
    assert outages((back,), ()) == (Outage(PRODUCTION, ended - HOUR / 2, ended),)
    assert outages((gone,), ()) == (Outage(PRODUCTION, ended - HOUR, ended),)
    assert outages((replace(gone, phase=Phase.FAILED), rollout(3, shifted_at=ended)), ()) == ()


def test_the_five_noisiest_are_named_and_once_is_no_noise() -> None:
    def often(number: int, title: str, times: int, lane: Lane | None = PRODUCTION) -> PastAlert:
        return alert(number, title=title, returns=times - 1, lane=lane)

    alerts = (
        often(1, "b", 2),
        often(2, "a", 2),
        often(3, "c", 3),
        often(4, "once", 1),
        often(5, "a", 2, MAIL),
        often(6, "a", 2, None),
        often(7, "z", 2, Lane("unknown", "production")),
        often(8, "d", 9),
        replace(often(9, "old", 9), opened_at=WEEK.since - DAY),
    )
    found = report(WEEK, LANES, PeriodFacts(LONG_AGO, alerts=alerts)).noisy
    assert found == (
        Noisy(PRODUCTION, "d", 9),
        Noisy(PRODUCTION, "c", 3),
        Noisy(None, "a", 2),
        Noisy(PRODUCTION, "a", 2),
        Noisy(PRODUCTION, "b", 2),
    )


@pytest.mark.parametrize(("days", "bars"), [(1, 1), (31, 31), (32, 5), (35, 5), (36, 6)])
def test_bars_are_days_up_to_a_month_and_then_weeks_that_end_with_the_period(days: int, bars: int) -> None:
    period = last_days(days, NOW)
    found = report(period, LANES, PeriodFacts(LONG_AGO)).bars
    assert (len(found), found[0].first, found[-1].last) == (bars, period.since.date(), period.last)
    if days > 31:
        assert {(bar.last - bar.first).days for bar in found[1:]} == {6}


def test_bars_sum_up_what_belongs_to_their_days_in_production() -> None:
    period = last_days(35, NOW)
    week = date(2026, 11, 16)
    done = (
        rollout(1, NOW - HOUR, phase=Phase.ROLLED_BACK),
        rollout(2, NOW - DAY),
        rollout(3, NOW - DAY, lane=STAGING),
        rollout(4, NOW - DAY, had_traffic=False),
        rollout(5, NOW - 7 * DAY),
        rollout(6, period.since - HOUR),
    )
    served = (
        ServedDays(PRODUCTION, week, 60.0, 100, 1),
        ServedDays(MAIL, week, 60.0, 100, 2),
        ServedDays(STAGING, week, 60.0, 100, 50),
        ServedDays(PRODUCTION, week - 7 * DAY, 60.0, 0, 0),
        ServedDays(PRODUCTION, week + 7 * DAY, 60.0, 100, 100),
    )
    found = report(period, LANES, PeriodFacts(LONG_AGO, done, served=served)).bars
    assert found[-1] == Bar(week, date(2026, 11, 22), 1, 1, pytest.approx(0.985))
    assert found[-2] == Bar(week - 7 * DAY, date(2026, 11, 15), 1, 0, None)


def test_midnight_is_that_of_utc() -> None:
    berlin = datetime(2026, 11, 22, 0, 30, tzinfo=timezone(HOUR))
    assert last_days(1, berlin) == Period(datetime(2026, 11, 21, tzinfo=UTC), berlin)
    assert whole_days(1, berlin) == Period(
        datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    )
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    assert Period(midnight - DAY, midnight).days == 1
    assert Period(midnight - DAY, midnight + timedelta(microseconds=1)).days == 2


def test_figures_that_are_shares() -> None:
    assert Figures(requests=4, bad=1).availability == 0.75
    assert Figures(deployments=4, failed=1).failure_rate == 0.25
    assert Figures(deployments=4, days=1.0).per_day == 4.0
    assert Figures(deployments=4, days=0.99).per_day is None
    assert Figures(days=4.0).per_day is None
    assert Rollbacks(1, 2, 4).total == 7
