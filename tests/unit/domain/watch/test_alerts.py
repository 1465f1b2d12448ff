"""Alerts on virtual time: findings, escalation, people, silences, and what came due while no process ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import Refused
from bot.domain.rollout.model import SYSTEM, Actor, Lane
from bot.domain.watch.alerts import rollbacks
from bot.domain.watch.alerts.actions import AlertActed, act, allowed_actions
from bot.domain.watch.alerts.alert import (
    Alert,
    AlertAction,
    AlertState,
    Call,
    Change,
    Entry,
    Owner,
    Suspect,
    Trouble,
    WantedRollback,
    alert_line,
)
from bot.domain.watch.alerts.alert import told as told_as
from bot.domain.watch.alerts.escalation import STEPS, AlertPolicy, EscalationStep
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.follow_up import due_at, pass_time, settle_s
from bot.domain.watch.alerts.lifecycle import (
    MOST_LEFT_OUT,
    MOST_TROUBLES,
    begin,
    concerns,
    group_of,
    hear,
    knows,
)

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LANE = Lane("checkout", "production")
ADA = Actor(7, "Ada")
POLICY = AlertPolicy()


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def finding(
    fingerprint: str = "errors",
    at: float = 0.0,
    *,
    firing: bool = True,
    severity: Severity = Severity.CRITICAL,
    value: str = "52%",
) -> Finding:
    return Finding(
        fingerprint,
        "rule",
        f"{fingerprint} above the limit",
        after(at),
        firing,
        severity,
        LANE,
        value=value,
        limit="10%",
    )


def opened(severity: Severity = Severity.CRITICAL) -> Change:
    return begin(3, finding(severity=severity), (1,), T0, POLICY)


def passed(alert: Alert, seconds: float) -> Change:
    change = pass_time(alert, after(seconds), POLICY)
    assert change is not None
    return change


def heard(alert: Alert, told: Finding, seconds: float) -> Change:
    change = hear(alert, told, after(seconds), POLICY)
    assert change is not None
    return change


def acted(alert: Alert, action: AlertAction, at: float = 60.0, reason: str = "") -> Change:
    return act(alert, AlertActed(action, ADA, after(at), reason), POLICY)


# ---- findings ------------------------------------------------------------------------------------------------


def test_a_critical_alert_calls_the_team_and_the_person_on_call_at_once() -> None:
    change = opened()
    assert [call.who for call in change.calls] == [("team", "on_call")]
    assert change.calls[0].text == "errors above the limit: 52% (limit 10%)" == alert_line(change.alert)
    assert [entry.what for entry in change.entries] == ["opened", "called"]
    assert change.alert.version == 1


@pytest.mark.parametrize(("severity", "calls"), [(Severity.MEDIUM, 0), (Severity.LOW, 0), (Severity.HIGH, 1)])
def test_a_warning_calls_no_one_at_once(severity: Severity, calls: int) -> None:
    assert len(opened(severity).calls) == calls


def test_a_finding_that_is_told_again_changes_nothing() -> None:
    alert = opened().alert
    assert hear(alert, finding(at=30.0), after(30), POLICY) is None


def test_a_value_that_changed_is_kept_without_a_line_or_a_call() -> None:
    change = hear(opened().alert, finding(at=30.0, value="60%"), after(30), POLICY)
    assert change is not None
    assert (change.entries, change.calls) == ((), ())
    assert change.alert.first.finding.value == "60%"
    assert change.alert.first.since == T0


def test_further_trouble_of_the_lane_joins_the_alert() -> None:
    change = hear(opened().alert, finding("latency", 10, severity=Severity.MEDIUM), after(10), POLICY)
    assert change is not None
    assert [each.finding.fingerprint for each in change.alert.firing] == ["errors", "latency"]
    assert [entry.what for entry in change.entries] == ["trouble"]
    assert change.calls == ()


def test_what_becomes_worse_escalates_from_the_beginning() -> None:
    warning = passed(opened(Severity.MEDIUM).alert, 600).alert
    change = hear(warning, finding("gateway", 700), after(700), POLICY)
    assert change is not None
    assert change.alert.severity is Severity.CRITICAL
    assert [call.who for call in change.calls] == [("team", "on_call")]
    assert "It is critical now; it was medium." in [entry.text for entry in change.entries]


def test_who_was_called_a_moment_ago_is_not_called_again_for_the_same() -> None:
    high = opened(Severity.HIGH).alert
    change = hear(high, finding("gateway", 5), after(5), POLICY)
    assert change is not None
    assert (change.alert.severity, change.calls, change.alert.steps_done) == (Severity.CRITICAL, (), 1)
    later = hear(high, finding("gateway", 65), after(65), POLICY)
    assert later is not None
    assert [call.who for call in later.calls] == [("team", "on_call")]


def test_the_owner_is_told_when_their_alert_becomes_worse() -> None:
    mine = acted(opened(Severity.MEDIUM).alert, AlertAction.ACKNOWLEDGE).alert
    change = hear(mine, finding("gateway", 700), after(700), POLICY)
    assert change is not None
    assert [call.users for call in change.calls] == [(7,)]
    assert change.alert.owner == mine.owner


def test_it_is_resolved_once_it_stayed_well() -> None:
    calm = hear(opened().alert, finding(at=100, firing=False), after(100), POLICY)
    assert calm is not None
    assert [entry.what for entry in calm.entries] == ["better", "calm"]
    assert due_at(calm.alert, POLICY) == after(220)
    assert pass_time(calm.alert, after(219.9), POLICY) is None
    over = passed(calm.alert, 220)
    assert (over.alert.state, over.alert.ended_at, over.calls) == (AlertState.RESOLVED, after(100), ())
    assert due_at(over.alert, POLICY) is None


def test_what_comes_and_goes_stays_one_alert_and_waits_longer_each_time() -> None:
    alert, waits, at = opened().alert, [], 0.0
    for _ in range(6):
        calm = hear(alert, finding(at=at + 10, firing=False), after(at + 10), POLICY)
        assert calm is not None
        waits.append(settle_s(calm.alert, POLICY))
        again = hear(calm.alert, finding(at=at + 20), after(at + 20), POLICY)
        assert again is not None
        assert again.calls == ()
        alert, at = again.alert, at + 20
    assert waits == [120, 240, 480, 960, 1920, 1920]
    assert alert.returns == 6


def test_what_comes_and_goes_more_slowly_than_it_settles_is_one_alert_after_a_few() -> None:
    former: Alert | None = None
    at, opened_at, waits = 0.0, [], []
    while at < 6000:  # a minute of trouble, then five minutes without
        if former is None or former.over:
            opened_at.append(at)
            alert = begin(len(opened_at), finding(at=at), (1,), after(at), POLICY, former=former).alert
        else:
            alert = heard(former, finding(at=at), at).alert
        calm = heard(alert, finding(at=at + 60, firing=False), at + 60).alert
        waits.append(settle_s(calm, POLICY))
        at += 360
        settled = pass_time(calm, after(at), POLICY)
        former = settled.alert if settled is not None else calm
    assert opened_at == [0, 360, 720]
    assert waits[:5] == [120, 240, 480, 960, 1920]


@pytest.mark.parametrize(("minutes", "by", "waits_s"), [(29, "", 240), (31, "", 120), (29, "Ada", 120)])
def test_trouble_long_after_an_alert_or_after_a_person_ended_it_is_another_one(
    minutes: int, by: str, waits_s: float
) -> None:
    alert = opened().alert
    former = replace(alert, state=AlertState.RESOLVED, ended_at=T0, ended_by=by)
    at = minutes * 60.0
    assert settle_s(begin(4, finding(at=at), (1,), after(at), POLICY, former=former).alert, POLICY) == waits_s


def test_one_trouble_of_two_that_ends_does_not_resolve_it() -> None:
    two = hear(opened().alert, finding("latency", 10), after(10), POLICY)
    assert two is not None
    change = hear(two.alert, finding("errors", 20, firing=False), after(20), POLICY)
    assert change is not None
    assert change.alert.calm_since is None
    assert change.alert.first.finding.fingerprint == "latency"


def test_the_end_of_what_was_never_heard_of_is_no_news() -> None:
    assert hear(opened().alert, finding("latency", 20, firing=False), after(20), POLICY) is None


def test_troubles_are_bounded_and_the_worst_are_kept() -> None:
    alert = opened().alert
    for number in range(MOST_TROUBLES + 20):
        change = hear(alert, finding(f"disk{number}", 1, severity=Severity.LOW), after(1), POLICY)
        assert change is not None
        alert = change.alert
    assert len(alert.troubles) == MOST_TROUBLES
    assert alert.left_out == 21
    assert alert.first.finding.fingerprint == "errors"


def _storm() -> Alert:
    """Of twenty troubles more than are kept, all told twice."""
    alert = opened().alert
    for number in [*range(MOST_TROUBLES + 19)] * 2:
        change = hear(alert, finding(f"disk{number}", 1, severity=Severity.LOW), after(1), POLICY)
        alert = change.alert if change is not None else alert
    return alert


def test_what_is_left_out_is_counted_once_however_often_it_is_told() -> None:
    alert = _storm()
    assert (len(alert.troubles), alert.left_out) == (MOST_TROUBLES, 20)
    (gone,) = {f"disk{n}" for n in range(MOST_TROUBLES + 19)} - {
        *(each.finding.fingerprint for each in alert.troubles),
        *(f"disk{n}" for n in range(MOST_TROUBLES, MOST_TROUBLES + 19)),
    }
    assert hear(alert, finding(gone, 1, severity=Severity.LOW), after(9), POLICY) is None
    worse = hear(alert, finding(gone, 1), after(9), POLICY)
    assert worse is not None
    assert gone in {each.finding.fingerprint for each in worse.alert.troubles}
    assert worse.alert.left_out == 20  # one of the mild ones instead


def test_it_is_not_well_before_what_is_left_out_is() -> None:
    alert = _storm()
    kept = {each.finding.fingerprint for each in alert.troubles}
    every = ["errors", *(f"disk{n}" for n in range(MOST_TROUBLES + 19))]
    for what in sorted(every, key=lambda each: each not in kept):
        assert alert.calm_since is None
        change = hear(alert, finding(what, 20, firing=False), after(20), POLICY)
        assert change is not None
        alert = change.alert
    assert (alert.calm_since, alert.left_out) == (after(20), 0)
    assert hear(alert, finding("disk3", 21, firing=False), after(21), POLICY) is None


def test_what_is_left_out_of_a_resolved_alert_opens_no_other_at_once() -> None:
    alert = _storm()
    over = acted(alert, AlertAction.RESOLVE).alert
    for number in range(MOST_TROUBLES + 19):
        assert concerns(over, finding(f"disk{number}", 1), after(61), POLICY)
    assert not concerns(over, finding("memory", 1), after(61), POLICY)


def test_findings_without_a_lane_are_grouped_by_what_they_say() -> None:
    bare = replace(finding(), lane=None)
    assert group_of(bare) == "rule: errors above the limit"
    assert group_of(finding()) == "checkout/production"


# ---- escalation ----------------------------------------------------------------------------------------------


def test_the_matrix_step_by_step() -> None:
    alert, told = opened().alert, []
    for seconds in (900, 1800, 3600):
        assert due_at(alert, POLICY) == after(seconds)
        assert pass_time(alert, after(seconds - 0.001), POLICY) is None
        change = passed(alert, seconds)
        (call,) = change.calls
        told.append((call.who, call.direct, call.war_room, call.text))
        alert = change.alert
    assert told == [
        (("on_call",), True, False, "No one has acknowledged this for 15 min."),
        (("on_call", "second"), True, False, "No one has acknowledged this for 30 min."),
        (
            ("on_call", "second", "lead"),
            True,
            True,
            "No one has acknowledged this for 1 h. Who leads this incident? Say so in the thread.",
        ),
    ]
    assert due_at(alert, POLICY) is None


def test_what_came_due_while_no_process_ran_is_one_call() -> None:
    change = passed(opened().alert, 7200)
    (call,) = change.calls
    assert (call.who, call.direct, call.war_room) == (("on_call", "second", "lead"), True, True)
    assert [entry.what for entry in change.entries] == ["called"] * 3
    assert pass_time(change.alert, after(7300), POLICY) is None


def test_an_acknowledgement_stops_the_escalation() -> None:
    change = acted(opened().alert, AlertAction.ACKNOWLEDGE, reason="looking")
    assert change.alert.owner is not None
    assert (change.alert.owner.name, change.entries[0].by, change.entries[0].text) == (
        "Ada",
        "Ada",
        "looking",
    )
    assert pass_time(change.alert, after(1800), POLICY) is None


def test_an_owner_who_goes_quiet_is_asked_and_then_the_next_step_comes() -> None:
    mine = acted(opened().alert, AlertAction.ACKNOWLEDGE, at=60).alert
    asked = passed(mine, 60 + 1800)
    assert [(call.users, call.direct) for call in asked.calls] == [((7,), True)]
    assert pass_time(asked.alert, after(60 + 1800 + 899), POLICY) is None
    went_on = passed(asked.alert, 60 + 1800 + 900)
    assert went_on.alert.state is AlertState.FIRING
    assert went_on.alert.owner is None
    assert [call.who for call in went_on.calls] == [("on_call",)]
    again = acted(asked.alert, AlertAction.ACKNOWLEDGE, at=60 + 1900).alert
    assert due_at(again, POLICY) == after(60 + 1900 + 1800)


def test_where_no_severity_has_steps_escalate_calls_as_by_default() -> None:
    quiet = AlertPolicy(steps=dict.fromkeys(Severity, ()))
    change = act(opened().alert, AlertActed(AlertAction.ESCALATE, ADA, after(60)), quiet)
    assert [call.who for call in change.calls] == [("on_call",)]
    assert due_at(change.alert, quiet) is None


def test_escalate_calls_the_next_people_now() -> None:
    mine = acted(opened().alert, AlertAction.ACKNOWLEDGE).alert
    change = acted(mine, AlertAction.ESCALATE, at=120, reason="need the database team")
    assert [call.who for call in change.calls] == [("on_call",)]
    assert change.calls[0].text == "Ada asks for help: need the database team."
    further = acted(change.alert, AlertAction.ESCALATE, at=130)
    assert [call.who for call in further.calls] == [("on_call", "second")]
    last = acted(acted(further.alert, AlertAction.ESCALATE, at=140).alert, AlertAction.ESCALATE, at=150)
    assert last.calls[0].war_room
    assert due_at(last.alert, POLICY) is None


def test_a_low_alert_can_be_escalated_too() -> None:
    change = acted(opened(Severity.LOW).alert, AlertAction.ESCALATE)
    assert change.calls[0].who == ("on_call",)


# ---- people --------------------------------------------------------------------------------------------------


def test_a_silence_holds_back_calls_and_begins_again_after_it() -> None:
    quiet = acted(opened().alert, AlertAction.SILENCE, at=60).alert
    assert pass_time(quiet, after(3600), POLICY) is None
    change = passed(quiet, 60 + 3600)
    assert [entry.what for entry in change.entries] == ["unsilenced", "called"]
    assert [call.who for call in change.calls] == [("team", "on_call")]


def test_what_gets_well_in_a_silence_is_resolved() -> None:
    quiet = acted(opened().alert, AlertAction.SILENCE).alert
    calm = hear(quiet, finding(at=100, firing=False), after(100), POLICY)
    assert calm is not None
    assert passed(calm.alert, 220).alert.over


def test_what_is_over_takes_no_action() -> None:
    over = acted(opened().alert, AlertAction.RESOLVE, reason="it was us").alert
    assert (over.ended_by, allowed_actions(over)) == ("Ada", ())
    for action in AlertAction:
        with pytest.raises(Refused, match="Alert 3 is over"):
            acted(over, action)


def test_what_a_person_resolved_is_not_opened_by_the_same_trouble_told_again() -> None:
    over = acted(opened().alert, AlertAction.RESOLVE, at=60).alert
    assert concerns(over, finding(at=0), after(61), POLICY)
    assert concerns(over, finding(at=30, firing=False), after(61), POLICY)
    assert not concerns(over, finding(at=70), after(70), POLICY)
    assert not concerns(over, finding("latency", at=30), after(61), POLICY)


def test_what_a_person_resolved_and_never_ended_comes_back_after_a_while() -> None:
    over = acted(opened().alert, AlertAction.RESOLVE, at=60).alert
    assert concerns(over, finding(at=0), after(60 + 899), POLICY)
    assert not concerns(over, finding(at=0), after(60 + 900), POLICY)


def test_what_another_program_tells_too_late_reopens_nothing() -> None:
    theirs = replace(finding(), source="prometheus")
    begun = begin(3, theirs, (1,), T0, POLICY).alert
    calm = heard(begun, replace(theirs, firing=False, at=after(60)), 60).alert
    over = passed(calm, 60 + 120).alert
    assert over.over
    for late in (0, 30, 59):
        told = replace(theirs, at=after(late), value="60%")
        # While all is well, and once the alert is resolved.
        assert hear(calm, told, after(70), POLICY) is None
        assert concerns(over, told, after(200), POLICY)
        assert concerns(over, told, after(60 + 899), POLICY)
        # An Alertmanager that found its Prometheus again keeps the old beginning.
        assert not concerns(over, told, after(60 + 900), POLICY)
    for again in (60, 61):
        told = replace(theirs, at=after(again))
        assert [entry.what for entry in heard(calm, told, 70).entries] == ["returned"]
        assert not concerns(over, told, after(200), POLICY)
    # What Slipway finds itself is never late: it may have begun before it was well, such as a week's availability.
    ours = heard(opened().alert, finding(at=60, firing=False), 60).alert
    assert heard(ours, finding(at=0), 70).alert.calm_since is None
    assert not concerns(passed(ours, 180).alert, finding(at=0), after(200), POLICY)


def test_who_rolls_back_has_the_alert_but_slipway_does_not() -> None:
    alert = opened().alert
    by_ada = rollbacks.begun(alert, ADA, 12, after(60)).alert
    assert by_ada.owner is not None
    assert (by_ada.owner.name, by_ada.state) == ("Ada", AlertState.ACKNOWLEDGED)
    assert rollbacks.begun(alert, SYSTEM, 12, after(60)).alert.owner is None


def test_since_when_someone_has_it_without_a_pause() -> None:
    taken = acted(opened().alert, AlertAction.ACKNOWLEDGE, at=60).alert
    asked = passed(taken, 60 + 1800).alert
    still = acted(asked, AlertAction.ACKNOWLEDGE, at=1900).alert
    assert (still.had_since, still.acknowledged_at) == (after(60), after(1900))
    rolls_back = rollbacks.begun(still, ADA, 12, after(2000)).alert
    assert rolls_back.had_since == after(60)
    quiet = passed(passed(rolls_back, 2000 + 1800).alert, 2000 + 1800 + 900).alert
    assert (quiet.state, quiet.had_since) == (AlertState.FIRING, None)
    assert acted(quiet, AlertAction.ACKNOWLEDGE, at=9000).alert.had_since == after(9000)


# ---- as a whole ----------------------------------------------------------------------------------------------


def test_an_alert_as_it_is_opened() -> None:
    suspect = Suspect(12, "1.4.0", "1.5.0", "dev", T0)
    told = finding(at=-20)
    change = begin(3, told, (1, 2), T0, POLICY, suspect=suspect)
    assert change.alert == Alert(
        id=3,
        group="checkout/production",
        guilds=(1, 2),
        lane=LANE,
        opened_at=T0,
        troubles=(Trouble(told, after(-20)),),
        severity=Severity.CRITICAL,
        escalates_from=T0,
        steps_done=1,
        suspect=suspect,
    )
    assert change.entries == (
        Entry(T0, "opened", "errors above the limit"),
        Entry(T0, "called", "team, on_call"),
    )
    assert change.calls == (Call(("team", "on_call"), "errors above the limit: 52% (limit 10%)"),)


def test_a_person_who_acknowledges_has_it() -> None:
    alert = replace(opened().alert, asked_at=after(50))
    change = acted(alert, AlertAction.ACKNOWLEDGE, reason="  looking\0 ")
    assert change.alert == replace(
        alert,
        state=AlertState.ACKNOWLEDGED,
        owner=Owner(7, "Ada"),
        acknowledged_at=after(60),
        taken_at=after(60),
        asked_at=None,
        version=2,
    )
    assert (change.entries, change.calls) == ((Entry(after(60), "acknowledged", "looking", "Ada"),), ())


def test_a_person_who_escalates_gives_it_back_and_ends_its_silence() -> None:
    mine = acted(opened().alert, AlertAction.ACKNOWLEDGE).alert
    silent = acted(mine, AlertAction.SILENCE, at=70).alert
    change = acted(silent, AlertAction.ESCALATE, at=120, reason="help")
    assert change.alert == replace(
        silent,
        state=AlertState.FIRING,
        owner=None,
        acknowledged_at=None,
        taken_at=None,
        silenced_until=None,
        steps_done=2,
        escalates_from=after(120 - 900),
        version=silent.version + 1,
    )
    assert change.entries == (Entry(after(120), "escalated", "help", "Ada"),)
    assert change.calls == (Call(("on_call",), "Ada asks for help: help.", direct=True),)
    last = acted(replace(silent, steps_done=3), AlertAction.ESCALATE, at=5000)
    everyone = ("on_call", "second", "lead")
    assert last.calls == (Call(everyone, "Ada asks for help.", direct=True, war_room=True),)
    assert (last.alert.steps_done, last.alert.escalates_from) == (4, T0)
    # What a planned silence kept silent is awake from then on.
    assert (change.alert.woken, change.alert.silence_id) == (False, 0)
    planned = acted(replace(silent, silence_id=4), AlertAction.ESCALATE, at=120).alert
    assert (planned.woken, planned.silence_id) == (True, 0)
    assert acted(replace(silent, woken=True), AlertAction.ESCALATE, at=120).alert.woken


def test_a_low_alert_that_is_escalated_calls_the_second_step_of_a_critical_one() -> None:
    low = opened(Severity.LOW).alert
    change = acted(low, AlertAction.ESCALATE)
    assert change.calls == (Call(("on_call",), "Ada asks for help.", direct=True),)
    assert (change.alert.steps_done, change.alert.escalates_from) == (0, after(60 - 900))
    medium = acted(opened(Severity.MEDIUM).alert, AlertAction.ESCALATE)
    assert medium.calls == (Call(("on_call",), "Ada asks for help."),)
    assert (medium.alert.steps_done, medium.alert.escalates_from) == (1, after(60 - 600))


def test_a_person_who_silences_says_for_how_long_and_an_hour_by_default() -> None:
    alert = replace(opened().alert, silence_id=4)
    change = acted(alert, AlertAction.SILENCE, reason="known")
    assert change.alert == replace(
        alert, silenced_until=after(3660), silence_id=0, silenced_at=after(60), version=2
    )
    assert change.entries == (Entry(after(60), "silenced", "Silenced for 1 h: known.", "Ada"),)
    short = act(alert, AlertActed(AlertAction.SILENCE, ADA, after(60), seconds=89.6), POLICY)
    assert (short.alert.silenced_until, short.entries[0].text) == (after(149.6), "Silenced for 90 s.")


def test_a_person_who_ends_a_silence_begins_the_escalation_again() -> None:
    silent = acted(opened().alert, AlertAction.SILENCE, at=10).alert
    change = acted(silent, AlertAction.UNSILENCE, reason="done")
    assert change.alert == replace(
        silent, silenced_until=None, escalates_from=after(60), steps_done=0, version=silent.version + 1
    )
    assert change.entries == (Entry(after(60), "unsilenced", "done", "Ada"),)
    planned = acted(replace(silent, silence_id=4), AlertAction.UNSILENCE).alert
    assert (planned.woken, planned.silence_id) == (True, 0)
    assert acted(replace(silent, woken=True), AlertAction.UNSILENCE).alert.woken
    with pytest.raises(Refused, match="Alert 3 is not silent any more"):
        acted(opened().alert, AlertAction.UNSILENCE)


def test_a_person_who_resolves_ends_all_that_it_waits_for() -> None:
    silent = acted(opened().alert, AlertAction.SILENCE, at=10).alert
    change = acted(replace(silent, wanted=WantedRollback(12, "x", T0)), AlertAction.RESOLVE, reason="us")
    assert change.alert == replace(
        silent,
        state=AlertState.RESOLVED,
        ended_at=after(60),
        ended_by="Ada",
        silenced_until=None,
        version=silent.version + 1,
    )
    assert change.entries == (
        Entry(after(60), "rollback", "No rollback was started: the trouble was over first."),
        Entry(after(60), "resolved", "us", "Ada"),
    )


def test_what_people_can_do_to_an_alert() -> None:
    alert = opened().alert
    first, last = (AlertAction.ACKNOWLEDGE, AlertAction.ESCALATE), AlertAction.RESOLVE
    assert allowed_actions(alert) == (*first, AlertAction.SILENCE, last)
    silent = acted(alert, AlertAction.SILENCE).alert
    assert allowed_actions(silent) == (*first, AlertAction.UNSILENCE, last)


def test_the_lines_of_what_time_does() -> None:
    mine = acted(opened().alert, AlertAction.ACKNOWLEDGE, at=60).alert
    asked = passed(mine, 60 + 1800)
    still = "Ada acknowledged this, and it is not over. Still on it? Press Acknowledge again."
    assert asked.alert == replace(mine, asked_at=after(1860), version=mine.version + 1)
    assert asked.entries == (Entry(after(1860), "asked", still),)
    assert asked.calls == (Call((), still, (7,), direct=True),)
    went_on = passed(asked.alert, 1860 + 900)
    assert went_on.alert == replace(
        asked.alert,
        state=AlertState.FIRING,
        owner=None,
        acknowledged_at=None,
        taken_at=None,
        asked_at=None,
        steps_done=2,
        escalates_from=after(1860),
        version=asked.alert.version + 1,
    )
    assert went_on.entries == (
        Entry(
            after(2760), "escalated", "Ada did not say whether they still have it, so the escalation goes on."
        ),
        Entry(after(2760), "called", "on_call"),
    )
    assert went_on.calls == (Call(("on_call",), "No one has acknowledged this for 46 min.", direct=True),)
    # An owner who is not Discord's is no one to mention.
    other = passed(replace(mine, owner=Owner(0, "ci")), 60 + 1800)
    assert (other.calls[0].users, other.calls[0].text[:3]) == ((), "ci ")


def test_an_owner_who_does_not_answer_after_the_last_step_has_it_called_once_more() -> None:
    mine = replace(acted(opened().alert, AlertAction.ACKNOWLEDGE, at=60).alert, steps_done=4)
    went_on = passed(passed(mine, 1860).alert, 2760)
    assert (went_on.alert.steps_done, went_on.alert.escalates_from) == (4, after(2760 - 3600))
    assert went_on.calls[0].war_room
    low = acted(opened(Severity.LOW).alert, AlertAction.ACKNOWLEDGE, at=60).alert
    quiet = passed(passed(low, 1860).alert, 2760)
    assert (quiet.alert.state, quiet.alert.steps_done, quiet.alert.escalates_from) == (
        AlertState.FIRING,
        0,
        after(2760),
    )
    assert (quiet.calls, len(quiet.entries)) == ((), 1)


def test_an_alert_that_settles_keeps_since_when_it_was_well() -> None:
    calm = replace(heard(opened().alert, finding(at=100, firing=False), 101).alert, silenced_until=after(999))
    over = passed(calm, 221)
    assert over.alert == replace(
        calm,
        state=AlertState.RESOLVED,
        ended_at=after(101),
        silenced_until=None,
        version=calm.version + 1,
    )
    assert over.entries == (Entry(after(221), "resolved", "It stayed well, so the alert is resolved."),)


def test_a_silence_that_is_over_begins_from_the_first_step() -> None:
    silent = replace(acted(opened().alert, AlertAction.SILENCE).alert, silence_id=4, steps_done=3)
    back = passed(silent, 3660)
    assert back.alert == replace(
        silent,
        silenced_until=None,
        silence_id=0,
        escalates_from=after(3660),
        steps_done=1,
        version=silent.version + 1,
    )
    assert back.entries[0] == Entry(after(3660), "unsilenced", "The silence is over, and the trouble is not.")
    assert back.calls == (Call(("team", "on_call"), "errors above the limit: 52% (limit 10%)"),)


@pytest.mark.parametrize(("seconds", "said"), [(600, "10 min"), (629, "10 min"), (631, "11 min")])
def test_a_step_that_comes_late_says_how_long_no_one_answered(seconds: float, said: str) -> None:
    change = passed(opened(Severity.MEDIUM).alert, seconds)
    assert change.calls == (Call(("on_call",), f"No one has acknowledged this for {said}."),)


def test_a_step_within_the_first_minute_says_the_seconds() -> None:
    policy = AlertPolicy(steps={Severity.CRITICAL: (EscalationStep(59.0, ("on_call",)),)})
    alert = begin(3, finding(), (1,), T0, policy).alert
    change = pass_time(alert, after(59.4), policy)
    assert change is not None
    assert change.calls[0].text == "No one has acknowledged this for 59 s."
    late = pass_time(alert, after(60), policy)
    assert late is not None and late.calls[0].text == "No one has acknowledged this for 60 s."
    # Opened in the future, before the clock was set back: since when it escalates counts.
    back = pass_time(replace(alert, opened_at=after(900), escalates_from=after(-1)), after(59), policy)
    assert back is not None and back.calls[0].text == "No one has acknowledged this for 60 s."


def test_calls_that_came_due_together_are_the_last_ones_words_for_all_their_people() -> None:
    steps = (
        EscalationStep(0.0, ("team",), war_room=True),
        EscalationStep(10.0, ("on_call", "team"), direct=True),
        EscalationStep(20.0, ("lead",)),
    )
    policy = AlertPolicy(steps={Severity.CRITICAL: steps})
    alert = replace(begin(3, finding(), (1,), T0, policy).alert, steps_done=0)
    change = pass_time(alert, after(120), policy)
    assert change is not None
    who = ("team", "on_call", "lead")
    text = "No one has acknowledged this for 2 min."
    assert change.calls == (Call(who, text, direct=True, war_room=True),)
    assert [entry.text for entry in change.entries] == ["team", "on_call, team", "lead"]
    # A question to the owner is a call of its own, before it.
    mine = acted(begin(3, finding(), (1,), T0, POLICY).alert, AlertAction.ACKNOWLEDGE).alert
    both = passed(mine, 60 + 1800 + 2000)
    assert [call.who for call in both.calls] == [()]
    assert both.alert.asked_at == after(3860)


def test_two_steps_that_came_due_together_are_one_call_too() -> None:
    change = passed(opened().alert, 1800)
    text = "No one has acknowledged this for 30 min."
    assert change.calls == (Call(("on_call", "second"), text, direct=True),)
    assert change.alert.steps_done == 3


def test_what_is_due_first_comes_first_also_with_a_rollback_that_is_wanted() -> None:
    later = replace(opened().alert, wanted=WantedRollback(12, "x", after(5000)))
    assert due_at(later, POLICY) == after(900)
    assert passed(later, 900).calls[0].who == ("on_call",)
    together = replace(opened().alert, wanted=WantedRollback(12, "x", after(900)))
    assert [entry.what for entry in passed(together, 900).entries] == ["rollback", "called"]


def test_the_number_of_troubles_that_are_known_and_not_kept_is_bounded() -> None:
    full = replace(_storm(), left_out_marks="12345678" * MOST_LEFT_OUT)
    assert full.left_out == MOST_LEFT_OUT
    worse = heard(full, finding("gateway", 50), 50).alert
    assert (worse.left_out, len(worse.troubles)) == (MOST_LEFT_OUT, MOST_TROUBLES)
    one_less = replace(full, left_out_marks="12345678" * (MOST_LEFT_OUT - 1))
    assert heard(one_less, finding("gateway", 50), 50).alert.left_out == MOST_LEFT_OUT
    # No more is kept of it, so there is nothing to save.
    assert hear(full, finding("mild", 0, severity=Severity.LOW), after(50), POLICY) is None


# ---- findings of an alert that is open ---------------------------------------------------------------------


def test_the_lines_and_the_state_of_trouble_that_comes_and_goes() -> None:
    alert = opened().alert
    further = heard(alert, finding("latency", 10, severity=Severity.MEDIUM), 11)
    assert further.alert == replace(
        alert, troubles=(*alert.troubles, Trouble(further.alert.troubles[1].finding, after(10))), version=2
    )
    assert further.entries == (Entry(after(11), "trouble", "latency above the limit"),)
    better = heard(further.alert, finding(at=20, firing=False), 21)
    first, second = better.alert.troubles
    assert (first, second) == (replace(alert.troubles[0], over_at=after(20)), further.alert.troubles[1])
    assert better.entries == (Entry(after(21), "better", "errors above the limit"),)
    assert (better.alert.calm_since, better.alert.version) == (None, 3)
    calm = heard(better.alert, finding("latency", 30, firing=False), 31)
    assert calm.entries == (
        Entry(after(31), "better", "latency above the limit"),
        Entry(after(31), "calm", "Nothing is wrong any more."),
    )
    assert (calm.alert.calm_since, calm.alert.version, calm.alert.firing) == (after(31), 4, ())
    assert calm.alert.first.finding.fingerprint == "errors"
    back = heard(calm.alert, finding(at=40), 41)
    assert back.entries == (Entry(after(41), "returned", "errors above the limit"),)
    assert (back.alert.calm_since, back.alert.returns, back.alert.version) == (None, 1, 5)
    assert [each.since for each in back.alert.troubles] == [after(10), after(40)]
    # The end of what is over already, and of what was never heard of, is no news.
    assert hear(calm.alert, finding(at=50, firing=False), after(50), POLICY) is None


@pytest.mark.parametrize(("said", "over_at"), [(-30, 0), (40, 40), (90, 50)])
def test_an_end_is_neither_before_its_beginning_nor_in_the_future(said: float, over_at: float) -> None:
    over = heard(opened().alert, finding(at=said, firing=False), 50).alert
    assert over.troubles[0].over_at == after(over_at)


def test_a_trouble_that_is_told_again_keeps_its_beginning_and_its_place() -> None:
    two = heard(opened().alert, finding("latency", 10), 10).alert
    again = heard(two, finding(at=30, value="60%"), 30).alert
    assert again == replace(
        two,
        troubles=(replace(two.troubles[0], finding=finding(at=0, value="60%")), two.troubles[1]),
        version=two.version + 1,
    )


def test_what_becomes_worse_says_from_what_to_what_and_tells_its_owner() -> None:
    mine = acted(opened(Severity.MEDIUM).alert, AlertAction.ACKNOWLEDGE).alert
    change = heard(mine, finding("gateway", 700), 701)
    text = "It is critical now; it was medium."
    assert change.entries == (
        Entry(after(701), "trouble", "gateway above the limit"),
        Entry(after(701), "worse", text),
    )
    assert change.calls == (Call((), text, (7,)),)
    assert (change.alert.escalates_from, change.alert.steps_done) == (after(701), 0)
    silent = replace(mine, silenced_until=after(9999))
    assert heard(silent, finding("gateway", 700), 701).calls == ()
    # What is as bad, or milder, changes nothing.
    same = heard(mine, finding("disk", 700, severity=Severity.MEDIUM), 701).alert
    assert (same.severity, same.escalates_from) == (Severity.MEDIUM, T0)


def test_an_alert_is_as_severe_as_the_worst_that_fires() -> None:
    """By rank: in the order of letters, low comes before medium."""
    low = opened(Severity.LOW).alert
    for severity in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL):
        change = heard(low, finding("gateway", 5, severity=severity), 5)
        assert change.alert.severity is severity
        assert change.entries[1].text == f"It is {severity} now; it was low."
    medium = heard(low, finding("gateway", 5, severity=Severity.MEDIUM), 5).alert
    assert medium.firing[0].finding.severity is Severity.MEDIUM
    # It stays what it was at its worst.
    milder = heard(medium, finding("gateway", 9, firing=False), 9).alert
    assert milder.severity is Severity.MEDIUM


@pytest.mark.parametrize(("seconds", "steps", "called"), [(59.9, 1, False), (60, 1, True), (5, 2, True)])
def test_the_first_people_are_called_again_after_a_minute(seconds: float, steps: int, called: bool) -> None:
    high = replace(opened(Severity.HIGH).alert, steps_done=steps)
    change = heard(high, finding("gateway", seconds), seconds)
    assert (bool(change.calls), change.alert.steps_done) == (called, 1)
    # With other first people, they are called at once.
    policy = AlertPolicy(steps={**STEPS, Severity.CRITICAL: (EscalationStep(0.0, ("lead",)),)})
    other = hear(replace(high, steps_done=1), finding("gateway", 5), after(5), policy)
    assert other is not None and [call.who for call in other.calls] == [("lead",)]


def test_trouble_that_an_alert_knows() -> None:
    alert = _storm()
    assert knows(alert, finding("disk3"))
    assert all(knows(alert, finding(f"disk{n}")) for n in range(MOST_TROUBLES + 19))
    assert not knows(alert, finding("memory"))
    assert knows(heard(opened().alert, finding(at=9, firing=False), 9).alert, finding())


def test_of_too_many_troubles_those_that_are_over_go_first_then_the_mildest_then_the_oldest() -> None:
    alert = opened().alert
    for number in range(MOST_TROUBLES - 3):
        alert = heard(alert, finding(f"disk{number}", number + 1, severity=Severity.MEDIUM), 100).alert
    alert = heard(alert, finding("low", 60, severity=Severity.LOW), 100).alert
    alert = heard(alert, finding("gone", 70), 100).alert
    alert = heard(alert, finding("gone", 80, firing=False), 100).alert
    assert len(alert.troubles) == MOST_TROUBLES and alert.left_out == 0
    for name, went, left_out in (("a", "gone", 0), ("b", "low", 1), ("c", "disk0", 2), ("d", "disk1", 3)):
        before = {each.finding.fingerprint for each in alert.troubles}
        change = heard(alert, finding(name, 90), 100)
        alert = change.alert
        assert before - {each.finding.fingerprint for each in alert.troubles} == {went}
        assert alert.left_out == left_out
        assert len(alert.troubles) == MOST_TROUBLES
        assert change.entries == (), "of a storm, the timeline has the beginning"


def test_an_alert_that_is_well_says_that_it_returned_also_with_what_is_not_kept() -> None:
    alert = heard(opened().alert, finding(at=5, firing=False), 5).alert
    full = tuple(replace(alert.troubles[0], finding=finding(f"f{n}")) for n in range(MOST_TROUBLES))
    change = heard(replace(alert, troubles=full), finding("late", 50, severity=Severity.LOW), 50)
    assert [entry.what for entry in change.entries] == ["returned"]
    assert (change.alert.calm_since, change.alert.returns, change.alert.left_out) == (None, 1, 0)


@pytest.mark.parametrize(
    ("lasting", "at", "concerned"),
    [(False, 959, True), (False, 960, False), (True, 959, True), (True, 99_999, True)],
)
def test_lasting_trouble_that_a_person_resolved_stays_resolved(
    lasting: bool, at: float, concerned: bool
) -> None:
    told = replace(finding(), lasting=lasting)
    over = acted(begin(3, told, (1,), T0, POLICY).alert, AlertAction.RESOLVE, at=60).alert
    assert concerns(over, told, after(at), POLICY) is concerned
    assert concerns(over, replace(told, at=after(60)), after(at), POLICY) is concerned
    assert concerns(over, replace(told, at=after(61)), after(at), POLICY) is lasting
    assert concerns(over, replace(told, firing=False), after(99_999), POLICY)
    assert not concerns(replace(over, ended_at=None), told, after(61), POLICY)


@pytest.mark.parametrize(("at", "late"), [(-1, True), (0, True), (1, False)])
def test_another_programs_trouble_that_was_over_at_once_is_late_up_to_its_beginning(
    at: float, late: bool
) -> None:
    theirs = replace(finding(), source="prometheus")
    calm = heard(begin(3, theirs, (1,), T0, POLICY).alert, replace(theirs, firing=False, at=T0), 30).alert
    assert calm.troubles[0].over_at == T0
    assert (hear(calm, replace(theirs, at=after(at)), after(40), POLICY) is None) is late
    # From a quarter of an hour after its end on it is news, also of an alert that is open.
    assert hear(calm, replace(theirs, at=after(at)), after(899), POLICY) is None or not late
    assert hear(calm, replace(theirs, at=after(at)), after(900), POLICY) is not None


def test_groups_have_at_most_200_characters() -> None:
    assert group_of(replace(finding(), lane=None, title="x" * 999)) == f"rule: {'x' * 194}"


@pytest.mark.parametrize(("minutes", "waits_s"), [(30, 240), (30.001, 120)])
def test_trouble_up_to_half_an_hour_after_an_alert_is_the_same(minutes: float, waits_s: float) -> None:
    former = replace(opened().alert, state=AlertState.RESOLVED, ended_at=T0)
    at = minutes * 60
    again = begin(4, finding(at=at), (1,), after(at), POLICY, former=former).alert
    assert settle_s(again, POLICY) == waits_s
    more = replace(former, returns=2, earlier_returns=1)
    flapping = begin(4, finding(at=60), (1,), after(60), POLICY, former=more).alert
    assert flapping.earlier_returns == 4
    assert begin(4, finding(at=60), (1,), after(60), POLICY, former=opened().alert).alert.earlier_returns == 0


# ---- what people read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "limit", "said"),
    [("52%", "10%", ": 52% (limit 10%)"), ("", "10%", ""), ("52%", "", "")],
)
def test_an_alert_in_one_sentence(value: str, limit: str, said: str) -> None:
    told = replace(finding(), title=" Many\0 fail ", value=value, limit=limit)
    assert alert_line(begin(3, told, (1,), T0, POLICY).alert) == f"Many fail{said}"


def test_a_line_of_the_timeline_names_people_and_counts_what_is_left_out() -> None:
    names = "the team, the person on call, the second person, the lead"
    assert told_as("called", "team, on_call, second, lead") == names
    assert told_as("called", "ada") == "ada"
    assert told_as("opened", "team, on_call") == "team, on_call"
    assert told_as("left_out", "12") == "Left out here: 12 lines."


def test_the_title_speaks_of_the_worst_that_fires_then_of_the_oldest() -> None:
    mild = heard(opened(Severity.MEDIUM).alert, finding("a", -5, severity=Severity.MEDIUM), 1).alert
    assert [each.finding.fingerprint for each in mild.firing] == ["a", "errors"]
    worse = heard(mild, finding("b", 10, severity=Severity.HIGH), 10).alert
    assert worse.first.finding.fingerprint == "b"
    calm = heard(worse, finding("b", 20, firing=False), 20).alert
    assert calm.first.finding.fingerprint == "a"


# ---- always --------------------------------------------------------------------------------------------------

MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.just("finding"),
            st.sampled_from(["errors", "latency", "gateway"]),
            st.booleans(),
            st.sampled_from(list(Severity)),
        ),
        st.tuples(st.just("act"), st.sampled_from(list(AlertAction))),
        st.tuples(st.just("time")),
    ),
    max_size=30,
)


@given(
    severity=st.sampled_from(list(Severity)),
    moves=MOVES,
    gaps=st.lists(st.floats(0, 5000), min_size=30, max_size=30),
)
def test_whatever_happens_an_alert_stays_sound(
    severity: Severity, moves: list[tuple[object, ...]], gaps: list[float]
) -> None:
    alert, at = opened(severity).alert, 0.0
    for move, gap in zip(moves, gaps, strict=False):
        at += gap
        before, change = alert, None
        match move:
            case ("finding", str(what), bool(firing), Severity() as how_bad):
                if not alert.over:
                    change = hear(
                        alert, finding(what, at, firing=firing, severity=how_bad), after(at), POLICY
                    )
            case ("act", AlertAction() as action):
                if action in allowed_actions(alert):
                    change = acted(alert, action, at)
            case _:
                change = pass_time(alert, after(at), POLICY)
                assert change is None or pass_time(change.alert, after(at), POLICY) is None, (
                    "time is passed once"
                )
        if change is None:
            continue
        alert = change.alert
        assert alert.version == before.version + 1
        assert alert.severity.rank <= before.severity.rank
        assert (alert.owner is None) == (alert.state is AlertState.FIRING) or alert.over
        assert alert.over == (alert.ended_at is not None)
        assert alert.steps_done <= len(STEPS[alert.severity])
        assert alert.over or (alert.calm_since is None) == bool(alert.firing)
        assert len(change.calls) <= 3
    due = due_at(alert, POLICY)
    assert due is None or not alert.over
