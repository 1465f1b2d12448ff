"""Incidents as pure rules: both sides of each edge, on times that the test says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.errors import Refused, UserError
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import SYSTEM, Lane
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
    incident_due_at,
    marked,
    said_of,
)
from bot.domain.watch.incidents.incident import (
    Incident,
    IncidentAction,
    IncidentEntry,
    IncidentState,
    response_times,
)
from bot.domain.watch.incidents.targets import IncidentPolicy
from bot.domain.watch.incidents.timeline import merged
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
