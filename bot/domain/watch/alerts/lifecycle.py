"""What a finding makes of alerts: a new one, a further trouble, the end of one, or nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b

from bot.domain import phrasebook
from bot.domain.formatting import clean
from bot.domain.watch.alerts.alert import (
    MARK,
    Alert,
    AlertState,
    Call,
    Change,
    Entry,
    Suspect,
    Trouble,
    owner_of,
)
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import OWN_SOURCES, Finding, Severity
from bot.domain.watch.alerts.follow_up import pass_time
from bot.domain.watch.alerts.rollbacks import dropped
from bot.domain.watch.alerts.silences import Silence, quieted

# Of an alert with more troubles, the worst and newest are kept. Of the others it is known which they are, so that one
# that is told again is not counted again, and the alert is not over before they are.
MOST_TROUBLES, MOST_LEFT_OUT = 50, 10_000
_MOMENT_S = 60.0
# Trouble that comes so soon after an alert of its group was over is the same that comes and goes.
_FLAPS = timedelta(minutes=30)


def group_of(finding: Finding) -> str:
    """Findings of one lane belong together; those of none by their source and title."""
    return str(finding.lane) if finding.lane is not None else f"{finding.source}: {finding.title}"[:200]


def begin(
    alert_id: int,
    finding: Finding,
    guilds: tuple[int, ...],
    at: datetime,
    policy: AlertPolicy,
    *,
    suspect: Suspect | None = None,
    silences: Iterable[Silence] = (),
    former: Alert | None = None,
) -> Change:
    """A new alert for a finding that fires. former: the alert of its group before it, which is over."""
    alert = Alert(
        id=alert_id,
        group=group_of(finding),
        guilds=guilds,
        lane=finding.lane,
        opened_at=at,
        troubles=(Trouble(finding, finding.at),),
        severity=finding.severity,
        escalates_from=at,
        suspect=suspect,
        earlier_returns=_returned(former, at),
    )
    opened = Change(alert, (Entry(at, "opened", clean(finding.title)),))
    opened = quieted(opened, silences, at) or opened
    return pass_time(opened.alert, at, policy, before=opened) or opened


def _returned(former: Alert | None, at: datetime) -> int:
    """How often trouble of the group came and went until now. What a person ended was another one."""
    if former is None or former.ended_at is None or former.ended_by or at - former.ended_at > _FLAPS:
        return 0
    return former.earlier_returns + former.returns + 1


def knows(alert: Alert, finding: Finding) -> bool:
    """Whether the trouble is, or was, one of the alert's."""
    kept = any(each.finding.fingerprint == finding.fingerprint for each in alert.troubles)
    return kept or _mark(finding) in alert.left_out_marks


def concerns(ended: Alert, finding: Finding, at: datetime, policy: AlertPolicy) -> bool:
    """Whether a finding is news of an alert that is over: its end, the same trouble told once more, or told late.

    What a person resolved stays resolved until it was well in between; but not for longer than `policy.reopen_s`,
    unless it is `lasting`.
    """
    if not finding.firing:
        return True
    known = next((t for t in ended.troubles if t.finding.fingerprint == finding.fingerprint), None)
    if known is not None and _is_late(known, finding, at, policy):
        return True
    fired = known.over_at is None if known is not None else _mark(finding) in ended.left_out_marks
    if not fired or ended.ended_at is None:
        return False
    soon = at < ended.ended_at + timedelta(seconds=policy.reopen_s)
    return finding.lasting or (soon and finding.at <= ended.ended_at)


def hear(
    alert: Alert, finding: Finding, at: datetime, policy: AlertPolicy, silences: Iterable[Silence] = ()
) -> Change | None:
    """The alert after a finding of its group; None when it says nothing new."""
    change = _heard(alert, finding, at, policy)
    if change is None:
        return None
    change = quieted(change, silences, at) or change
    change = _worse(alert, change, at, policy)
    if _pace(change.alert) == _pace(alert):
        return change
    return pass_time(change.alert, at, policy, before=change) or change


def _pace(alert: Alert) -> tuple[object, ...]:
    return alert.severity, alert.escalates_from, alert.silenced_until


def _heard(alert: Alert, finding: Finding, at: datetime, policy: AlertPolicy) -> Change | None:
    known = next((t for t in alert.troubles if t.finding.fingerprint == finding.fingerprint), None)
    left_out = known is None and _mark(finding) in alert.left_out_marks
    if not finding.firing:
        if left_out:
            return _ended_unseen(alert, finding, at)
        return _ended(alert, known, finding, at) if known is not None and known.over_at is None else None
    if known is not None and known.over_at is None:
        return _told_again(alert, known, finding)
    if known is not None and _is_late(known, finding, at, policy):
        return None
    return _begun(alert, finding, at, left_out=left_out)


def _is_late(known: Trouble, finding: Finding, at: datetime, policy: AlertPolicy) -> bool:
    """Whether another program tells of a trouble from before its end only now, when it is over.

    Not for longer than `policy.reopen_s` after its end: an Alertmanager that had lost its Prometheus says that a
    trouble is over, and later that it fires, since its old beginning.
    """
    if finding.source in OWN_SOURCES or known.over_at is None:
        return False
    before = finding.at < known.over_at or finding.at <= known.since
    return before and at < known.over_at + timedelta(seconds=policy.reopen_s)


def _begun(alert: Alert, finding: Finding, at: datetime, *, left_out: bool) -> Change | None:
    """left_out: it fires already, and is not kept; None while that stays so."""
    trouble = Trouble(finding, finding.at)
    others = tuple(t for t in alert.troubles if t.finding.fingerprint != finding.fingerprint)
    kept, gone = _bounded((*others, trouble))
    marks = _without(alert.left_out_marks, finding)
    firing = [_mark(each.finding) for each in gone if each.over_at is None]
    marks += "".join(firing[: max(0, MOST_LEFT_OUT - len(marks) // MARK)])
    if trouble in gone and (left_out or marks == alert.left_out_marks) and alert.calm_since is None:
        return None
    changed = replace(alert, troubles=kept, left_out_marks=marks, calm_since=None, version=alert.version + 1)
    if alert.calm_since is not None:
        changed = replace(changed, returns=alert.returns + 1)
        entries: tuple[Entry, ...] = (Entry(at, "returned", clean(finding.title)),)
    else:
        # Of a storm, the timeline has the beginning, and the card its size.
        entries = () if left_out or gone else (Entry(at, "trouble", clean(finding.title)),)
    return Change(changed, entries)


def _told_again(alert: Alert, known: Trouble, finding: Finding) -> Change | None:
    said = replace(known, finding=replace(finding, at=known.finding.at))
    if said == known:
        return None
    troubles = tuple(said if each is known else each for each in alert.troubles)
    return Change(replace(alert, troubles=troubles, version=alert.version + 1))


def _ended(alert: Alert, known: Trouble, finding: Finding, at: datetime) -> Change:
    over = replace(known, over_at=max(known.since, min(finding.at, at)))
    troubles = tuple(over if each is known else each for each in alert.troubles)
    changed = replace(alert, troubles=troubles, version=alert.version + 1)
    return _calmed(Change(changed, (Entry(at, "better", clean(known.finding.title)),)), at)


def _ended_unseen(alert: Alert, finding: Finding, at: datetime) -> Change:
    """The end of a trouble that is not kept."""
    marks = _without(alert.left_out_marks, finding)
    return _calmed(Change(replace(alert, left_out_marks=marks, version=alert.version + 1)), at)


def _calmed(change: Change, at: datetime) -> Change:
    if change.alert.firing or change.alert.left_out:
        return change
    entries = (*change.entries, Entry(at, "calm", phrasebook.all_well()))
    return dropped(replace(change, alert=replace(change.alert, calm_since=at), entries=entries), at)


def _worse(before: Alert, change: Change, at: datetime, policy: AlertPolicy) -> Change:
    """Escalate from the beginning when the alert has become more severe than it ever was."""
    now = change.alert
    severities = [trouble.finding.severity for trouble in now.firing]
    worst = min(severities, key=lambda each: each.rank, default=before.severity)
    if worst.rank >= before.severity.rank:
        return change
    text = phrasebook.severity_rose(str(before.severity), str(worst))
    told = _just_told(before, worst, at, policy)
    now = replace(now, severity=worst, escalates_from=at, steps_done=1 if told else 0)
    entries = (*change.entries, Entry(at, "worse", text))
    calls = change.calls
    if now.state is AlertState.ACKNOWLEDGED and now.owner is not None and now.silenced_until is None:
        calls += (Call((), text, owner_of(now)),)
    return Change(now, entries, calls)


def _just_told(before: Alert, worst: Severity, at: datetime, policy: AlertPolicy) -> bool:
    """Whether those of the first step were called for the milder severity a moment ago."""
    steps = policy.of(worst)
    same = steps[:1] == policy.of(before.severity)[:1]
    return same and before.steps_done == 1 and (at - before.escalates_from).total_seconds() < _MOMENT_S


def _mark(finding: Finding) -> str:
    said = finding.fingerprint.encode(errors="surrogatepass")
    return b64encode(blake2b(said, digest_size=6).digest()).decode()


def _without(marks: str, finding: Finding) -> str:
    before, _, after = marks.partition(_mark(finding))
    return before + after


def _bounded(troubles: tuple[Trouble, ...]) -> tuple[tuple[Trouble, ...], Sequence[Trouble]]:
    """At most `MOST_TROUBLES`, and which went: first what is over, then the mildest, then the oldest."""
    if len(troubles) <= MOST_TROUBLES:
        return troubles, ()
    order = sorted(
        troubles, key=lambda t: (t.over_at is not None, t.finding.severity.rank, -t.since.timestamp())
    )
    kept = set(map(id, order[:MOST_TROUBLES]))
    dropped = [each for each in troubles if id(each) not in kept]
    return tuple(each for each in troubles if id(each) in kept), dropped
