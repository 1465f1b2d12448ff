"""Events of a calendar: whom they name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.watch.oncall.calendar import CalendarEvent, named, shifts_of
from bot.domain.watch.oncall.schedule import CalendarShift, Person

SINCE = datetime(2026, 11, 9, 9, tzinfo=UTC)
UNTIL = SINCE + timedelta(weeks=1)
ADA = Person(1, "ada", ("Ada Lovelace", "ada@example.com"))
GRACE = Person(2, "grace", ("Grace Hopper",))
ANN, JOANN = Person(3, "ann"), Person(4, "joann")
PEOPLE = (ADA, GRACE, ANN, JOANN)


@pytest.mark.parametrize(
    ("title", "names", "person"),
    [
        ("ada", (), ADA),
        ("  ADA   lovelace ", (), ADA),
        ("On call: Grace Hopper (payments)", (), GRACE),
        ("On call", ("mailto:Ada@Example.com",), ADA),
        ("grace hopper", ("Ada Lovelace",), ADA),  # who attends counts before the title
        ("joann", (), JOANN),
        ("ann, until noon", (), ANN),
        ("on call: joann", (), JOANN),  # and not ann, who is a part of that name
        ("ada and Ada Lovelace", (), ADA),
    ],
)
def test_an_event_names_a_person(title: str, names: tuple[str, ...], person: Person) -> None:
    (found,) = shifts_of([CalendarEvent(SINCE, UNTIL, title, names)], PEOPLE)
    assert (found.since, found.until, found.person, found.why) == (SINCE, UNTIL, person, "")


@pytest.mark.parametrize(
    ("title", "names", "why"),
    [
        ("Linus", (), "The calendar's event “Linus” names none of the schedule's people."),
        ("", (), "The calendar's untitled event names none of the schedule's people."),
        ("ada / grace", (), "The calendar's event “ada / grace” names several people: ada and grace."),
        ("x\n" * 200, (), f"The calendar's event “{'x ' * 29}x…” names none of the schedule's people."),
    ],
)
def test_an_event_that_names_no_one_person_is_a_gap_that_says_so(
    title: str, names: tuple[str, ...], why: str
) -> None:
    (found,) = shifts_of([CalendarEvent(SINCE, UNTIL, title, names)], PEOPLE)
    assert (found.person, found.why) == (None, why)


def test_an_event_without_length_is_no_shift() -> None:
    assert shifts_of([CalendarEvent(SINCE, SINCE, "ada")], PEOPLE) == ()


def test_each_of_several_events_is_a_shift_and_the_catalogs_order_names_the_people() -> None:
    later = UNTIL + timedelta(hours=1)
    events = [
        CalendarEvent(SINCE, UNTIL, "joann, ann, grace and ada"),
        CalendarEvent(UNTIL, SINCE, "ada"),
        CalendarEvent(UNTIL, later, "team", ("Ada Lovelace", "grace")),
        CalendarEvent(UNTIL, later, "grace", ("linus",)),
    ]
    first, second, third = shifts_of(iter(events), PEOPLE)
    assert first.why == (
        "The calendar's event “joann, ann, grace and ada” names several people: ada and grace and ann."
    )
    assert second == CalendarShift(
        UNTIL, later, None, "The calendar's event “team” names several people: ada and grace."
    )
    assert third == CalendarShift(UNTIL, later, GRACE)


def test_a_name_is_a_word_of_the_title_and_no_pattern() -> None:
    dots = Person(5, "a.b", ("", "  "))
    assert named(CalendarEvent(SINCE, UNTIL, "on call a.b"), (dots,)) == [dots]
    assert named(CalendarEvent(SINCE, UNTIL, "on call axb"), (dots,)) == []
    for title in ("grace_2", "2grace", "xgrace", "gracex"):
        assert named(CalendarEvent(SINCE, UNTIL, title), PEOPLE) == []
    for title in ("(grace)", "grace!", "-grace-", "GRACE"):
        assert named(CalendarEvent(SINCE, UNTIL, title), PEOPLE) == [GRACE]
    # Who is named alone counts before who is named within.
    assert named(CalendarEvent(SINCE, UNTIL, "Grace Hopper"), (ADA, Person(6, "hopper"), GRACE)) == [GRACE]
    # The same person twice is one.
    assert named(CalendarEvent(SINCE, UNTIL, "ada"), (ADA, replace(ADA, name="Ada"))) == [ADA]
