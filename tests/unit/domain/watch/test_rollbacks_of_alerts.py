"""Rollbacks that alerts ask for: what is kept of them, when they are tried, and what the timeline says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.rollout.model import SYSTEM, Actor
from bot.domain.watch.alerts.actions import AlertActed, act
from bot.domain.watch.alerts.alert import (
    Alert,
    AlertAction,
    AlertState,
    Change,
    Entry,
    Owner,
    Suspect,
    WantedRollback,
)
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.follow_up import called_at, due_at, pass_time, set_back
from bot.domain.watch.alerts.lifecycle import begin, hear
from bot.domain.watch.alerts.rollbacks import (
    begun,
    dropped,
    not_begun,
    suspected,
    to_be_tried,
    tried_again,
    wanted,
)
from tests.support.alerts import errors
from tests.support.virtual_time import EPOCH

POLICY = AlertPolicy()
ADA = Actor(7, "Ada")
SUSPECT = Suspect(12, "1.4.0", "1.5.0", "dev", EPOCH)
DELAYED = "The rollback could not be started yet. Slipway tries again until it is."
NOT_NEEDED = "No rollback was started: the trouble was over first."


def after(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def opened() -> Change:
    return begin(3, errors(), (1,), EPOCH, POLICY, suspect=SUSPECT)


def wanting(tries: int = 0, at: float = 5.0) -> Alert:
    return replace(opened().alert, wanted=WantedRollback(12, "errors", after(at), tries))


def test_an_alert_that_asks_for_a_rollback_keeps_it_and_all_else() -> None:
    change = opened()
    asked = wanted(change, SUSPECT, "errors", EPOCH)
    assert asked.alert == replace(change.alert, wanted=WantedRollback(12, "errors", after(5), 0))
    assert (asked.entries, asked.calls) == (change.entries, change.calls)


def test_one_that_is_wanted_already_keeps_its_time_and_another_deploys_replaces_it() -> None:
    change = Change(wanting(tries=3, at=40))
    assert wanted(change, SUSPECT, "latency", after(20)) is change
    other = wanted(change, replace(SUSPECT, rollout_id=13), "latency", after(20))
    assert other.alert.wanted == WantedRollback(13, "latency", after(25), 0)


@pytest.mark.parametrize(
    ("tries", "pause_s"), [(0, 10), (1, 20), (2, 40), (3, 60), (4, 60), (9, 60), (20_000, 60)]
)
def test_tries_come_further_apart_up_to_a_minute(tries: int, pause_s: float) -> None:
    change = Change(wanting(tries), (Entry(EPOCH, "opened", "x"),))
    again = tried_again(change, after(5))
    assert again.alert == replace(
        change.alert, wanted=WantedRollback(12, "errors", after(5 + pause_s), tries + 1)
    )
    # Only the first one is told.
    said = () if tries else (Entry(after(5), "rollback", DELAYED),)
    assert again.entries == (*change.entries, *said)


def test_time_tries_a_rollback_again_and_calls_are_due_without_it() -> None:
    alert = wanting()
    assert due_at(alert, POLICY) == after(5)
    assert called_at(alert, POLICY) == after(900)
    assert pass_time(alert, after(4.9), POLICY) is None
    change = pass_time(alert, after(5), POLICY)
    assert change is not None
    assert change.alert.wanted == WantedRollback(12, "errors", after(15), 1)
    assert change.alert.version == alert.version + 1
    assert (change.entries, change.calls) == ((Entry(after(5), "rollback", DELAYED),), ())
    # Also while someone has it, or it is silent.
    mine = act(alert, AlertActed(AlertAction.ACKNOWLEDGE, ADA, after(1)), POLICY).alert
    silent = act(alert, AlertActed(AlertAction.SILENCE, ADA, after(1)), POLICY).alert
    assert (due_at(mine, POLICY), due_at(silent, POLICY)) == (after(5), after(5))
    assert (called_at(mine, POLICY), called_at(silent, POLICY)) == (after(1801), after(3601))


def test_the_turn_to_start_a_rollback_is_the_change_that_asks_for_it_or_for_another_try() -> None:
    none, first, second = opened().alert, wanting(), wanting(tries=1, at=15)
    assert to_be_tried(None, first)
    assert to_be_tried(none, first)
    assert to_be_tried(first, second)
    assert not to_be_tried(first, replace(first, version=9))
    assert not to_be_tried(first, none)
    assert not to_be_tried(None, none)


def test_the_suspect_is_the_newest_and_one_that_was_taken_back_stays_so() -> None:
    alert = replace(opened().alert, undone_by=99)
    assert suspected(alert, None) is alert
    again = replace(SUSPECT, going_on=True)
    assert suspected(alert, again) == replace(alert, suspect=again)
    other = replace(SUSPECT, rollout_id=13)
    assert suspected(alert, other) == replace(alert, suspect=other, undone_by=0)
    bare = replace(alert, suspect=None)
    assert suspected(bare, SUSPECT) == replace(bare, suspect=SUSPECT, undone_by=0)


def test_who_starts_a_rollback_has_the_alert() -> None:
    alert = wanting()
    by_ada = begun(alert, ADA, 20, after(60))
    assert by_ada.alert == replace(
        alert,
        wanted=None,
        undone_by=20,
        version=alert.version + 1,
        state=AlertState.ACKNOWLEDGED,
        owner=Owner(7, "Ada"),
        acknowledged_at=after(60),
        taken_at=after(60),
    )
    said = "A rollback was started: rollout 20."
    assert by_ada.entries == (Entry(after(60), "rollback", said, "Ada"),)
    by_itself = begun(alert, SYSTEM, 20, after(60))
    assert by_itself.alert == replace(alert, wanted=None, undone_by=20, version=alert.version + 1)
    assert by_itself.entries == (Entry(after(60), "rollback", said),)
    over = replace(alert, state=AlertState.RESOLVED, ended_at=after(50))
    late = begun(over, ADA, 20, after(60)).alert
    assert (late.over, late.owner, late.undone_by) == (True, None, 20)


@pytest.mark.parametrize("why", ["It is locked.", ""])
def test_a_rollback_that_is_not_started_says_why_once(why: str) -> None:
    alert = wanting()
    change = not_begun(alert, after(9), why)
    assert change.alert == replace(alert, wanted=None, version=alert.version + 1)
    assert change.entries == ((Entry(after(9), "rollback", why),) if why else ())
    assert change.calls == ()


def test_trouble_that_is_over_needs_no_rollback() -> None:
    change = Change(wanting(), (Entry(EPOCH, "opened", "x"),))
    left = dropped(change, after(9))
    assert left.alert == replace(change.alert, wanted=None)
    assert left.entries == (*change.entries, Entry(after(9), "rollback", NOT_NEEDED))
    none = Change(opened().alert)
    assert dropped(none, after(9)) is none
    calm = hear(wanting(), errors(firing=False, at=after(9)), after(9), POLICY)
    assert calm is not None
    assert [entry.what for entry in calm.entries] == ["better", "calm", "rollback"]
    assert calm.alert.wanted is None


# ---- a clock that was set back -------------------------------------------------------------------------------


def test_what_counts_from_a_time_that_is_still_to_come_counts_from_now() -> None:
    alert = replace(
        opened().alert,
        escalates_from=after(100),
        acknowledged_at=after(110),
        taken_at=after(120),
        asked_at=after(130),
        calm_since=after(140),
        wanted=WantedRollback(12, "errors", after(300), 2),
    )
    change = set_back(alert, EPOCH)
    assert change is not None
    assert (change.entries, change.calls) == ((), ())
    assert change.alert == replace(
        alert,
        escalates_from=EPOCH,
        acknowledged_at=EPOCH,
        taken_at=EPOCH,
        asked_at=EPOCH,
        calm_since=EPOCH,
        wanted=WantedRollback(12, "errors", EPOCH, 2),
        version=alert.version + 1,
    )


@pytest.mark.parametrize("name", ["escalates_from", "acknowledged_at", "taken_at", "asked_at", "calm_since"])
def test_each_time_alone_shows_that_the_clock_was_set_back_by_more_than_a_second(name: str) -> None:
    alert = opened().alert
    assert set_back(replace(alert, **{name: after(61)}), after(60)) is None  # type: ignore[arg-type]
    back = set_back(replace(alert, **{name: after(61.1)}), after(60))  # type: ignore[arg-type]
    assert back is not None
    changed = {"escalates_from": EPOCH, name: after(60), "version": alert.version + 1}
    assert back.alert == replace(alert, **changed)  # type: ignore[arg-type]


def test_times_that_have_passed_stay_as_they_were() -> None:
    alert = replace(
        opened().alert,
        acknowledged_at=after(10),
        taken_at=after(5),
        calm_since=after(61.5),
        wanted=WantedRollback(12, "errors", after(30)),
    )
    back = set_back(alert, after(60))
    assert back is not None
    assert back.alert == replace(alert, calm_since=after(60), version=alert.version + 1)


def test_the_next_try_of_a_rollback_may_be_up_to_a_minute_ahead() -> None:
    assert set_back(wanting(at=61), EPOCH) is None
    back = set_back(wanting(at=61.1), EPOCH)
    assert back is not None
    assert back.alert.wanted == WantedRollback(12, "errors", EPOCH)


def test_a_silence_of_a_person_keeps_its_length_and_a_planned_one_its_end() -> None:
    alert = opened().alert
    silent = act(alert, AlertActed(AlertAction.SILENCE, ADA, after(600), seconds=1800), POLICY).alert
    assert (silent.silenced_at, silent.silenced_until) == (after(600), after(2400))
    back = set_back(silent, after(60))
    assert back is not None
    assert (back.alert.silenced_at, back.alert.silenced_until) == (after(60), after(1860))
    assert set_back(silent, after(599)) is None
    planned = replace(silent, silence_id=4)
    assert set_back(planned, after(60)) is None
    calm = set_back(replace(planned, calm_since=after(700)), after(60))
    assert calm is not None
    assert calm.alert.silenced_until == after(2400)
    # What is silent no more has no such time.
    assert set_back(replace(silent, silenced_until=None), after(60)) is None
    # A silence that began before now is not moved.
    other = set_back(replace(silent, calm_since=after(5000)), after(700))
    assert other is not None
    assert (other.alert.silenced_at, other.alert.silenced_until) == (after(600), after(2400))


def test_an_alert_that_is_over_has_no_times_to_come() -> None:
    over = replace(opened().alert, state=AlertState.RESOLVED, escalates_from=after(900))
    assert set_back(over, EPOCH) is None
    assert set_back(opened().alert, EPOCH) is None
