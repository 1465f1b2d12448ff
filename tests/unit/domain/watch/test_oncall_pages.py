"""Weekly test pages: when one is due, for how long it may be posted, and when it was missed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.watch.oncall.pages import LATEST, PATIENCE, Page, due
from bot.domain.watch.oncall.rotation import Rotation
from bot.domain.watch.oncall.schedule import Person

DUE = datetime(2026, 11, 9, 9, tzinfo=UTC)
WEEKLY = Rotation("UTC", datetime(2026, 11, 2, 9), timedelta(weeks=1))
PAGE = Page("payments", DUE, Person(1, "ada"), DUE + timedelta(minutes=2))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (DUE - SECOND, None),
        (DUE, DUE),
        (DUE + LATEST - SECOND, DUE),
        (DUE + LATEST, None),
        (DUE + timedelta(weeks=1), DUE + timedelta(weeks=1)),
        (DUE - timedelta(weeks=1), DUE - timedelta(weeks=1)),
        (DUE - timedelta(weeks=1) - SECOND, None),
    ],
)
def test_a_page_is_due_for_an_hour_from_each_turn_on(at: datetime, expected: datetime | None) -> None:
    assert due(WEEKLY, at) == expected


def test_a_person_has_a_quarter_of_an_hour_from_when_they_could_answer() -> None:
    sent = PAGE.sent_at
    assert not PAGE.late(sent + PATIENCE - SECOND)
    assert PAGE.late(sent + PATIENCE)
    posted = sent + timedelta(minutes=5)
    assert not PAGE.late(posted + PATIENCE - SECOND, posted)
    assert PAGE.late(posted + PATIENCE, posted)
    assert (timedelta(minutes=15), timedelta(hours=1)) == (PATIENCE, LATEST)


def test_a_page_that_was_answered_or_missed_is_not_late() -> None:
    for done in (replace(PAGE, answered_at=DUE), replace(PAGE, missed_at=DUE)):
        assert not done.open
        assert not done.late(DUE + timedelta(days=1))
    assert PAGE.open


def test_it_is_reached_by_the_first_message_that_was_posted_in_time() -> None:
    assert PAGE.until == DUE + LATEST
    last, later = PAGE.until, PAGE.until + SECOND
    assert PAGE.reached({"a": last, "b": DUE, "c": later}) == DUE
    assert PAGE.reached({"a": last, "c": later}) == last
    assert PAGE.reached({"c": later}) is None
    assert PAGE.reached({}) is None


def test_the_key_of_a_message_names_server_page_and_what_it_is_about() -> None:
    text = "42/test page/payments/2026-11-09T09:00:00+00:00/sent"
    assert PAGE.key(42, "sent") == hashlib.sha256(text.encode()).hexdigest()[:24]
    others = (
        PAGE.key(43, "sent"),
        PAGE.key(42, "missed"),
        replace(PAGE, schedule="search").key(42, "sent"),
        replace(PAGE, due_at=DUE + SECOND).key(42, "sent"),
    )
    assert len({PAGE.key(42, "sent"), *others}) == 5
