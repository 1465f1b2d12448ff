"""What people can do to alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.formatting import clean, duration
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.alert import Alert, AlertAction, AlertState, Call, Change, Entry, disowned, owned
from bot.domain.watch.alerts.escalation import STEPS, AlertPolicy
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.rollbacks import dropped

SILENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class AlertActed:
    """An action of a person. seconds: how long to be silent."""

    action: AlertAction
    actor: Actor
    at: datetime
    reason: str = ""
    seconds: float = SILENCE_S


def allowed_actions(alert: Alert) -> tuple[AlertAction, ...]:
    """What people can do to it now."""
    if alert.over:
        return ()
    silence = AlertAction.UNSILENCE if alert.silenced_until is not None else AlertAction.SILENCE
    return (AlertAction.ACKNOWLEDGE, AlertAction.ESCALATE, silence, AlertAction.RESOLVE)


def act(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    """The alert after a person's action. Raises `Refused` with the sentence for them."""
    if alert.over:
        raise phrasebook.alert_is_over(alert.id)
    change = _ACTS[acted.action](alert, replace(acted, reason=clean(acted.reason)), policy)
    return replace(change, alert=replace(change.alert, version=alert.version + 1))


def _acknowledge(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    return Change(
        owned(alert, acted.actor, acted.at),
        (Entry(acted.at, "acknowledged", acted.reason, acted.actor.name),),
    )


def _escalate(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    steps = policy.of(alert.severity) or policy.of(Severity.CRITICAL) or STEPS[Severity.CRITICAL]
    step = steps[min(max(alert.steps_done, 1), len(steps) - 1)]
    text = phrasebook.escalated_by(acted.actor.name, acted.reason)
    done = replace(
        disowned(alert),
        silenced_until=None,
        silence_id=0,
        woken=alert.woken or alert.silence_id != 0,
        steps_done=min(max(alert.steps_done, 1) + 1, len(policy.of(alert.severity))),
        escalates_from=min(alert.escalates_from, acted.at - timedelta(seconds=step.after_s)),
    )
    call = Call(step.who, text, direct=step.direct, war_room=step.war_room)
    return Change(done, (Entry(acted.at, "escalated", acted.reason, acted.actor.name),), (call,))


def _silence(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    until = acted.at + timedelta(seconds=acted.seconds)
    text = phrasebook.silenced_for(duration(round(acted.seconds)), acted.reason)
    entry = Entry(acted.at, "silenced", text, acted.actor.name)
    return Change(replace(alert, silenced_until=until, silence_id=0, silenced_at=acted.at), (entry,))


def _unsilence(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    if alert.silenced_until is None:
        # Its calls would begin once more.
        raise phrasebook.alert_not_silent(alert.id)
    entry = Entry(acted.at, "unsilenced", acted.reason, acted.actor.name)
    awake = replace(
        alert,
        silenced_until=None,
        silence_id=0,
        woken=alert.woken or alert.silence_id != 0,
        escalates_from=acted.at,
        steps_done=0,
    )
    return Change(awake, (entry,))


def _resolve(alert: Alert, acted: AlertActed, policy: AlertPolicy) -> Change:
    left = dropped(Change(alert), acted.at)
    ended = replace(
        left.alert,
        state=AlertState.RESOLVED,
        ended_at=acted.at,
        ended_by=acted.actor.name,
        silenced_until=None,
    )
    return Change(ended, (*left.entries, Entry(acted.at, "resolved", acted.reason, acted.actor.name)))


Acting = Callable[[Alert, AlertActed, AlertPolicy], Change]
_ACTS: dict[AlertAction, Acting] = {
    AlertAction.ACKNOWLEDGE: _acknowledge,
    AlertAction.ESCALATE: _escalate,
    AlertAction.SILENCE: _silence,
    AlertAction.UNSILENCE: _unsilence,
    AlertAction.RESOLVE: _resolve,
}
