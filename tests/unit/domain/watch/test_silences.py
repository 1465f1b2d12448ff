"""Maintenance silences: what they match, and what an alert does while they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.actions import AlertActed, act
from bot.domain.watch.alerts.alert import Alert, AlertAction, AlertState, Change, Entry
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.follow_up import pass_time
from bot.domain.watch.alerts.lifecycle import begin, hear
from bot.domain.watch.alerts.silences import Silence, quieted
from tests.support.virtual_time import EPOCH

POLICY = AlertPolicy()
GUILD = 1
LANE = Lane("checkout", "production")
ADA = Actor(7, "Ada")


def after(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def silence(silence_id: int = 1, since: float = 0, until: float = 3600, **more: object) -> Silence:
    usual = Silence(
        silence_id, GUILD, "checkout", "", {}, after(since), after(until), "migration", 7, "Ada", after(-3600)
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def finding(name: str = "errors", at: float = 0, **more: object) -> Finding:
    usual = Finding(name, "monitor", f"{name} is wrong", after(at), severity=Severity.CRITICAL, lane=LANE)
    return replace(usual, **more)  # type: ignore[arg-type]


def opened(*silences: Silence, found: Finding | None = None, at: float = 0) -> Change:
    return begin(1, found or finding(), (GUILD,), after(at), POLICY, silences=silences)


def told(alert: Alert, found: Finding, at: float, *silences: Silence) -> Change:
    change = hear(alert, found, after(at), POLICY, silences)
    assert change is not None
    return change


def looked(alert: Alert, at: float, *silences: Silence) -> Change | None:
    change = quieted(Change(alert), silences, after(at))
    return (pass_time(change.alert, after(at), POLICY, before=change) or change) if change else None


def lines(change: Change) -> Sequence[str]:
    return [entry.what for entry in change.entries]


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ({}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"service": "search"}, False),
        ({"service": "", "environment": "production"}, True),
        ({"labels": {"check": "health"}}, True),
        ({"labels": {"check": "health", "rule": "failing"}}, True),
        ({"labels": {"check": "health", "pod": "web-1"}}, False),
        ({"service": "", "labels": {"check": "health"}}, True),
    ],
)
def test_what_a_silence_is_about(given: dict[str, object], matches: bool) -> None:
    labels = {"check": "health", "rule": "failing"}
    assert silence(**given).matches(finding(labels=labels)) == matches  # type: ignore[arg-type]


def test_what_concerns_no_lane_is_matched_by_labels_alone() -> None:
    disk = finding(lane=None, labels={"host": "db1"})
    assert not silence(labels={"host": "db1"}).matches(disk)
    assert silence(service="", labels={"host": "db1"}).matches(disk)


@pytest.mark.parametrize(("at", "silent"), [(-1, False), (0, True), (3599, True), (3600, False)])
def test_a_silence_holds_from_its_beginning_to_its_end(at: float, silent: bool) -> None:
    change = opened(silence(), at=at)
    assert (change.alert.silenced_until is not None) == silent
    assert bool(change.calls) != silent
    assert lines(change) == (["opened", "silenced"] if silent else ["opened", "called"])


def test_one_that_has_begun_goes_on_when_the_clock_is_set_back() -> None:
    for begun in (silence(begun=True), replace(silence(), at=EPOCH)):
        assert begun.active(after(-600))
        assert not begun.active(after(3600))
        assert not replace(begun, over_at=after(5)).active(after(-600))


def test_one_that_is_over_or_of_another_server_silences_nothing() -> None:
    assert opened(silence(over_at=after(-5)), silence(guild_id=2)).calls


def test_its_end_brings_the_alert_back_with_its_calls() -> None:
    quiet = opened(silence()).alert
    assert pass_time(quiet, after(3599), POLICY) is None
    back = pass_time(quiet, after(3600), POLICY)
    assert back is not None
    assert [call.who for call in back.calls] == [("team", "on_call")]
    assert (back.alert.silence_id, back.alert.silenced_until) == (0, None)


def test_an_early_end_brings_it_back_too() -> None:
    quiet = opened(silence()).alert
    assert looked(quiet, 60, silence()) is None
    back = looked(quiet, 60)
    assert back is not None
    assert lines(back) == ["unsilenced", "called"]
    assert [call.who for call in back.calls] == [("team", "on_call")]


def test_a_planned_one_silences_an_open_alert_when_it_begins() -> None:
    loud = opened(silence(since=600)).alert
    assert looked(loud, 599, silence(since=600)) is None
    change = looked(loud, 600, silence(since=600))
    assert change is not None
    assert lines(change) == ["silenced"]
    assert change.entries[0].text == "Silence 1 of Ada keeps it silent: migration."
    assert pass_time(change.alert, after(3500), POLICY) is None


def test_a_trouble_that_no_silence_is_about_wakes_it_and_its_end_silences_it_again() -> None:
    of_check = silence(labels={"check": "health"})
    quiet = opened(of_check, found=finding(labels={"check": "health"})).alert
    loud = told(quiet, finding("latency"), 60, of_check)
    assert [call.who for call in loud.calls] == [("team", "on_call")]
    assert loud.alert.silenced_until is None
    again = told(loud.alert, finding("latency", 120, firing=False), 120, of_check)
    assert (again.alert.silence_id, again.alert.silenced_until) == (1, after(3600))
    assert not again.calls


def test_it_is_silent_until_the_first_of_its_troubles_is_not() -> None:
    short = silence(1, until=600, labels={"check": "a"})
    long = silence(2, until=1200, labels={"check": "b"})
    alert = opened(short, long, found=finding("a", labels={"check": "a"})).alert
    both = told(alert, finding("b", 10, labels={"check": "b"}), 10, short, long)
    assert (both.alert.silence_id, both.alert.silenced_until) == (1, after(600))
    wider = looked(both.alert, 20, short, long, silence(3, until=900))
    assert wider is not None
    assert (wider.alert.silence_id, wider.alert.silenced_until) == (3, after(900))


def test_a_worse_trouble_that_is_silent_too_calls_no_one() -> None:
    alert = opened(silence(), found=finding(severity=Severity.MEDIUM)).alert
    mine = act(alert, AlertActed(AlertAction.ACKNOWLEDGE, ADA, after(5)), POLICY).alert
    worse = told(mine, finding("outage"), 10, silence())
    assert worse.alert.severity is Severity.CRITICAL
    assert not worse.calls


def test_who_wakes_an_alert_is_not_overruled() -> None:
    quiet = opened(silence()).alert
    awake = act(quiet, AlertActed(AlertAction.UNSILENCE, ADA, after(60)), POLICY).alert
    assert looked(awake, 61, silence()) is None
    asked = act(quiet, AlertActed(AlertAction.ESCALATE, ADA, after(60)), POLICY)
    assert asked.calls
    assert looked(asked.alert, 61, silence()) is None


def test_the_longer_of_a_persons_silence_and_a_planned_one_holds() -> None:
    mine = act(opened().alert, AlertActed(AlertAction.SILENCE, ADA, after(0), seconds=1800), POLICY).alert
    assert looked(mine, 10, silence(until=1800)) is None
    longer = looked(mine, 10, silence(until=1801))
    assert longer is not None
    assert (longer.alert.silence_id, longer.alert.silenced_until) == (1, after(1801))


def test_what_became_well_stays_silent_and_resolves() -> None:
    quiet = opened(silence()).alert
    calm = told(quiet, finding(at=60, firing=False), 60, silence())
    assert looked(calm.alert, 70) is None
    done = pass_time(calm.alert, after(180), POLICY)
    assert done is not None
    assert done.alert.over
    assert not done.calls


# ---- as a whole ----


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "checkout/*"),
        ({"environment": "production"}, "checkout/production"),
        ({"service": "", "environment": "production"}, "*/production"),
        (
            {"environment": "production", "labels": {"check": "health", "pod": "web-1"}},
            "checkout/production, check=health, pod=web-1",
        ),
        ({"service": "", "labels": {"check": "health"}}, "check=health"),
        ({"service": ""}, ""),
    ],
)
def test_what_is_silent_for_people(given: dict[str, object], said: str) -> None:
    assert silence(**given).about == said  # type: ignore[arg-type]


def test_a_silence_changes_nothing_of_an_alert_but_its_calls() -> None:
    loud = opened().alert
    change = looked(loud, 60, silence())
    assert change is not None
    assert change.alert == replace(loud, silenced_until=after(3600), silence_id=1)
    text = "Silence 1 of Ada keeps it silent: migration."
    assert change.entries == (Entry(after(60), "silenced", text),)
    # The same one with another end, and no further line.
    longer = looked(change.alert, 70, silence(until=7200))
    assert longer is not None
    assert (longer.alert.silenced_until, longer.entries) == (after(7200), ())
    back = quieted(Change(change.alert, change.entries), (), after(90))
    assert back is not None
    assert back.alert == replace(
        change.alert, silenced_until=None, silence_id=0, escalates_from=after(90), steps_done=0
    )
    text = "The silence is over, and the trouble is not."
    assert back.entries == (*change.entries, Entry(after(90), "unsilenced", text))


def test_lines_that_came_before_stay_before() -> None:
    first = Entry(EPOCH, "trouble", "x")
    change = quieted(Change(opened().alert, (first,)), [silence()], EPOCH)
    assert change is not None
    assert [entry.what for entry in change.entries] == ["trouble", "silenced"]


def test_an_alert_that_is_over_or_well_or_was_woken_is_left_alone() -> None:
    loud = opened().alert
    for alert in (
        replace(loud, state=AlertState.RESOLVED),
        replace(loud, woken=True),
        replace(loud, troubles=(replace(loud.troubles[0], over_at=after(1)),)),
    ):
        assert quieted(Change(alert), [silence()], after(60)) is None
    # A person's silence is not ended because no planned one holds.
    mine = act(loud, AlertActed(AlertAction.SILENCE, ADA, after(0)), POLICY).alert
    assert quieted(Change(mine), (), after(60)) is None


def test_of_several_silences_of_a_trouble_the_longest_counts_and_of_equal_ones_the_first() -> None:
    def held_by(*silences: Silence) -> tuple[int, datetime | None]:
        change = looked(opened().alert, 10, *silences)
        assert change is not None
        return change.alert.silence_id, change.alert.silenced_until

    assert held_by(silence(1, until=600), silence(2, until=900)) == (2, after(900))
    assert held_by(silence(2, until=900), silence(1, until=600)) == (2, after(900))
    assert held_by(silence(2), silence(1)) == held_by(silence(1), silence(2)) == (1, after(3600))


def test_one_that_is_planned_from_before_it_was_given_holds_at_once() -> None:
    given = silence(since=-60, at=EPOCH)
    assert given.active(EPOCH) and given.active(after(-30))
    planned = silence(since=60, at=EPOCH)
    assert not planned.active(after(59)) and planned.active(after(60)) and planned.active(after(3599))


def test_a_planned_silence_that_was_shortened_ends_sooner() -> None:
    quiet = opened(silence()).alert
    shorter = looked(quiet, 10, silence(until=600))
    assert shorter is not None
    assert (shorter.alert.silence_id, shorter.alert.silenced_until) == (1, after(600))
