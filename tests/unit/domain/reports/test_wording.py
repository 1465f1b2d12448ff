"""Reports in plain words: each figure with and without one before it, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot.domain.reports import wording
from bot.domain.reports.deployments import Typical
from bot.domain.reports.figures import Figures, Rollbacks
from bot.domain.reports.records import Period
from bot.domain.reports.report import Compared, Noisy, PeriodReport
from bot.domain.rollout.model import Lane

NOTHING = Figures()
SOME = Figures(deployments=10, days=7.0, rollbacks=Rollbacks())


def said(label: str, now: Figures, before: Figures = NOTHING) -> str:
    return dict(wording.lines(Compared("", (), now, before)))[label]


def some(**more: Any) -> Figures:
    return replace(SOME, **more)


def test_the_lines_of_a_report_in_their_order() -> None:
    found = wording.lines(Compared("", (), NOTHING, NOTHING))
    assert [line.label for line in found] == [
        "Availability",
        "Error budget",
        "Deployments",
        "Lead time",
        "Change failure rate",
        "Time to restore",
        "Rollbacks",
        "Alerts",
    ]
    assert [line.text for line in found] == [
        "not known: no requests were counted",
        "not known",
        "not known: no rollouts are recorded",
        "not known",
        "not known",
        "not known",
        "not known: no rollouts are recorded",
        "0, before: not known",
    ]


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (some(requests=1000, bad=1, share_counted=1.0), NOTHING, "99.9%, before: not known"),
        (some(requests=1000, bad=1), some(requests=1000, bad=1), "99.9%, as before"),
        (some(requests=1000, bad=1), some(requests=1000, bad=2), "99.9%, up from 99.8%"),
        (some(requests=1000, bad=2), some(requests=1000, bad=1), "99.8%, down from 99.9%"),
        # What reads the same is the same.
        (some(requests=10**6, bad=1), some(requests=10**6, bad=2), "99.99%, as before"),
    ],
)
def test_availability_against_the_period_before(now: Figures, before: Figures, expected: str) -> None:
    watched = "100%" if now.share_counted else "0%"
    requests = "1,000,000" if now.requests > 1000 else "1,000"
    assert said("Availability", now, before) == (
        f"{expected}. {requests} requests, counted for {watched} of the time"
    )


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (0.5, None, "50% left, before: not known"),
        (0.5, 0.25, "50% left, up from 25%"),
        (0.0, 0.25, "spent, down from 25%"),
        (0.0, 0.0, "spent, as before"),
    ],
)
def test_the_budget_that_is_left(now: float, before: float | None, expected: str) -> None:
    assert said("Error budget", some(budget_left=now), some(budget_left=before)) == expected


@pytest.mark.parametrize(
    ("deployments", "days", "before", "expected"),
    [
        (14, 7.0, 7, "14 (2.0 a day), up from 7"),
        (7, 7.0, 14, "7 (1.0 a day), down from 14"),
        (6, 7.0, 6, "6 (6.0 a week), as before"),
        (1, 7.0, None, "1 (1.0 a week), before: not known"),
        (2, 28.0, 0, "2 (2.1 in 30 days), up from 0"),
        (1, 7.5, 0, "1 (4.0 in 30 days), up from 0"),
        (0, 7.0, 0, "0 (none), as before"),
        (3, 0.5, 0, "3, up from 0"),
        (1, 1.0, 0, "1 (1.0 a day), up from 0"),
        (3, 0.0, 0, "not known: no rollouts are recorded"),
    ],
)
def test_how_often_was_deployed(deployments: int, days: float, before: int | None, expected: str) -> None:
    now = some(deployments=deployments, days=days)
    assert said("Deployments", now, Figures(deployments=before)) == expected


@pytest.mark.parametrize(
    ("seconds", "length"),
    [
        (59.4, "59 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (120.9, "2 min"),
        (150.1, "3 min"),
        (7200.0, "2 h"),
        (172_799.0, "48 h"),
        (172_800.0, "2.0 days"),
        (237_600.0, "2.8 days"),
    ],
)
def test_lead_times_in_lengths_that_matter(seconds: float, length: str) -> None:
    made = some(lead=Typical(seconds, 3), lead_from="made")
    assert said("Lead time", made) == f"{length} from release to success, median of 3, before: not known"
    asked = some(lead=Typical(seconds, 3))
    assert said("Lead time", asked, asked) == f"{length} from request to success, median of 3, as before"
    longer = some(lead=Typical(999_999.0, 1))
    assert said("Lead time", asked, longer).endswith("median of 3, down from 11.6 days")
    assert said("Lead time", longer, asked).endswith(f"median of 1, up from {length}")


def test_how_many_changes_failed() -> None:
    now, before = some(failed=1), some(failed=2)
    assert said("Change failure rate", now, before) == "10%, 1 of 10, down from 20%"
    assert said("Change failure rate", before, now) == "20%, 2 of 10, up from 10%"
    assert said("Change failure rate", some()) == "0%, 0 of 10, before: not known"
    assert said("Change failure rate", some(deployments=0)) == "not known"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (some(), "no outages"),
        (Figures(), "not known"),
        (some(going_on=1), "1 outage still going on"),
        (Figures(going_on=2), "2 outages still going on"),
        (some(restore=Typical(90.0, 2)), "90 s, median of 2, down from 3 min"),
        (
            some(restore=Typical(90.0, 2), going_on=1),
            "90 s, median of 2, down from 3 min. 1 outage still going on",
        ),
    ],
)
def test_how_long_users_were_worse_off(now: Figures, expected: str) -> None:
    assert said("Time to restore", now, some(restore=Typical(180.0, 1))) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (Rollbacks(), Rollbacks(), "0, as before"),
        (Rollbacks(1), None, "1: 1 automatic, before: not known"),
        (
            Rollbacks(1, 2, 3),
            Rollbacks(1),
            "6: 1 automatic, 2 by people, 3 by someone not known, up from 1",
        ),
        (Rollbacks(0, 2), Rollbacks(0, 0, 4), "2: 2 by people, down from 4"),
    ],
)
def test_rollbacks_and_who_ordered_them(now: Rollbacks, before: Rollbacks | None, expected: str) -> None:
    assert said("Rollbacks", some(rollbacks=now), some(rollbacks=before)) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (some(), some(), "0, as before"),
        (some(), Figures(), "0, before: not known"),
        (some(), Figures(alerts=2), "0, down from 2"),
        (some(alerts=3), some(), "3, up from 0. None was acknowledged"),
        (
            some(alerts=3, acknowledged=Typical(150.0, 2)),
            some(alerts=3),
            "3, as before. Someone had it after 2 min on average (2 of 3 acknowledged)",
        ),
    ],
)
def test_alerts_and_how_soon_someone_had_them(now: Figures, before: Figures, expected: str) -> None:
    assert said("Alerts", now, before) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Figures(), "not known"),
        (Figures(deployments=0), "0 deployed"),
        (Figures(alerts=1), "1 alert"),
        (Figures(alerts=2), "2 alerts"),
        (
            Figures(deployments=3, failed=1, alerts=1, requests=4, bad=1),
            "75% · 3 deployed · 1 failed · 1 alert",
        ),
    ],
)
def test_a_service_in_one_line(now: Figures, expected: str) -> None:
    assert wording.short(Compared("checkout", (), now, NOTHING)) == expected


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "100%"), (0.99999, "99.99%"), (0.5, "50%"), (0.0, "0%"), (0.12345, "12.34%")]
)
def test_a_share_is_never_rounded_up(value: float, shown: str) -> None:
    assert wording.share(value) == shown


def test_what_was_alerted_about_most_often() -> None:
    found = (Noisy(Lane("checkout", "production"), "Many fail", 3), Noisy(None, "Disk full", 1))
    report = PeriodReport(WEEK, Compared("", (), NOTHING, NOTHING), noisy=found)
    assert wording.noisy(report) == ["3 times: Many fail (checkout/production)", "1 time: Disk full"]


WEEK = Period(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC))


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        ((2026, 11, 9), (2026, 11, 16), "9 to 15 November 2026 (UTC)"),
        ((2026, 11, 9), (2026, 11, 10), "9 November 2026 (UTC)"),
        ((2026, 10, 26), (2026, 11, 23), "26 October to 22 November 2026 (UTC)"),
        ((2026, 12, 28), (2027, 1, 4), "28 December 2026 to 3 January 2027 (UTC)"),
        ((2025, 11, 9), (2026, 11, 16), "9 November 2025 to 15 November 2026 (UTC)"),
    ],
)
def test_the_dates_of_a_period(since: tuple[int, int, int], until: tuple[int, int, int], shown: str) -> None:
    period = Period(datetime(*since, tzinfo=UTC), datetime(*until, tzinfo=UTC))
    assert wording.dates(period) == shown


def test_short_dates_have_the_months_in_english() -> None:
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    assert [wording.short_date(date(2026, n, 9)) for n in range(1, 13)] == [f"9 {each}" for each in months]
