"""What time makes of alerts: escalation, silences that end, owners who went quiet, and what stayed well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.watch.alerts.alert import (
    Alert,
    AlertState,
    Call,
    Change,
    Entry,
    alert_line,
    disowned,
    owner_of,
)
from bot.domain.watch.alerts.escalation import AlertPolicy, EscalationStep
from bot.domain.watch.alerts.rollbacks import LONGEST_S, tried_again

_MOST_DOUBLINGS = 4
# Clocks of processes that differ by less are one.
_SAME_TIME = timedelta(seconds=1)


def due_at(alert: Alert, policy: AlertPolicy) -> datetime | None:
    """When time changes the alert next; None when it does not."""
    if alert.over:
        return None
    times = [time for time, _ in _waiting(alert, policy)]
    return min(times, default=None)


def called_at(alert: Alert, policy: AlertPolicy) -> datetime | None:
    """When people are told of it next, or it is resolved; None when neither comes by itself."""
    return due_at(replace(alert, wanted=None), policy)


def pass_time(
    alert: Alert, at: datetime, policy: AlertPolicy, *, before: Change | None = None
) -> Change | None:
    """The alert after all that came due by `at`, each once; None when nothing did.

    Steps that came due together, while Slipway was down, make one call. before: what has already changed; its lines
    and calls come first.
    """
    change = before or Change(alert)
    passed = False
    while not change.alert.over:
        due = min(_waiting(change.alert, policy), key=lambda each: each[0], default=None)
        if due is None or due[0] > at:
            break
        change, passed = due[1](change, at), True
    if not passed:
        return None
    version = change.alert.version if before is not None else alert.version + 1
    return replace(change, alert=replace(change.alert, version=version), calls=_joined(change.calls))


def set_back(alert: Alert, at: datetime) -> Change | None:
    """The alert after the clock was set back to `at`: what it has from a time that is still to come counts from now.

    Otherwise people would be called later by as much as the clock was ahead. None where nothing is so.
    """
    tried = alert.wanted.at - timedelta(seconds=LONGEST_S) if alert.wanted is not None else None
    taken = (alert.acknowledged_at, alert.taken_at, alert.asked_at)
    by_person = alert.silenced_until is not None and alert.silence_id == 0
    silenced_at = alert.silenced_at if by_person else None
    since = (alert.escalates_from, *taken, alert.calm_since, tried, silenced_at)
    if alert.over or all(time is None or time <= at + _SAME_TIME for time in since):
        return None

    def known(time: datetime | None) -> datetime | None:
        return min(time, at) if time is not None else None

    silenced_until = alert.silenced_until
    if silenced_until is not None and silenced_at is not None and silenced_at > at:
        silenced_until -= silenced_at - at

    back = replace(
        alert,
        silenced_until=silenced_until,
        silenced_at=known(silenced_at),
        escalates_from=min(alert.escalates_from, at),
        acknowledged_at=known(alert.acknowledged_at),
        taken_at=known(alert.taken_at),
        asked_at=known(alert.asked_at),
        calm_since=known(alert.calm_since),
        wanted=replace(alert.wanted, at=min(alert.wanted.at, at)) if alert.wanted is not None else None,
        version=alert.version + 1,
    )
    return Change(back)


Passing = Callable[[Change, datetime], Change]


def _waiting(alert: Alert, policy: AlertPolicy) -> Iterable[tuple[datetime, Passing]]:
    """What time does to the alert, each with when."""
    if alert.wanted is not None:
        yield alert.wanted.at, tried_again
    if alert.calm_since is not None:
        yield alert.calm_since + timedelta(seconds=settle_s(alert, policy)), _settled
        return
    if alert.silenced_until is not None:
        yield alert.silenced_until, _silence_over
        return
    if alert.state is AlertState.ACKNOWLEDGED and alert.acknowledged_at is not None:
        if alert.asked_at is None:
            yield alert.acknowledged_at + timedelta(seconds=policy.quiet_s), _asked
        else:
            over = alert.asked_at + timedelta(seconds=policy.answer_s)
            yield over, lambda change, at: _unanswered(change, at, policy)
        return
    steps = policy.of(alert.severity)
    if alert.steps_done < len(steps):
        step = steps[alert.steps_done]
        when = alert.escalates_from + timedelta(seconds=step.after_s)
        yield when, lambda change, at: _escalated(change, step, at)


def settle_s(alert: Alert, policy: AlertPolicy) -> float:
    """Seconds for which all must be well until the alert is resolved."""
    return float(policy.settle_s * 2 ** min(alert.returns + alert.earlier_returns, _MOST_DOUBLINGS))


def _settled(change: Change, at: datetime) -> Change:
    alert, ended_at = change.alert, change.alert.calm_since
    text = phrasebook.alert_resolved()
    ended = replace(alert, state=AlertState.RESOLVED, ended_at=ended_at, silenced_until=None)
    return replace(change, alert=ended, entries=(*change.entries, Entry(at, "resolved", text)))


def _silence_over(change: Change, at: datetime) -> Change:
    alert = replace(change.alert, silenced_until=None, silence_id=0, escalates_from=at, steps_done=0)
    return replace(
        change, alert=alert, entries=(*change.entries, Entry(at, "unsilenced", phrasebook.silence_over()))
    )


def _asked(change: Change, at: datetime) -> Change:
    alert = change.alert
    name = alert.owner.name if alert.owner else ""
    text = phrasebook.still_on_it(name)
    return Change(
        replace(alert, asked_at=at),
        (*change.entries, Entry(at, "asked", text)),
        (*change.calls, Call((), text, owner_of(alert), direct=True)),
    )


def _unanswered(change: Change, at: datetime, policy: AlertPolicy) -> Change:
    """The owner did not answer: go on with the step that is next, now."""
    alert = change.alert
    steps = policy.of(alert.severity)
    after_s = steps[min(alert.steps_done, len(steps) - 1)].after_s if steps else 0.0
    name = alert.owner.name if alert.owner else ""
    open_again = replace(
        disowned(alert),
        steps_done=min(alert.steps_done, max(len(steps) - 1, 0)),
        escalates_from=at - timedelta(seconds=after_s),
    )
    entry = Entry(at, "escalated", phrasebook.no_answer_from(name))
    return replace(change, alert=open_again, entries=(*change.entries, entry))


def _escalated(change: Change, step: EscalationStep, at: datetime) -> Change:
    alert = change.alert
    # After the clock was set back, it may have been opened in the future.
    since = alert.opened_at if alert.opened_at <= at else alert.escalates_from
    waited_s = _rounded((at - since).total_seconds())
    say = phrasebook.lead_wanted if step.war_room else phrasebook.not_acknowledged
    text = say(duration(waited_s)) if alert.steps_done or step.after_s else alert_line(alert)
    return Change(
        replace(alert, steps_done=alert.steps_done + 1),
        (*change.entries, Entry(at, "called", ", ".join(step.who))),
        (*change.calls, Call(step.who, text, direct=step.direct, war_room=step.war_room)),
    )


def _rounded(seconds: float) -> int:
    """Whole minutes from the first one on: a step that came a moment late says when it was due."""
    return round(seconds) if seconds < 60 else round(seconds / 60) * 60


def _joined(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """One call of several that came due together: the last one's words, all their people."""
    staged = [call for call in calls if call.who]
    if len(staged) < 2:
        return calls
    who = tuple(dict.fromkeys(one for call in staged for one in call.who))
    joined = replace(
        staged[-1],
        who=who,
        direct=any(call.direct for call in staged),
        war_room=any(call.war_room for call in staged),
    )
    return (*[call for call in calls if not call.who], joined)
