"""Which release a return crosses that cannot be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.records import KnownRelease, LaneRow, Situation
from bot.domain.rollout.model import Desired, Lane, Release
from bot.engine.requests.deploys import irreversible_since

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
LANE = Lane("checkout", "production")
FIRST, SECOND, THIRD = (Release("checkout", v, f"sha256:{v}") for v in ("1.4.0", "1.5.0", "1.6.0"))
MARKED = Release("checkout", "1.5.0", "sha256:1.5.0", irreversible="drops the table coupons")


def situation(*releases: Release) -> Situation:
    """Each ran after the one before it; the last one serves."""
    known = [KnownRelease(r, NOW + timedelta(days=n), None) for n, r in enumerate(releases)]
    row = LaneRow(LANE, 7, Desired(7, releases[-1]), None, NOW)
    return Situation(row, None, None, tuple(reversed(known)))


def test_what_runs_now_is_crossed_by_every_return() -> None:
    assert irreversible_since(situation(FIRST, MARKED), FIRST) == MARKED


def test_a_return_past_an_older_one_crosses_it_too() -> None:
    assert irreversible_since(situation(FIRST, MARKED, THIRD), FIRST) == MARKED


def test_a_return_to_it_or_to_something_newer_crosses_nothing() -> None:
    assert irreversible_since(situation(FIRST, MARKED, THIRD), MARKED) is None
    assert irreversible_since(situation(MARKED, FIRST, THIRD), FIRST) is None
    assert irreversible_since(situation(FIRST, SECOND, THIRD), FIRST) is None


def test_nothing_is_known_of_a_release_from_a_backup() -> None:
    assert irreversible_since(situation(MARKED, THIRD), FIRST) == MARKED
