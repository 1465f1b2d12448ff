"""The rollout state machine: the table of transitions, and the pure functions `begin` and `step`.

A rollout walks through the steps of its plan. Where it is has two parts: `Rollout.step`, an index into the plan, and
`Rollout.phase`, which says what it waits for there. Several kinds of steps share a phase:

    VERIFYING, SHIFTING   an answer to what was ordered: before the candidate has traffic, and from then on
    GATED                 people
    SOAKING, OBSERVING    the judge
    HELD                  a decision by people, since the judge could not say PASS
    ROLLING_BACK          the target, on the way back
    HALTED                a person, since the way back is unsafe or failed
    SUCCEEDED, ROLLED_BACK, CANCELLED, FAILED are final

`RULES` is the whole machine. A line says: this event, heard in these phases, is handled by this function, which leaves
the phase as it is or leads to one of those. Four modules hold the functions: `progress` goes forward, `rollback`
goes back, `verdicts` listens to the judge, `actions` to people. What a step does when it is entered or answered is in
the module of its kind, in `steps/`; it says that it waits, is done, or failed, and `progress` goes on from there.

The driver of the machine keeps to one rule: persist, then act. One transaction saves the new rollout (where the
stored version is still the old one), appends the transitions, replaces the timer rows by `timers(rollout)` and inserts
the effects. Only after the commit are effects carried out, and their outcomes come back as events.

Events may come late or twice. An outcome that answers an older step or generation changes nothing. A person's press on
an older step, or without the role, raises `Refused`. Any other event that the table does not have raises
`IllegalTransition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain import phrasebook
from bot.domain.errors import IllegalTransition
from bot.domain.rollout import plans
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    Delayed,
    Event,
    HostAborted,
    Notify,
    ReadChanges,
    Reported,
    SealBroken,
    TimerDue,
)
from bot.domain.rollout.machine import actions, approvals, progress, rollback, verdicts
from bot.domain.rollout.model import (
    FINAL,
    SYSTEM,
    Action,
    Actor,
    Lane,
    Phase,
    Plan,
    Policy,
    Precondition,
    Readiness,
    Release,
    Rollout,
)
from bot.domain.rollout.step_builder import StepBuilder, Stepped
from bot.domain.rollout.steps import meaning

__all__ = ["Stepped", "allowed_actions", "begin", "step", "timers"]

# ---- the table ---------------------------------------------------------------------------------------------

P = Phase
Handler = Callable[[StepBuilder, Any], None]


@dataclass(frozen=True, slots=True)
class TransitionRule:
    """`event`, heard in `phases`, is handled by `handler`; the phase stays, or becomes one of `to`."""

    event: str
    phases: frozenset[Phase]
    handler: Handler
    to: frozenset[Phase]


def _on(event: str, phases: set[Phase], handler: Handler, to: set[Phase]) -> TransitionRule:
    return TransitionRule(event, frozenset(phases), handler, frozenset(to))


_AHEAD = {P.VERIFYING, P.GATED, P.SHIFTING, P.SOAKING, P.OBSERVING}  # where the next step may lead
WATCHED = {P.SOAKING, P.OBSERVING}
ORDERED = {P.VERIFYING, P.SHIFTING}  # an answer to an order is awaited
GOING = _AHEAD | {P.HELD}
_ACTIVE = GOING | {P.ROLLING_BACK, P.HALTED}
_BACK = {P.ROLLING_BACK, P.HALTED}  # HALTED at once when there is no stable release to go back to
_OFF = _BACK | {P.FAILED}  # FAILED when there was no traffic yet
_STOP = _BACK | {P.CANCELLED}  # the same, ordered by a person

RULES = (
    #   event            heard in                       handler                 leads to
    _on("applied", ORDERED, progress.applied, _AHEAD | _OFF | {P.SUCCEEDED}),
    _on("applied", {P.ROLLING_BACK}, rollback.returned, {P.ROLLED_BACK}),
    _on("applied", {P.HALTED}, rollback.returned_late, set()),
    _on("apply_failed", ORDERED, progress.not_applied, _OFF),
    _on("apply_failed", {P.ROLLING_BACK}, rollback.not_returned, {P.HALTED}),
    _on("seal_broken", ORDERED, rollback.seal_broken, _OFF),
    _on("reported", ORDERED, progress.reported, _AHEAD | _OFF),
    _on("measured", {P.VERIFYING, P.GATED, P.SHIFTING}, verdicts.measured, _OFF),
    _on("measured", WATCHED, verdicts.measured, _AHEAD | _OFF | {P.HELD}),
    _on("measured", {P.HELD}, verdicts.measured, _AHEAD | _OFF),
    _on("crashed", _AHEAD - WATCHED, rollback.crashed, _OFF),
    _on("crashed", WATCHED, rollback.crashed, _OFF | {P.HELD}),
    _on("crashed", {P.HELD}, rollback.crashed, _OFF),
    _on("host_aborted", _ACTIVE, rollback.aborted, _STOP),
    _on("delayed", ORDERED | {P.ROLLING_BACK}, progress.delayed, set()),
    _on("changes_read", _ACTIVE, progress.changes_read, set()),
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

# What may still arrive when nothing waits for it any more: outcomes of what was under way. It changes nothing.
LATE: Mapping[str, frozenset[Phase]] = {
    "applied": FINAL,
    "apply_failed": FINAL | {P.HALTED},
    "seal_broken": frozenset(Phase) - ORDERED,
    "delayed": frozenset(Phase) - ORDERED - {P.ROLLING_BACK},
    "reported": FINAL | _BACK,
    "measured": FINAL | _BACK,
    "crashed": FINAL | _BACK,
    "host_aborted": FINAL,
    "changes_read": FINAL,
    "gate_due": frozenset(Phase),
    "hold_due": frozenset(Phase),
    "progress_due": frozenset(Phase),  # a timer of earlier versions
}

# Votes and extensions are about one step. Pause, Resume, Roll back, Cancel and Close mean the rollout, at any step:
# an emergency press must not fail because the rollout moved on just before it.
_ABOUT_A_STEP = frozenset({Action.APPROVE, Action.REJECT, Action.REVOKE, Action.EXTEND, Action.PROMOTE})

# ---- begin and step ----------------------------------------------------------------------------------------


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
    binding: LaneBinding | None = None,
    gated: bool | None = None,
    shout: str = "",
    undone: Release | None = None,
    preconditions: tuple[Precondition, ...] = (),
    changes: Changes | None = None,
) -> Stepped:
    """A new rollout at its first step, with version 0. `generation` is the lane's newest so far.

    `known_good`: a return to a release that completed its observation here; use `plans.straight()` as plan.
    `gated`: whether the environment counts as production; by default, whether `plan` has a gate.
    `shout`: a sentence posted to the whole team when it begins (an emergency). `undone`: the irreversible release that
    a person confirmed to go back past. Raises `UserError` for an unsound plan.
    """
    problems = plans.check(plan, exclusive=policy.exclusive)
    if problems:
        raise phrasebook.unsound_plan(plan.name, [p.sentence for p in problems], problems[0].hint)
    seal = approvals.seal_of(
        rollout_id=id,
        guild_id=guild_id,
        lane=lane,
        stable=stable,
        candidate=candidate,
        plan=plan,
        policy=policy,
        binding=binding,
        requester=requester,
        extra_approvals=approvals.unknown_person(requester),
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
        undone=phrasebook.irreversible(undone.version, undone.irreversible) if undone else "",
        readiness=readiness,
        extra_approvals=approvals.unknown_person(requester),
        gated=plans.gated(plan) if gated is None else gated,
        binding=binding,
        preconditions=preconditions,
        changes=changes,
    )
    builder = StepBuilder(rollout, requester, at)
    was = f", replacing {stable.version}" if stable else ""
    although, details = rollback.confirmed(undone)
    said = f"{requester.name} started deploying {candidate.version} to {lane.environment}{was}{although}."
    builder.tell("began", said, reason=reason, **details)
    if known_good and stable is not None:
        rollback.quarantine(builder, stable, reason)
    if shout:
        builder.tell("emergency", shout)
        builder.order(Notify("emergency", policy.notify_roles, text=shout))
    if changes is not None and changes.reading:
        builder.order(ReadChanges(lane, changes))
    progress.enter(builder, 0)
    return builder.done()


def step(rollout: Rollout, event: Event) -> Stepped:
    """The rollout after `event`, what to do to the outside world, and the lines of the audit log.

    Raises `Refused` for an action that the person may not take, or not now, `IllegalTransition` for an event that
    cannot have happened.
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


# ---- helpers -----------------------------------------------------------------------------------------------


def name_of(event: Event) -> str:
    """The event's name in the table."""
    if isinstance(event, Acted):
        return str(event.action)
    return f"{event.name}_due" if isinstance(event, TimerDue) else event.kind


def _actor(event: Event) -> Actor:
    if isinstance(event, Acted):
        return event.actor
    return Actor(0, event.by, via="cli") if isinstance(event, HostAborted) else SYSTEM


def _answers_older(rollout: Rollout, event: Event) -> bool:
    match event:
        case Applied() | ApplyFailed() | SealBroken():
            if event.generation > rollout.generation:
                raise IllegalTransition(f"rollout {rollout.id}: never ordered generation {event.generation}")
            return event.generation < rollout.generation or event.generation == rollout.confirmed
        case Delayed():
            return event.generation != rollout.generation or event.generation == rollout.confirmed
        case Reported():
            return event.step < rollout.step or rollout.step_done
        case TimerDue(name=name) if f"{name}_due" in LATE:
            due = timers(rollout).get(name)
            return event.step != rollout.step or due is None or event.at < due
    return False


def _check_person(rollout: Rollout, acted: Acted, rule: TransitionRule | None) -> None:
    if rollout.phase.final:
        ended = str(rollout.phase).replace("_", " ")
        raise phrasebook.ended(ended, rollout.outcome)
    if acted.action in _ABOUT_A_STEP and acted.step is not None and acted.step != rollout.step:
        raise phrasebook.older_step(acted.step + 1, rollout.step + 1, rollout.outcome)
    if rule is None:
        what = approvals.WORDS[acted.action]
        raise phrasebook.not_now(what, rollout.outcome or meaning(rollout))
    if acted.seal and acted.seal != rollout.seal:
        # Most likely a card of another rollout, which had this number before the database lost it.
        raise phrasebook.changed_since_posted()
    refused = approvals.may(rollout, acted.action, acted.actor)
    # A panic stop is for everything at once: who may order it was checked against the server's own roles.
    if refused is not None and not (acted.panic and acted.action in (Action.PAUSE, Action.RESUME)):
        raise refused
    at_risk = rollout.candidate.irreversible if rollout.had_traffic else ""
    goes_back = acted.action in (Action.ROLL_BACK, Action.REJECT) and rollout.phase is not Phase.ROLLING_BACK
    if at_risk and goes_back and not acted.confirmed:
        stable = rollout.stable.version if rollout.stable else ""
        raise phrasebook.confirm_irreversible(rollout.candidate.version, at_risk, stable)
    held = rollout.pause
    if acted.action is Action.RESUME and held is not None and held.panic and not acted.panic:
        raise phrasebook.paused_by_panic_stop(held.by, held.reason)


def timers(rollout: Rollout) -> Mapping[str, datetime]:
    """When the rollout's timers are due, by name: `gate`, `hold`. Derived from the rollout each time.

    Orders have no timer: their time is measured where they are executed.
    """
    due: dict[str, datetime | None] = {}
    if rollout.hold is not None:
        due = {"hold": rollout.hold.deadline}
    elif rollout.phase is Phase.GATED and rollout.pause is None:
        due = {"gate": rollout.deadline}
    return {name: at for name, at in due.items() if at is not None}


def allowed_actions(rollout: Rollout, now: datetime) -> tuple[Action, ...]:
    """The actions that this state allows, most wanted first. Who may take them is decided at the press."""
    phase = rollout.phase
    if phase is Phase.HALTED:
        return (Action.ROLL_BACK, Action.CLOSE)
    if phase not in GOING:
        return ()
    found: list[Action] = []
    ends = approvals.expiry(rollout, now)
    if phase is Phase.GATED and not rollout.step_done and (ends is None or now < ends):
        revoke = [Action.REVOKE] if rollout.approvals else []
        found = [Action.APPROVE, Action.REJECT, *revoke, Action.EXTEND]
    elif phase in WATCHED | {Phase.HELD}:
        extend = [] if rollout.hold is not None and rollout.hold.for_people else [Action.EXTEND]
        found = extend if rollout.pause else [Action.PROMOTE, *extend]
    if rollout.pause is None:
        found.append(Action.PAUSE)
    elif not rollout.pause.panic:  # a panic stop ends for all rollouts at once
        found.append(Action.RESUME)
    found.append(Action.ROLL_BACK if rollout.had_traffic else Action.CANCEL)
    return tuple(found)
