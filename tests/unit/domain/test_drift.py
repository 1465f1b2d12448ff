"""Repairs of a lane that drifts: with growing pauses, a bounded number of times, and counted on while it flaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.drift import LONGEST_S, MOST_REPAIRS, Drift

T0 = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_repairs_come_at_once_and_then_with_doubling_pauses_until_they_end() -> None:
    drift, at, repaired = Drift().seen("not ready a", "1.4.0 crashed: 1", T0), 0.0, list[float]()
    while at < 4 * 3600:
        drift = drift.seen("not ready a", f"1.4.0 crashed: {at}", after(at))
        if drift.repair_due(after(at)):
            repaired.append(at)
            drift = drift.repaired(after(at))
        at += 1.0
    assert repaired == [0, 10, 30, 70, 150, 310, 630, 1270]
    assert len(repaired) == MOST_REPAIRS


def test_people_are_called_once_when_the_last_repair_had_its_time() -> None:
    drift = Drift("not ready a", "crashed", MOST_REPAIRS, T0)
    assert not drift.hopeless(after(1279))
    assert drift.hopeless(after(1280))
    assert not drift.repair_due(after(1280))
    told = drift.repaired(after(1280))
    assert not told.hopeless(after(10**6))
    assert not told.repair_due(after(10**6))


def test_a_lane_that_was_as_desired_for_a_moment_does_not_start_over() -> None:
    drift = Drift().seen("not ready a", "crashed", T0).repaired(T0)
    over = drift.seen("", "", after(5))
    assert not over
    again = over.seen("not ready a", "crashed", after(8))
    assert again.repairs == 1
    assert not again.repair_due(after(9))
    assert again.repair_due(after(10))


def test_a_lane_that_was_left_alone_for_the_longest_pause_starts_over() -> None:
    drift = Drift().seen("not ready a", "crashed", T0).repaired(T0)
    over = drift.seen("", "", after(5))
    assert over.seen("", "", after(LONGEST_S)) == Drift()
    assert over.seen("not ready a", "crashed", after(LONGEST_S)).repairs == 0
    assert over.seen("not ready a", "crashed", after(LONGEST_S - 1)).repairs == 1


def test_drift_is_what_was_seen_last() -> None:
    seen = Drift().seen("not ready a", "crashed: 1", T0).seen("instead b", "b has 5%", after(1))
    assert (seen.kind, seen.text, bool(seen)) == ("instead b", "b has 5%", True)
    assert seen.repair_due(T0) and not Drift().repair_due(T0)


def test_pauses_between_repairs_are_at_most_half_an_hour() -> None:
    last = Drift("not ready a", "crashed", MOST_REPAIRS - 1, T0)
    assert not last.repair_due(after(639)) and last.repair_due(after(640))
    assert not last.hopeless(after(10**6))
