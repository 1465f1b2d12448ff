"""Weekly reports of a catalog: when and where they are posted, and mistakes with their place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.catalog_files import SOUND, check, load, write

BEFORE = "    roles:"


def with_report(text: str) -> str:
    assert SOUND.count(BEFORE) >= 1
    return SOUND.replace(BEFORE, f"    reports: {text}\n{BEFORE}", 1)


def test_without_the_key_nothing_is_posted(tmp_path: Path) -> None:
    (guild,) = load(write(tmp_path, all=SOUND)).guilds.values()
    assert guild.report is None and "reports" not in guild.channels


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("{channel: weekly}", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (
            '{channel: weekly, at: "fri 17:30", time_zone: Europe/Berlin}',
            datetime(2026, 11, 20, 16, 30, tzinfo=UTC),
        ),
    ],
)
def test_a_report_is_due_at_a_weekday_and_local_time(tmp_path: Path, text: str, due: datetime) -> None:
    (guild,) = load(write(tmp_path, all=with_report(text))).guilds.values()
    assert guild.channels["reports"] == "weekly"
    assert guild.report is not None
    turn = guild.report.turn(due)
    assert turn is not None and guild.report.start(turn) == due
    assert guild.report.start(turn + 1) == due + timedelta(weeks=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{channel: weekly, time_zone: "Europe/Berln"}', 'there is no time zone "Europe/Berln"'),
        ('{channel: weekly, at: "09:00"}', "a weekday and a time in quotes"),
        ('{at: "monday 09:00"}', "channel"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    _, found = check(write(tmp_path, all=with_report(text)))
    (mistake,) = found
    assert "reports" in mistake.key and said in f"{mistake.key} {mistake.sentence}"
