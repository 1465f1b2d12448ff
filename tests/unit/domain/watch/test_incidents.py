"""Incidents as pure rules: both sides of each edge, on times that the test says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import pytest

from bot.domain.errors import Refused, UserError
from bot.domain.phrasebook import postmortem_wanted
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import SYSTEM, Actor, Lane
from bot.domain.watch.alerts.actions import AlertActed, act
from bot.domain.watch.alerts.alert import Alert, AlertAction, Entry, Owner, Suspect
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.actions import (
    IncidentActed,
    act_on,
    allowed_on,
    ask_in_time,
    begun,
    begun_by_alert,
    follow,
    holds_open,
    incident_due_at,
    later,
    marked,
    postmortem_due,
    response_sentence,
    said_of,
    told,
)
from bot.domain.watch.incidents.incident import (
    MOST_LINKED,
    Incident,
    IncidentAction,
    IncidentCall,
    IncidentChange,
    IncidentEntry,
    IncidentState,
    ResponseTime,
    response_times,
)
from bot.domain.watch.incidents.targets import IncidentPolicy, ResponseTarget
from bot.domain.watch.incidents.timeline import TimelineLine, brief, merged
from tests.support.actors import DEV, LEAD, ONCALL
from tests.support.alerts import errors
from tests.support.catalogs import PRODUCTION, STAGING
from tests.support.virtual_time import EPOCH

POLICY, ALERTS = IncidentPolicy(), AlertPolicy()
MIN = timedelta(minutes=1)


def opened(severity: Severity = Severity.CRITICAL, *, production: bool = True) -> Incident:
    return begun(
        1, 5, PRODUCTION, "Payments fail", severity, by=DEV, at=EPOCH, production=production
    ).incident


def alert(number: int = 7, at: datetime = EPOCH, lane: Lane = PRODUCTION, **finding: object) -> Alert:
    suspect = Suspect(number + 100, "1.4.0", "1.5.0", "dev", at)
    return begin(number, errors(lane=lane, at=at, **finding), (5,), at, ALERTS, suspect=suspect).alert


def ended(one: Alert, at: datetime) -> Alert:
    return act(one, AlertActed(AlertAction.RESOLVE, ONCALL, at), ALERTS).alert


def did(incident: Incident, action: IncidentAction, at: datetime, text: str = "", **more: object) -> Incident:
    acted = IncidentActed(action, ONCALL, at, text, **more)  # type: ignore[arg-type]
    return act_on(incident, acted, POLICY).incident


@pytest.mark.parametrize(
    ("severity", "acknowledge", "restore"),
    [
        (Severity.CRITICAL, 15, 30),
        (Severity.HIGH, 30, 60),
        (Severity.MEDIUM, 60, 240),
        (Severity.LOW, 240, 1440),
    ],
)
def test_times_are_in_time_up_to_their_target_and_late_after_it(
    severity: Severity, acknowledge: int, restore: int
) -> None:
    second = timedelta(seconds=1)
    for late, more in ((False, timedelta()), (True, second)):
        taken = did(opened(severity), IncidentAction.ACKNOWLEDGE, EPOCH + acknowledge * MIN + more)
        well = did(taken, IncidentAction.RESTORE, EPOCH + restore * MIN + more)
        assert [each.late for each in response_times(well, POLICY, EPOCH + 9999 * MIN)] == [late, late]
        # Not done yet is late by the same edge.
        open_times = response_times(opened(severity), POLICY, EPOCH + acknowledge * MIN + more)
        assert (open_times[0].late, open_times[0].done) == (late, False)


def test_times_are_said_against_their_targets() -> None:
    taken = did(opened(), IncidentAction.ACKNOWLEDGE, EPOCH + 6 * MIN)
    assert (
        said_of(taken, POLICY, EPOCH + 7 * MIN, "acknowledge") == "Acknowledged after 6 min (target: 15 min)."
    )
    assert (
        said_of(taken, POLICY, EPOCH + 7 * MIN, "restore")
        == "Not restored yet, after 7 min (target: 30 min)."
    )
    late = "Not restored yet, after 31 min: the target was 30 min."
    assert said_of(taken, POLICY, EPOCH + 31 * MIN, "restore") == late
    closed = did(opened(), IncidentAction.CLOSE, EPOCH + 40 * MIN)
    assert "later than the target" in said_of(closed, POLICY, EPOCH + 41 * MIN, "restore")
    never = "No one acknowledged it; the target was 15 min."
    assert said_of(closed, POLICY, EPOCH + 9999 * MIN, "acknowledge") == never


def test_the_first_to_take_it_counts_and_the_last_has_it() -> None:
    taken = did(opened(), IncidentAction.ACKNOWLEDGE, EPOCH + 2 * MIN)
    assert (taken.state, taken.owner) == (IncidentState.ACKNOWLEDGED, Owner(ONCALL.id, ONCALL.name))
    again = act_on(taken, IncidentActed(IncidentAction.ACKNOWLEDGE, LEAD, EPOCH + 9 * MIN), POLICY)
    assert (again.incident.acknowledged_at, again.incident.owner) == (
        EPOCH + 2 * MIN,
        Owner(LEAD.id, LEAD.name),
    )
    assert again.entries[0].text == ""


def test_who_is_assigned_has_not_taken_it_yet() -> None:
    given = did(opened(), IncidentAction.ASSIGN, EPOCH + MIN, person=Owner(LEAD.id, LEAD.name))
    assert (given.owner, given.acknowledged_at) == (Owner(LEAD.id, LEAD.name), None)
    assert IncidentAction.ACKNOWLEDGE in allowed_on(given)
    mine = did(opened(), IncidentAction.ASSIGN, EPOCH + MIN)
    assert mine.acknowledged_at == EPOCH + MIN


def test_closing_restores_and_ends_all_but_notes_and_the_post_mortem() -> None:
    closed = did(opened(), IncidentAction.CLOSE, EPOCH + 5 * MIN, "done")
    assert (closed.restored_at, closed.closed_at, closed.state) == (
        EPOCH + 5 * MIN,
        EPOCH + 5 * MIN,
        IncidentState.CLOSED,
    )
    assert allowed_on(closed) == ()
    for action in (
        IncidentAction.CLOSE,
        IncidentAction.RESTORE,
        IncidentAction.ASSIGN,
        IncidentAction.ACKNOWLEDGE,
    ):
        with pytest.raises(Refused, match="is closed"):
            did(closed, action, EPOCH + 6 * MIN)
    noted = did(closed, IncidentAction.NOTE, EPOCH + 6 * MIN, "it was DNS")
    assert (
        did(noted, IncidentAction.DOCUMENT, EPOCH + 7 * MIN, "https://wiki/1").postmortem == "https://wiki/1"
    )
    with pytest.raises(Refused, match="was restored"):
        did(did(opened(), IncidentAction.RESTORE, EPOCH), IncidentAction.RESTORE, EPOCH)


def test_what_says_nothing_is_refused_and_walls_of_text_are_cut() -> None:
    for action in (IncidentAction.NOTE, IncidentAction.DOCUMENT):
        with pytest.raises(UserError):
            did(opened(), action, EPOCH, " \0 ")
    with pytest.raises(UserError):
        begun(1, 5, None, "\n\0", Severity.LOW, by=DEV, at=EPOCH)
    assert len(begun(1, 5, None, "x" * 9999, Severity.LOW, by=DEV, at=EPOCH).incident.title) == 200
    assert len(marked(opened(), at=EPOCH, text="🔥" * 9999, by="x" * 999, key="m").entries[0].text) <= 500


def test_times_of_an_alerts_incident_count_from_the_alert() -> None:
    made = begun_by_alert(1, 5, alert(), EPOCH + 60 * MIN, room="k").incident
    assert (made.since, made.opened_at, made.origin) == (EPOCH, EPOCH + 60 * MIN, "alert-7")
    assert (made.alerts, made.rollouts, made.thread_name) == (
        (7,),
        (107,),
        f"incident-{EPOCH + 60 * MIN:%Y%m%d-%H%M}",
    )
    assert all(each.late for each in response_times(made, POLICY, EPOCH + 60 * MIN))


# ---- alerts ------------------------------------------------------------------------------------------------


def test_new_alerts_of_the_lane_join_it_and_make_it_as_bad_as_they_are() -> None:
    mild = opened(Severity.MEDIUM)
    others = [alert(8, lane=STAGING), ended(alert(9), EPOCH)]
    assert follow(mild, others, EPOCH, POLICY) is None
    change = follow(mild, [alert(10, severity=Severity.HIGH), *others], EPOCH + MIN, POLICY)
    assert change is not None
    assert (change.incident.alerts, change.incident.severity) == ((10,), Severity.HIGH)
    assert (change.incident.rollouts, change.incident.version) == ((110,), mild.version + 1)
    assert [entry.what for entry in change.entries] == ["alert"]
    assert follow(change.incident, [alert(10, severity=Severity.HIGH)], EPOCH + MIN, POLICY) is None


def test_an_incident_without_a_lane_is_joined_by_none() -> None:
    assert follow(replace(opened(), lane=None), [alert(8)], EPOCH, POLICY) is None


def test_who_takes_an_alert_has_the_incident_from_then_on() -> None:
    one = act(alert(), AlertActed(AlertAction.ACKNOWLEDGE, LEAD, EPOCH + 3 * MIN), ALERTS).alert
    change = follow(opened(), [one], EPOCH + 4 * MIN, POLICY)
    assert change is not None
    assert change.incident.owner == Owner(LEAD.id, LEAD.name)
    assert change.entries[-1] == IncidentEntry(
        EPOCH + 3 * MIN, "acknowledged", "Acknowledged after 3 min (target: 15 min).", LEAD.name
    )


def test_who_said_again_that_they_have_an_alert_had_it_from_the_first_time_on() -> None:
    one = act(alert(), AlertActed(AlertAction.ACKNOWLEDGE, LEAD, EPOCH + 2 * MIN), ALERTS).alert
    again = act(one, AlertActed(AlertAction.ACKNOWLEDGE, LEAD, EPOCH + 33 * MIN), ALERTS).alert
    made = begun_by_alert(1, 5, again, EPOCH + 34 * MIN).incident
    assert made.acknowledged_at == EPOCH + 2 * MIN
    joined = follow(opened(), [again], EPOCH + 35 * MIN, POLICY)
    assert joined is not None
    assert joined.incident.acknowledged_at == EPOCH + 2 * MIN


def test_no_one_had_an_incident_before_it_began() -> None:
    late = begun(1, 5, PRODUCTION, "Payments fail", Severity.HIGH, by=DEV, at=EPOCH + 5 * MIN).incident
    taken = act(alert(), AlertActed(AlertAction.ACKNOWLEDGE, LEAD, EPOCH + 2 * MIN), ALERTS).alert
    change = follow(late, [taken], EPOCH + 6 * MIN, POLICY)
    assert change is not None
    assert change.incident.acknowledged_at == late.since
    assert change.entries[-1].at == late.since


def test_when_its_last_alert_is_over_closing_is_proposed_once() -> None:
    first, second = alert(), alert(8)
    joined = follow(opened(), [first, second], EPOCH, POLICY)
    assert joined is not None
    over = ended(first, EPOCH + 5 * MIN)
    taken = did(joined.incident, IncidentAction.ACKNOWLEDGE, EPOCH)
    assert follow(taken, [over, second], EPOCH + 6 * MIN, POLICY) is None
    change = follow(taken, [over, ended(second, EPOCH + 9 * MIN)], EPOCH + 10 * MIN, POLICY)
    assert change is not None and change.call is not None
    assert "Close it if users are well." in change.call.text
    well = change.incident
    assert (well.restored_at, well.calm_at, well.state) == (
        EPOCH + 9 * MIN,
        EPOCH + 10 * MIN,
        IncidentState.RESTORED,
    )
    assert follow(well, [over, ended(second, EPOCH + 9 * MIN)], EPOCH + 99 * MIN, POLICY) is None
    # Another alert of the lane: users are not well after all.
    back = follow(well, [alert(9, EPOCH + 11 * MIN)], EPOCH + 11 * MIN, POLICY)
    assert back is not None
    assert (back.incident.restored_at, back.incident.calm_at) == (None, None)
    assert [entry.what for entry in back.entries] == ["alert", "returned"]


def test_a_low_alert_does_not_undo_what_was_restored_and_a_worse_one_does_so_visibly() -> None:
    joined = follow(opened(), [alert()], EPOCH, POLICY)
    assert joined is not None
    over = ended(alert(), EPOCH + 5 * MIN)
    change = follow(joined.incident, [over], EPOCH + 5 * MIN, POLICY)
    assert change is not None
    well = change.incident
    low = alert(9, EPOCH + 9 * MIN, severity=Severity.LOW)
    change = follow(well, [low], EPOCH + 9 * MIN, POLICY)
    assert change is not None
    (entry,) = change.entries
    assert entry.text.startswith("Alert 9 joined the incident") and entry.text.endswith(
        "the incident stays restored."
    )
    after = change.incident
    assert (after.restored_at, after.calm_at, after.alerts) == (well.restored_at, well.calm_at, (7, 9))
    assert follow(after, [low], EPOCH + 10 * MIN, POLICY) is None
    # One that has become worse since, or another one.
    for worse in (replace(low, severity=Severity.MEDIUM), alert(10, severity=Severity.MEDIUM)):
        back = follow(after, [worse], EPOCH + 11 * MIN, POLICY)
        assert back is not None
        assert back.incident.restored_at is None
        assert "no longer restored" in back.entries[-1].text


def test_a_low_alert_does_not_put_off_the_restoration_of_what_is_worse() -> None:
    low = alert(8, severity=Severity.LOW)
    joined = follow(opened(), [alert(), low], EPOCH, POLICY)
    assert joined is not None
    change = follow(joined.incident, [ended(alert(), EPOCH + 5 * MIN), low], EPOCH + 6 * MIN, POLICY)
    assert change is not None and change.call is not None
    assert change.incident.restored_at == EPOCH + 5 * MIN
    assert "only notices are open" in change.call.text
    assert change.entries[-1].text == "Of its alerts, only notices are open."
    # Of an incident that is low itself, it is the trouble.
    mild = begun(1, 5, PRODUCTION, "Icons are old", Severity.LOW, by=DEV, at=EPOCH).incident
    joined = follow(mild, [low], EPOCH, POLICY)
    assert joined is not None
    assert follow(joined.incident, [low], EPOCH + 6 * MIN, POLICY) is None
    change = follow(joined.incident, [ended(low, EPOCH + 7 * MIN)], EPOCH + 8 * MIN, POLICY)
    assert change is not None
    assert change.incident.restored_at == EPOCH + 7 * MIN


def test_what_a_person_said_to_be_restored_keeps_its_time() -> None:
    joined = follow(opened(), [alert()], EPOCH, POLICY)
    assert joined is not None
    well = did(joined.incident, IncidentAction.RESTORE, EPOCH + 2 * MIN)
    change = follow(well, [ended(alert(), EPOCH + 9 * MIN)], EPOCH + 9 * MIN, POLICY)
    assert change is not None
    assert change.incident.restored_at == EPOCH + 2 * MIN


def test_a_closed_incident_follows_no_alert() -> None:
    assert follow(did(opened(), IncidentAction.CLOSE, EPOCH), [alert()], EPOCH, POLICY) is None


# ---- the post-mortem ---------------------------------------------------------------------------------------


def test_the_owner_is_asked_once_48_hours_after_closing() -> None:
    closed = did(did(opened(), IncidentAction.ACKNOWLEDGE, EPOCH), IncidentAction.CLOSE, EPOCH)
    due = EPOCH + timedelta(hours=48)
    assert incident_due_at(closed, POLICY) == due
    assert ask_in_time(closed, due - timedelta(seconds=1), POLICY) is None
    change = ask_in_time(closed, due, POLICY)
    assert change is not None and change.call is not None
    assert incident_due_at(change.incident, POLICY) is None
    assert ask_in_time(change.incident, due + timedelta(days=9), POLICY) is None


def test_no_one_is_asked_for_what_is_written_open_or_not_production() -> None:
    assert incident_due_at(opened(), POLICY) is None
    assert incident_due_at(did(opened(production=False), IncidentAction.CLOSE, EPOCH), POLICY) is None
    closed = did(opened(), IncidentAction.CLOSE, EPOCH)
    assert incident_due_at(did(closed, IncidentAction.DOCUMENT, EPOCH, "https://wiki"), POLICY) is None


# ---- the timeline ------------------------------------------------------------------------------------------


def test_the_timeline_is_in_the_order_of_times_and_leaves_out_what_is_noise() -> None:
    def line(minute: int, what: str, actor: object = SYSTEM, phase: str = "") -> Transition:
        return Transition(actor, EPOCH + minute * MIN, what, "why", "soaking", phase or "soaking")  # type: ignore[arg-type]

    lines = merged(
        [IncidentEntry(EPOCH + 3 * MIN, "opened", "x"), IncidentEntry(EPOCH + 9 * MIN, "marked", "y", "ada")],
        {7: [Entry(EPOCH + MIN, "opened", "z")]},
        [
            line(0, "shifted", phase="observing"),
            line(2, "weight_observed"),
            line(4, "paused", DEV),
            line(5, "incident_note", DEV),
            line(6, "quarantined"),
        ],
    )
    assert [(each.source, each.what, each.by) for each in lines] == [
        ("lane", "shifted", ""),
        ("alert", "opened", ""),
        ("incident", "opened", ""),
        ("lane", "paused", DEV.name),
        ("lane", "quarantined", ""),
        ("incident", "marked", "ada"),
    ]


def test_all_that_a_line_of_the_timeline_says() -> None:
    lines = merged(
        [IncidentEntry(EPOCH, "note", "x", "ada", "key")],
        {7: [Entry(EPOCH + MIN, "calm", "y", "grace")], 8: [Entry(EPOCH + 4 * MIN, "left_out", "1")]},
        [
            Transition(DEV, EPOCH + 2 * MIN, "paused", "lunch", "soaking", "soaking"),
            Transition(SYSTEM, EPOCH + 5 * MIN, "tick", "why", "soaking", ""),
        ],
        [TimelineLine(EPOCH + 3 * MIN, "lane", "left_out", "Many.", left_out=9)],
    )
    assert lines == [
        TimelineLine(EPOCH, "incident", "note", "x", "ada", 0, 0),
        TimelineLine(EPOCH + MIN, "alert", "calm", "y", "grace", 7, 0),
        TimelineLine(EPOCH + 2 * MIN, "lane", "paused", "lunch", DEV.name, 0, 0),
        TimelineLine(EPOCH + 3 * MIN, "lane", "left_out", "Many.", "", 0, 9),
        TimelineLine(EPOCH + 4 * MIN, "alert", "left_out", "Left out here: 1 line.", "", 8, 1),
    ]


def test_a_card_has_no_steps_of_rollouts_and_nothing_twice() -> None:
    def line(source: Literal["incident", "alert", "lane"], what: str) -> TimelineLine:
        return TimelineLine(EPOCH, source, what, "")

    steps = ("verifying", "soaking", "shifting", "observing", "taking_over", "taking over")
    kept = [
        line("lane", "rolled_back"),
        line("lane", "calm"),
        line("alert", "opened"),
        line("alert", "soaking"),
        line("incident", "calm"),
        line("incident", "soaking"),
    ]
    dropped = [*(line("lane", step) for step in steps), line("alert", "better"), line("alert", "calm")]
    assert brief([*kept[:3], *dropped, *kept[3:]]) == kept


# ---- as a whole --------------------------------------------------------------------------------------------


def test_an_incident_that_a_person_opens() -> None:
    at = EPOCH + MIN
    change = begun(
        1, 5, PRODUCTION, " Payments\0 fail ", Severity.HIGH, by=DEV, at=at, production=True, origin="r1"
    )
    assert change.incident == Incident(
        id=1,
        guild_id=5,
        lane=PRODUCTION,
        title="Payments fail",
        severity=Severity.HIGH,
        since=at,
        opened_at=at,
        opened_by="dev",
        origin="r1",
        production=True,
    )
    assert change.entries == (IncidentEntry(at, "opened", "Payments fail", "dev"),)
    bare = begun(1, 5, None, "x", Severity.LOW, by=DEV, at=at).incident
    assert (bare.production, bare.origin, bare.state, bare.over) == (False, "", IncidentState.OPEN, False)
    with pytest.raises(UserError, match="A reason is required") as refused:
        begun(1, 5, None, " ", Severity.LOW, by=DEV, at=at)
    assert refused.value.remedy == "Say what is wrong, in a few words."


def test_an_incident_that_an_alert_becomes() -> None:
    taken = act(alert(), AlertActed(AlertAction.ACKNOWLEDGE, LEAD, EPOCH + 3 * MIN), ALERTS).alert
    at = EPOCH + 5 * MIN
    change = begun_by_alert(2, 5, taken, at, production=True, by="ada", room="k")
    assert change.incident == Incident(
        id=2,
        guild_id=5,
        lane=PRODUCTION,
        title="Many requests fail",
        severity=Severity.CRITICAL,
        since=EPOCH,
        opened_at=at,
        opened_by="ada",
        origin="alert-7",
        production=True,
        owner=Owner(LEAD.id, LEAD.name),
        acknowledged_at=EPOCH + 3 * MIN,
        alerts=(7,),
        rollouts=(107,),
        room="k",
    )
    assert change.entries == (IncidentEntry(at, "opened", "Alert 7 became an incident.", "ada"),)
    bare = begun_by_alert(2, 5, replace(alert(title="\0"), suspect=None), at).incident
    assert (bare.title, bare.rollouts, bare.owner, bare.acknowledged_at) == ("-", (), None, None)
    assert (bare.production, bare.opened_by, bare.room) == (False, "", "")
    # The alert was opened after the time that is now, by a clock that was ahead.
    assert begun_by_alert(2, 5, alert(at=at), EPOCH).incident.since == EPOCH
    assert len(begun_by_alert(2, 5, alert(title="x" * 999), at).incident.title) == 200


def test_what_each_action_changes_and_says() -> None:
    def acted(incident: Incident, action: IncidentAction, text: str = "", **more: object) -> IncidentChange:
        return act_on(incident, IncidentActed(action, ONCALL, at, text, **more), POLICY)  # type: ignore[arg-type]

    at, one = EPOCH + 5 * MIN, opened()
    me, other = Owner(ONCALL.id, ONCALL.name), Owner(LEAD.id, LEAD.name)
    after_5 = "after 5 min (target: "

    taken = acted(one, IncidentAction.ACKNOWLEDGE)
    assert taken.incident == replace(one, owner=me, acknowledged_at=at, version=2)
    assert taken.entries == (IncidentEntry(at, "acknowledged", f"Acknowledged {after_5}15 min).", me.name),)
    nick = acted(one, IncidentAction.ACKNOWLEDGE, person=Owner(ONCALL.id, "nick"))
    assert nick.incident.owner == Owner(ONCALL.id, "nick") and nick.entries[0].by == "nick"

    given = acted(one, IncidentAction.ASSIGN, person=other)
    assert given.incident == replace(one, owner=other, version=2)
    assert given.entries == (IncidentEntry(at, "assigned", "lead has the incident now.", me.name),)
    assert acted(one, IncidentAction.ASSIGN, person=me) == acted(one, IncidentAction.ASSIGN) == taken

    noted = acted(one, IncidentAction.NOTE, " it was DNS\0")
    assert noted.incident == replace(one, version=2)
    assert noted.entries == (IncidentEntry(at, "note", "it was DNS", me.name),)

    well = acted(one, IncidentAction.RESTORE)
    assert well.incident == replace(one, restored_at=at, version=2)
    restored = IncidentEntry(at, "restored", f"Restored {after_5}30 min).", me.name)
    assert well.entries == (restored,)

    closed = acted(one, IncidentAction.CLOSE, "done")
    assert closed.incident == replace(one, restored_at=at, closed_at=at, closed_by=me.name, version=2)
    assert closed.entries == (restored, IncidentEntry(at, "closed", "done", me.name))
    early = replace(one, restored_at=EPOCH)
    assert acted(early, IncidentAction.CLOSE).incident.restored_at == EPOCH
    assert acted(early, IncidentAction.CLOSE).entries == (IncidentEntry(at, "closed", "", me.name),)

    written = acted(one, IncidentAction.DOCUMENT, "https://wiki/1")
    assert written.incident == replace(one, postmortem="https://wiki/1", version=2)
    assert written.entries == (IncidentEntry(at, "postmortem", "https://wiki/1", me.name),)
    for change in (taken, given, noted, well, closed, written):
        assert change.call is None
    for action, way_out in (
        (IncidentAction.NOTE, "Say what is to be noted."),
        (IncidentAction.DOCUMENT, "Say where the post-mortem is."),
    ):
        with pytest.raises(UserError) as refused:
            acted(one, action)
        assert refused.value.remedy == way_out


def test_what_the_buttons_offer() -> None:
    acknowledge, restore, close = (
        IncidentAction.ACKNOWLEDGE,
        IncidentAction.RESTORE,
        IncidentAction.CLOSE,
    )
    one = opened()
    assert allowed_on(one) == (acknowledge, restore, close)
    taken = did(one, acknowledge, EPOCH)
    assert allowed_on(taken) == (restore, close)
    assert allowed_on(replace(taken, owner=None)) == (acknowledge, restore, close)
    assert allowed_on(did(taken, restore, EPOCH)) == (close,)


def test_messages_and_issues_are_lines_of_their_own() -> None:
    one = opened()
    change = marked(one, at=EPOCH + MIN, text=" so\0 it was ", by="ada ", key="m1")
    assert change.incident == replace(one, version=2)
    assert change.entries == (IncidentEntry(EPOCH + MIN, "marked", "so it was", "ada", "m1"),)
    long = marked(one, at=EPOCH, text="x" * 999, by="y" * 999, key="m").entries[0]
    assert (len(long.text), len(long.by)) == (500, 100)
    told_of = told(one, EPOCH + MIN, "The regression is issue #4.")
    assert told_of.incident == replace(one, version=2)
    assert told_of.entries == (IncidentEntry(EPOCH + MIN, "regression", "The regression is issue #4."),)
    assert later(one) == IncidentChange(replace(one, version=2))


def test_all_that_joins_is_said_and_linked_once() -> None:
    worse = alert(8, severity=Severity.CRITICAL)
    bare = replace(alert(9, severity=Severity.LOW), suspect=None)
    same = replace(alert(10), suspect=worse.suspect)
    change = follow(opened(Severity.MEDIUM), [same, bare, worse], EPOCH + MIN, POLICY)
    assert change is not None
    one = change.incident
    assert (one.alerts, one.rollouts, one.severity, one.version) == ((8, 9, 10), (108,), Severity.CRITICAL, 2)
    assert change.entries == tuple(
        IncidentEntry(
            EPOCH + MIN,
            "alert",
            f"Alert {n} joined the incident: Many requests fail: 52% (limit 20%).",
        )
        for n in (8, 9, 10)
    )
    assert change.call is None


def test_an_incident_links_a_bounded_number_of_alerts_and_rollouts() -> None:
    full = replace(
        opened(), alerts=tuple(range(1000, 1000 + MOST_LINKED - 1)), rollouts=tuple(range(MOST_LINKED))
    )
    change = follow(full, [alert(8), alert(9)], EPOCH, POLICY)
    assert change is not None
    assert (len(change.incident.alerts), change.incident.alerts[-1]) == (MOST_LINKED, 8)
    assert change.incident.rollouts == full.rollouts


def test_the_first_who_took_one_of_its_alerts_has_it_unless_it_was_given_to_another() -> None:
    def taken(number: int, minute: int, who: Actor) -> Alert:
        by = AlertActed(AlertAction.ACKNOWLEDGE, who, EPOCH + minute * MIN)
        return act(alert(number), by, ALERTS).alert

    both = [taken(8, 4, LEAD), taken(9, 3, ONCALL)]
    change = follow(opened(), both, EPOCH + 5 * MIN, POLICY)
    assert change is not None
    assert change.incident.owner == Owner(ONCALL.id, ONCALL.name)
    assert change.incident.acknowledged_at == EPOCH + 3 * MIN
    given = replace(opened(), owner=Owner(1, "ada"))
    change = follow(given, both, EPOCH + 5 * MIN, POLICY)
    assert change is not None
    assert (change.incident.owner, change.incident.acknowledged_at) == (Owner(1, "ada"), EPOCH + 3 * MIN)
    # Who has it already keeps it.
    mine = replace(given, acknowledged_at=EPOCH + MIN, alerts=(8, 9), rollouts=(108, 109))
    assert follow(mine, both, EPOCH + 5 * MIN, POLICY) is None


def test_what_is_said_when_its_alerts_are_over_and_when_one_is_back() -> None:
    one = replace(opened(), alerts=(7,), rollouts=(107,))
    over = ended(alert(), EPOCH + 5 * MIN)
    change = follow(one, [over], EPOCH + 6 * MIN, POLICY)
    assert change is not None
    assert change.incident == replace(one, restored_at=EPOCH + 5 * MIN, calm_at=EPOCH + 6 * MIN, version=2)
    assert change.entries == (
        IncidentEntry(EPOCH + 5 * MIN, "restored", "Restored after 5 min (target: 30 min)."),
        IncidentEntry(EPOCH + 6 * MIN, "calm", "All of its alerts are over."),
    )
    text = "All alerts of incident 1 are over. Close it if users are well."
    assert change.call == IncidentCall(text)
    back = follow(change.incident, [alert()], EPOCH + 7 * MIN, POLICY)
    assert back is not None
    assert back.incident == replace(one, version=3)
    text = "One of its alerts is open again, so it is no longer restored."
    assert (back.entries, back.call) == ((IncidentEntry(EPOCH + 7 * MIN, "returned", text),), None)
    # An end that is not known is now, and none is before the beginning.
    unknown = follow(one, [replace(over, ended_at=None)], EPOCH + 6 * MIN, POLICY)
    assert unknown is not None and unknown.incident.restored_at == EPOCH + 6 * MIN
    late = follow(replace(one, since=EPOCH + 5.5 * MIN), [over], EPOCH + 6 * MIN, POLICY)
    assert late is not None and late.incident.restored_at == EPOCH + 5.5 * MIN
    # Restored by a person: only the end of the alerts is said.
    said = follow(replace(one, restored_at=EPOCH + MIN), [over], EPOCH + 6 * MIN, POLICY)
    assert said is not None and [entry.what for entry in said.entries] == ["calm"]


def test_only_notices_that_are_left_are_said_so() -> None:
    low = alert(8, severity=Severity.LOW)
    one = replace(opened(), alerts=(7, 8), rollouts=(107, 108))
    change = follow(one, [ended(alert(), EPOCH + 5 * MIN), low], EPOCH + 6 * MIN, POLICY)
    assert change is not None
    text = "Of the alerts of incident 1, only notices are open. Close it if users are well."
    assert change.call == IncidentCall(text)
    # Notices alone neither restore it nor open it again.
    assert follow(one, [ended(low, EPOCH)], EPOCH, POLICY) is None
    over = follow(
        one, [ended(alert(), EPOCH + 5 * MIN), ended(low, EPOCH + 5 * MIN)], EPOCH + 6 * MIN, POLICY
    )
    assert over is not None and over.entries[-1].text == "All of its alerts are over."


@pytest.mark.parametrize(
    ("of_alert", "of_incident", "holds"),
    [
        (Severity.LOW, Severity.LOW, True),
        (Severity.LOW, Severity.MEDIUM, False),
        (Severity.MEDIUM, Severity.LOW, True),
        (Severity.MEDIUM, Severity.CRITICAL, True),
    ],
)
def test_what_holds_an_incident_open(of_alert: Severity, of_incident: Severity, holds: bool) -> None:
    assert holds_open(opened(of_incident), alert(severity=of_alert)) is holds


def test_the_question_for_the_post_mortem() -> None:
    closed = did(opened(), IncidentAction.CLOSE, EPOCH)
    at = EPOCH + timedelta(hours=49)
    change = ask_in_time(closed, at, POLICY)
    assert change is not None
    assert change.incident == replace(closed, asked_at=at, version=closed.version + 1)
    assert change.entries == (
        IncidentEntry(at, "asked", "There was no post-mortem 48 h after it was closed."),
    )
    assert change.call == IncidentCall(postmortem_wanted(1, "Payments fail"))
    assert postmortem_due(change.incident, POLICY) == EPOCH + timedelta(hours=48)
    assert incident_due_at(closed, IncidentPolicy(postmortem_s=60.0)) == EPOCH + MIN


def test_times_against_targets_as_numbers() -> None:
    now = EPOCH + 10 * MIN
    assert response_times(opened(), POLICY, now) == (
        ResponseTime("acknowledge", 600.0, 900.0, False),
        ResponseTime("restore", 600.0, 1800.0, False),
    )
    taken = did(opened(), IncidentAction.ACKNOWLEDGE, EPOCH + 2 * MIN)
    closed = did(taken, IncidentAction.CLOSE, EPOCH + 40 * MIN)
    assert response_times(closed, POLICY, EPOCH + 99 * MIN) == (
        ResponseTime("acknowledge", 120.0, 900.0, True),
        ResponseTime("restore", 2400.0, 1800.0, True),
    )
    never = did(opened(), IncidentAction.CLOSE, EPOCH + MIN)
    (first, _) = response_times(never, POLICY, EPOCH + 99 * MIN)
    assert first == ResponseTime("acknowledge", 60.0, 900.0, False, never=True)
    assert first.late
    assert response_times(opened(), POLICY, EPOCH - MIN)[0].took_s == 0.0


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (ResponseTime("acknowledge", 60.4, 900.0, True), "Acknowledged after 60 s (target: 15 min)."),
        (
            ResponseTime("acknowledge", 901.0, 900.0, True),
            "Acknowledged after 15 min 1 s: later than the target of 15 min.",
        ),
        (
            ResponseTime("acknowledge", 60.0, 900.0, False),
            "Not acknowledged yet, after 60 s (target: 15 min).",
        ),
        (
            ResponseTime("acknowledge", 960.0, 900.0, False),
            "Not acknowledged yet, after 16 min: the target was 15 min.",
        ),
        (ResponseTime("restore", 60.0, 1800.0, True), "Restored after 60 s (target: 30 min)."),
        (
            ResponseTime("restore", 1860.0, 1800.0, True),
            "Restored after 31 min: later than the target of 30 min.",
        ),
        (ResponseTime("restore", 60.0, 1800.0, False), "Not restored yet, after 60 s (target: 30 min)."),
        (
            ResponseTime("restore", 1860.0, 1800.0, False),
            "Not restored yet, after 31 min: the target was 30 min.",
        ),
    ],
)
def test_a_time_against_its_target_as_a_sentence(time: ResponseTime, said: str) -> None:
    assert response_sentence(time) == said


def test_targets_that_a_lane_does_not_set_are_the_usual_ones() -> None:
    policy = IncidentPolicy({Severity.HIGH: ResponseTarget(1.0, 2.0)})
    assert policy.of(Severity.HIGH) == ResponseTarget(1.0, 2.0)
    assert policy.of(Severity.LOW) == POLICY.of(Severity.LOW) == ResponseTarget(14_400.0, 86_400.0)
