"""Events of a calendar: whom they name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.watch.oncall.calendar import CalendarEvent, shifts_of
from bot.domain.watch.oncall.schedule import Person

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
