"""The rollout machine: how a rollout begins, what one event makes of it, and what can be read off it.

`step` is pure, and does nothing that is not in the table of `transitions.py`. Who drives it keeps to one rule:
persist, then act. In one transaction save `rollout` (where the stored version is still the old one), append the
transitions, replace the timer rows by `timers(rollout)` and insert the effects; only after the commit do the
effects, whose outcomes come back as events.

What comes back late is harmless: a machine outcome that answers an older step or generation changes nothing. A
person's press on an older step, or without the role, raises `Refused`. Any other event that the table does not
have raises `IllegalTransition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.errors import IllegalTransition, Refused, UserError
from bot.domain.rollout import actions, approvals, plans, progress, rollback, verdicts
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    Event,
    HostAborted,
    Notify,
    Reported,
    TimerDue,
)
from bot.domain.rollout.model import (
    FINAL,
    SYSTEM,
    Action,
    Actor,
    Lane,
    Phase,
    Plan,
    Policy,
    Readiness,
    Release,
    Rollout,
)
from bot.domain.rollout.step_builder import StepBuilder, Stepped
from bot.domain.rollout.steps import meaning

P = Phase
Handler = Callable[[StepBuilder, Any], None]


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """`event` is heard in `phases`, handled by `handler`, and leaves the phase as it is or leads to one of `to`."""

    event: str
    phases: frozenset[Phase]
    handler: Handler
    to: frozenset[Phase]


def _on(event: str, phases: set[Phase], handler: Handler, to: set[Phase]) -> TransitionRule:
    return TransitionRule(event, frozenset(phases), handler, frozenset(to))


_AHEAD = {P.VERIFYING, P.GATED, P.SHIFTING, P.SOAKING, P.OBSERVING}  # whatever the next step is
WATCHED = {P.SOAKING, P.OBSERVING}
ORDERED = {P.VERIFYING, P.SHIFTING}  # the target was asked for something
GOING = _AHEAD | {P.HELD}
_ACTIVE = GOING | {P.ROLLING_BACK, P.HALTED}
_BACK = {P.ROLLING_BACK, P.HALTED}  # HALTED at once where there is no stable to go back to
_OFF = _BACK | {P.FAILED}  # FAILED where there was no traffic yet
_STOP = _BACK | {P.CANCELLED}  # the same, by a person's will

RULES = (
    #   event            heard in                       handler                 leads to
    _on("applied", ORDERED, progress.applied, _AHEAD | {P.SUCCEEDED}),
    _on("applied", {P.ROLLING_BACK}, rollback.returned, {P.ROLLED_BACK}),
    _on("applied", {P.HALTED}, rollback.returned_late, set()),
    _on("apply_failed", ORDERED, progress.not_applied, _OFF),
    _on("apply_failed", {P.ROLLING_BACK}, rollback.not_returned, {P.HALTED}),
    _on("reported", ORDERED, progress.reported, _AHEAD | _OFF),
    _on("measured", {P.VERIFYING, P.GATED, P.SHIFTING}, verdicts.measured, _OFF),
    _on("measured", WATCHED, verdicts.measured, _AHEAD | _OFF | {P.HELD}),
    _on("measured", {P.HELD}, verdicts.measured, _AHEAD | _OFF),
    _on("crashed", GOING, rollback.crashed, _OFF),
    _on("host_aborted", _ACTIVE, rollback.aborted, _STOP),
    # Timers.
    _on("gate_due", {P.GATED}, rollback.expired, _STOP),
    _on("hold_due", {P.HELD}, verdicts.hold_due, _OFF),
    # People.
    _on(Action.APPROVE, {P.GATED}, actions.approve, _AHEAD | {P.HELD}),
    _on(Action.REVOKE, {P.GATED}, actions.revoke, set()),
    _on(Action.REJECT, {P.GATED}, actions.reject, _STOP),
    _on(Action.PAUSE, GOING, actions.pause, set()),
    _on(Action.RESUME, GOING, actions.resume, _AHEAD | {P.HELD}),
    _on(Action.EXTEND, WATCHED | {P.GATED}, actions.extend, set()),
    _on(Action.EXTEND, {P.HELD}, actions.extend, WATCHED),
    _on(Action.PROMOTE, WATCHED | {P.HELD}, actions.promote, _AHEAD),
    _on(Action.ROLL_BACK, _ACTIVE, actions.roll_back, _STOP),
    _on(Action.CANCEL, GOING, actions.cancel, {P.CANCELLED}),
    _on(Action.CLOSE, {P.HALTED}, actions.close, {P.CANCELLED}),
)
TABLE: Mapping[tuple[Phase, str], TransitionRule] = {
    (phase, str(r.event)): r for r in RULES for phase in r.phases
}

# What may still come in when nobody waits for it any more: the outcome of what was under way when it ended.
LATE: Mapping[str, frozenset[Phase]] = {
    "applied": FINAL,
    "apply_failed": FINAL | {P.HALTED},
    "reported": FINAL | _BACK,
    "measured": FINAL | _BACK,
    "crashed": FINAL | _BACK,
    "host_aborted": FINAL,
    "gate_due": frozenset(Phase),
    "hold_due": frozenset(Phase),
    "progress_due": frozenset(Phase),  # a timer of earlier versions
}


__all__ = ["Stepped", "allowed_actions", "begin", "step", "timers"]

# Votes and times are about one step. Pause, Resume, Roll back, Cancel and Close mean the rollout wherever it is:
# an emergency press must not fail because the rollout moved on under the finger.
_ABOUT_A_STEP = frozenset({Action.APPROVE, Action.REJECT, Action.REVOKE, Action.EXTEND, Action.PROMOTE})


def begin(
    *,
    id: int,  # noqa: A002
    guild_id: int,
    lane: Lane,
    stable: Release | None,
    candidate: Release,
    plan: Plan,
    policy: Policy,
    requester: Actor,
    reason: str,
    at: datetime,
    generation: int,
    known_good: bool = False,
    readiness: Readiness | None = None,
    shout: str = "",
) -> Stepped:
    """A new rollout at its first step, with version 0. `generation` is the lane's newest so far.

    `known_good`: a return to a release that completed its observation here; use `plans.straight()` as plan.
    `shout`: what everybody must hear about how it began (an emergency). Raises `UserError` for an unsound plan.
    """
    problems = plans.check(plan, exclusive=policy.exclusive)
    if problems:
        said = "; ".join(p.sentence for p in problems)
        raise UserError(f"The plan {plan.name} cannot be used: {said}.", rule="plan", remedy=problems[0].hint)
    seal = approvals.seal_of(
        rollout_id=id,
        guild_id=guild_id,
        lane=lane,
        stable=stable,
        candidate=candidate,
        plan=plan,
        policy=policy,
    )
    rollout = Rollout(
        id=id,
        guild_id=guild_id,
        lane=lane,
        stable=stable,
        candidate=candidate,
        plan=plan,
        policy=policy,
        requester=requester,
        reason=reason,
        seal=seal,
        phase=Phase.VERIFYING,
        created_at=at,
        version=-1,
        generation=generation,
        confirmed=generation,
        known_good=known_good,
        readiness=readiness,
    )
    builder = StepBuilder(rollout, requester, at)
    was = f"from {stable.version} " if stable else ""
    builder.tell(
        "began", f"{requester.name} deploys {candidate.version} {was}to {lane.environment}.", reason=reason
    )
    if shout:
        builder.tell("emergency", shout)
        builder.order(Notify("emergency", policy.notify_roles, text=shout))
    progress.enter(builder, 0)
    return builder.done()


def step(rollout: Rollout, event: Event) -> Stepped:
    """The rollout after `event`, what to do to the outside world, and the lines of the audit log.

    Raises `Refused` for what a person may not or not now, `IllegalTransition` for what cannot have happened.
    """
    name = name_of(event)
    rule = TABLE.get((rollout.phase, name))
    if isinstance(event, Acted):
        _check_person(rollout, event, rule)
    elif _answers_older(rollout, event) or (rule is None and rollout.phase in LATE.get(name, ())):
        return Stepped(rollout)
    if rule is None:
        raise IllegalTransition(f"rollout {rollout.id}: {name} in {rollout.phase}")
    builder = StepBuilder(rollout, _actor(event), event.at)
    rule.handler(builder, event)
    if builder.rollout.phase is not rollout.phase and builder.rollout.phase not in rule.to:
        raise IllegalTransition(
            f"rollout {rollout.id}: {name} led from {rollout.phase} to {builder.rollout.phase}"
        )
    return builder.done()


def name_of(event: Event) -> str:
    """The word by which the table knows the event."""
    if isinstance(event, Acted):
        return str(event.action)
    return f"{event.name}_due" if isinstance(event, TimerDue) else event.kind


def _actor(event: Event) -> Actor:
    if isinstance(event, Acted):
        return event.actor
    return Actor(0, event.by, via="cli") if isinstance(event, HostAborted) else SYSTEM


def _answers_older(rollout: Rollout, event: Event) -> bool:
    match event:
        case Applied() | ApplyFailed():
            if event.generation > rollout.generation:
                raise IllegalTransition(f"rollout {rollout.id}: never ordered generation {event.generation}")
            return event.generation < rollout.generation or event.generation == rollout.confirmed
        case Reported():
            return event.step < rollout.step or rollout.step_done
        case TimerDue(name=name) if f"{name}_due" in LATE:
            due = timers(rollout).get(name)
            return event.step != rollout.step or due is None or event.at < due
    return False


def _check_person(rollout: Rollout, acted: Acted, rule: TransitionRule | None) -> None:
    since = f" {rollout.outcome}" if rollout.outcome else ""
    if rollout.phase.final:
        raise Refused(f"This rollout is over ({_spoken(rollout.phase)}).{since}", rule="over")
    if acted.action in _ABOUT_A_STEP and acted.step is not None and acted.step != rollout.step:
        raise Refused(
            f"That button was drawn for step {acted.step + 1}; the rollout is at step {rollout.step + 1} now.{since}",
            rule="older_step",
            remedy="The present card has the buttons that count.",
        )
    if rule is None:
        raise Refused(
            f"You cannot {approvals.WORDS[acted.action]} now. {meaning(rollout)}{since}",
            rule="not_now",
        )
    refused = approvals.may(rollout, acted.action, acted.actor)
    # A panic stop is for everything at once: who asks for it was checked against the guild's own roles.
    if refused is not None and not (acted.panic and acted.action in (Action.PAUSE, Action.RESUME)):
        raise refused
    held = rollout.pause
    if acted.action is Action.RESUME and held is not None and held.panic and not acted.panic:
        why = f": {held.reason}" if held.reason else ""
        raise Refused(
            f"{held.by} stopped everything{why}. No rollout is let go by itself.",
            rule="panic",
            remedy="`/panic off` lets all of them go on.",
        )


def _spoken(phase: Phase) -> str:
    return str(phase).replace("_", " ")


def timers(rollout: Rollout) -> Mapping[str, datetime]:
    """Which timers run, by name (`gate`, `hold`), and when they are due. Derived, never stored twice.

    What was ordered has no timer: its time is measured where it is executed.
    """
    if rollout.phase is Phase.HELD:
        ends = rollout.hold.deadline if rollout.hold else None
        return {"hold": ends} if ends else {}
    waiting = rollout.phase is Phase.GATED and rollout.deadline is not None and rollout.pause is None
    return {"gate": rollout.deadline} if waiting and rollout.deadline else {}


def allowed_actions(rollout: Rollout, now: datetime) -> tuple[Action, ...]:
    """The buttons that this state allows, most wanted first. Who may press them is decided at the press."""
    phase = rollout.phase
    if phase is Phase.HALTED:
        return (Action.ROLL_BACK, Action.CLOSE)
    if phase not in GOING:
        return ()
    found: list[Action] = []
    ends = approvals.expiry(rollout, now)
    if phase is Phase.GATED and not rollout.step_done and (ends is None or now < ends):
        found += [Action.APPROVE, Action.REJECT]
        found += [Action.REVOKE] if rollout.approvals else []
        found.append(Action.EXTEND)
    elif phase in WATCHED | {Phase.HELD}:
        found += [] if rollout.pause else [Action.PROMOTE]
        found.append(Action.EXTEND)
    if rollout.pause is None:
        found.append(Action.PAUSE)
    elif not rollout.pause.panic:  # a panic stop ends for all at once
        found.append(Action.RESUME)
    found.append(Action.ROLL_BACK if rollout.had_traffic else Action.CANCEL)
    return tuple(found)
