"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.watch.oncall.times import moment

ZONE = "Europe/Berlin"
WEDNESDAY = datetime(2026, 11, 11, 13, 30, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", (2026, 11, 11, 13, 30)),
        ("8h", (2026, 11, 11, 21, 30)),
        ("1d 12h", (2026, 11, 13, 1, 30)),
        ("2w", (2026, 11, 25, 13, 30)),
        ("90 min", (2026, 11, 11, 15, 0)),
        ("18:00", (2026, 11, 11, 18, 0)),
        ("9:00", (2026, 11, 12, 9, 0)),  # it is past nine
        ("13:30", (2026, 11, 12, 13, 30)),
        ("today 20:00", (2026, 11, 11, 20, 0)),
        ("tomorrow", (2026, 11, 12, 0, 0)),
        ("Tomorrow  09:00", (2026, 11, 12, 9, 0)),
        ("friday 09:00", (2026, 11, 13, 9, 0)),
        ("fri", (2026, 11, 13, 0, 0)),
        ("wednesday 14:00", (2026, 11, 11, 14, 0)),
        ("wed 09:00", (2026, 11, 18, 9, 0)),
        ("2026-12-24", (2026, 12, 24, 0, 0)),
        ("2026-10-01 08:15", (2026, 10, 1, 8, 15)),  # the past is the past
    ],
)
def test_a_time_in_the_zone_of_the_schedule(text: str, meant: tuple[int, ...]) -> None:
    expected = datetime(*meant, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)  # type: ignore[misc, arg-type]
    assert moment(text, WEDNESDAY, ZONE) == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "9", "today 09:00", "mo 09:00", "2026-02-30", "someday 09:00", "8", "-2h"]
)
def test_what_is_no_time(text: str) -> None:
    assert moment(text, WEDNESDAY, ZONE) is None


@given(st.text(max_size=30))
def test_no_text_is_an_error(text: str) -> None:
    found = moment(text, WEDNESDAY, ZONE)
    assert found is None or found.tzinfo is UTC
