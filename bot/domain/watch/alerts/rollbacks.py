"""Rollbacks that alerts ask for: wanted, tried until they are started, or not wanted any more.

What is wanted is a part of the alert, so it is saved with the finding that asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.alert import Alert, Change, Entry, Suspect, WantedRollback, owned

# Between two tries, in seconds.
_FIRST_S, LONGEST_S = 5.0, 60.0


def wanted(change: Change, suspect: Suspect, why: str, at: datetime) -> Change:
    """The change of an alert that also asks for a rollback. One that is wanted already keeps its time."""
    before = change.alert.wanted
    if before is not None and before.rollout_id == suspect.rollout_id:
        return change
    asked = WantedRollback(suspect.rollout_id, why, at + timedelta(seconds=_FIRST_S))
    return replace(change, alert=replace(change.alert, wanted=asked))


def suspected(alert: Alert, suspect: Suspect | None) -> Alert:
    """The alert with the deploy that is its plausible cause now; the one that it had, where there is no other."""
    if suspect is None:
        return alert
    same = alert.suspect is not None and alert.suspect.rollout_id == suspect.rollout_id
    return replace(alert, suspect=suspect, undone_by=alert.undone_by if same else 0)


def to_be_tried(before: Alert | None, after: Alert) -> bool:
    """Whether this change of the alert is the turn to start its rollback. The process that saved it does so."""
    return after.wanted is not None and (before is None or before.wanted != after.wanted)


def tried_again(change: Change, at: datetime) -> Change:
    """The alert when it is time for another try; the next one comes later. The first one is told."""
    alert = change.alert
    assert alert.wanted is not None
    tries = alert.wanted.tries + 1
    pause_s = min(LONGEST_S, _FIRST_S * 2.0 ** min(tries, 10))
    again = replace(alert.wanted, tries=tries, at=at + timedelta(seconds=pause_s))
    said = () if tries > 1 else (Entry(at, "rollback", phrasebook.rollback_delayed()),)
    return replace(change, alert=replace(alert, wanted=again), entries=(*change.entries, *said))


def begun(alert: Alert, by: Actor, rollout_id: int, at: datetime) -> Change:
    """The alert once a rollback was started for it: a person who starts one has the alert."""
    by_person = by.via != "system"
    entry = Entry(at, "rollback", phrasebook.rollback_begun(rollout_id), by.name if by_person else "")
    started = replace(alert, wanted=None, undone_by=rollout_id, version=alert.version + 1)
    return Change(owned(started, by, at) if by_person and not alert.over else started, (entry,))


def not_begun(alert: Alert, at: datetime, why: str) -> Change:
    """The alert without the rollback that it wanted. why: a sentence; empty for what was said before."""
    said = (Entry(at, "rollback", why),) if why else ()
    return Change(replace(alert, wanted=None, version=alert.version + 1), said)


def dropped(change: Change, at: datetime) -> Change:
    """The change of an alert with its trouble over, without the rollback that was wanted for it."""
    if change.alert.wanted is None:
        return change
    entry = Entry(at, "rollback", phrasebook.rollback_not_needed())
    return replace(change, alert=replace(change.alert, wanted=None), entries=(*change.entries, entry))
