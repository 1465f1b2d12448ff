"""How numbers, durations and times read, at the bounds where they change their form."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from math import inf

import pytest

from bot.domain.formatting import (
    LONGEST_REASON,
    clean,
    count,
    counted,
    duration,
    one_line,
    percent,
    plain_time,
    stamp,
    times,
    with_times,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (0.00049, "0.049%"),
        (0.0312, "3.1%"),
        (0.01, "1%"),
        (0.0999, "10%"),
        (0.1, "10%"),
        (0.124, "12%"),
        (0.994, "99%"),
        (0.995, "99.5%"),
        (0.997, "99.7%"),
        (0.9999, "100.0%"),
        (1, "100%"),
        (1.004, "100.4%"),
        (2.5, "250%"),
        (12345.6, "1234560%"),
        (-0.0312, "-3.1%"),
        (-0.25, "-25%"),
        (inf, "inf%"),
    ],
)
def test_percentages_read_well(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (0.506777, "507 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1 s"),
        (2.54, "2.5 s"),
        (90, "90 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (121, "2 min 1 s"),
        (300, "5 min"),
        (330.4, "5 min 30 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (5459, "1 h 30 min"),
        (7200, "2 h"),
    ],
)
def test_durations_read_well(value: float, text: str) -> None:
    assert duration(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(4.23, "4.2 times"), (99.4, "99 times"), (100, "100 times"), (250.6, "251 times")]
)
def test_ratios_read_well(ratio: float, text: str) -> None:
    assert times(ratio) == text


def test_counts_read_well() -> None:
    assert (count(999), count(12345)) == ("999", "12,345")
    assert [counted(n, "rollout") for n in (0, 1, 2)] == ["0 rollouts", "1 rollout", "2 rollouts"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s ago (12:00 UTC)"),
        (1, "in 1 s (12:00 UTC)"),
        (119, "in 119 s (12:01 UTC)"),
        (-119, "119 s ago (11:58 UTC)"),
        (120.6, "in 2 min (12:02 UTC)"),
        (125, "in 2 min (12:02 UTC)"),
        (-7260, "2 h 1 min ago (09:59 UTC)"),
        (43_200, "in 12 h (2026-11-21 00:00 UTC)"),
        (172_799, "in 48 h (2026-11-22 11:59 UTC)"),
        (180_000, "in 50 h (2026-11-22 14:00 UTC)"),
        (182_000, "in 51 h (2026-11-22 14:33 UTC)"),
    ],
)
def test_a_time_in_a_terminal_says_how_far_it_is_away(seconds: float, text: str) -> None:
    assert plain_time(NOON + timedelta(seconds=seconds), NOON) == text
    elsewhere = timezone(timedelta(hours=-9))
    at, now = (NOON + timedelta(seconds=seconds)).astimezone(elsewhere), NOON.astimezone(elsewhere)
    assert plain_time(at, now) == text


def test_a_stamp_is_in_utc_and_is_shown_as_its_screen_wants() -> None:
    at = datetime(2026, 11, 20, 14, 3, 20, 999, tzinfo=timezone(timedelta(hours=2)))
    assert stamp(at) == "⟨2026-11-20T12:03:20Z⟩"
    assert with_times(f"since {stamp(at)}, until {stamp(NOON)}", lambda t: f"{t:%H:%M%z}") == (
        "since 12:03+0000, until 12:00+0000"
    )


def test_times_are_in_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert stamp(NOON) == "⟨2026-11-20T12:00:00Z⟩"
        assert plain_time(NOON, NOON - timedelta(minutes=5)) == "in 5 min (12:00 UTC)"
        midnight = NOON.replace(hour=0)
        assert plain_time(midnight, midnight + timedelta(hours=1)) == "1 h ago (00:00 UTC)"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "longest", "kept"),
    [
        ("  a reason\n", 1000, "a reason"),
        ("nul\0l", 1000, "null"),
        ("half \ud83d", 1000, "half ?"),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
    ],
)
def test_text_is_cleaned_of_what_cannot_be_stored(text: str, longest: int, kept: str) -> None:
    assert clean(text, longest) == kept


def test_a_reason_has_a_thousand_characters_at_most() -> None:
    assert len(clean("x" * 1000)) == LONGEST_REASON == len(clean("x" * 1001))
    assert clean("x" * 1001).endswith("x…")


@pytest.mark.parametrize(
    ("text", "longest", "line"),
    [
        ("one\n two\u2028\tthree ", 60, "one two three"),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("\u202eab\x07c\ud83d\ue000", 60, "abc"),
        ("\u200b \u200d", 60, ""),
        ("\n\u200b", 60, ""),
        ("a\u0301", 60, "a\u0301"),
        ("\u0301", 60, ""),
        ("", 60, ""),
        (" " * 39 + "x", 5, "x"),
        (" " * 40 + "x", 5, ""),
    ],
)
def test_a_value_in_a_sentence_is_one_short_line_that_can_be_seen(text: str, longest: int, line: str) -> None:
    assert one_line(text, longest) == line
