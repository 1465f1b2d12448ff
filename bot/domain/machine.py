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

from collections.abc import Mapping
from datetime import datetime

from bot.domain import forward, gates, plans
from bot.domain.draft import Draft, Stepped
from bot.domain.errors import IllegalTransition, Refused, UserError
from bot.domain.events import (
    Acted,
    Applied,
    ApplyFailed,
    Event,
    HostAborted,
    Notify,
    Synced,
    TimerDue,
    Verified,
)
from bot.domain.model import (
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
from bot.domain.terms import terms
from bot.domain.transitions import GOING, LATE, ORDERED, TABLE, WATCHED, Rule

__all__ = ["Stepped", "actions", "begin", "step", "timers"]

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
    seal = gates.seal_of(
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
    draft = Draft(rollout, requester, at)
    was = f"from {stable.version} " if stable else ""
    draft.tell(
        "began", f"{requester.name} deploys {candidate.version} {was}to {lane.environment}.", reason=reason
    )
    if shout:
        draft.tell("emergency", shout)
        draft.order(Notify("emergency", policy.notify_roles, text=shout))
    forward.enter(draft, 0)
    return draft.done()


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
    draft = Draft(rollout, _actor(event), event.at)
    rule.handler(draft, event)
    if draft.rollout.phase is not rollout.phase and draft.rollout.phase not in rule.to:
        raise IllegalTransition(
            f"rollout {rollout.id}: {name} led from {rollout.phase} to {draft.rollout.phase}"
        )
    return draft.done()


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
        case Verified() | Synced():
            return event.step < rollout.step or rollout.step_done
        case TimerDue(name=name) if f"{name}_due" in LATE:
            due = timers(rollout).get(name)
            return event.step != rollout.step or due is None or event.at < due
    return False


def _check_person(rollout: Rollout, acted: Acted, rule: Rule | None) -> None:
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
            f"You cannot {gates.WORDS[acted.action]} now. {terms(rollout.policy.words).means[rollout.phase]}{since}",
            rule="not_now",
        )
    refused = gates.may(rollout, acted.action, acted.actor)
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
    """Which timers run, by name (`gate`, `hold`, `progress`), and when they are due. Derived, never stored twice."""
    if rollout.phase is Phase.HELD:
        ends = rollout.hold.deadline if rollout.hold else None
        return {"hold": ends} if ends else {}
    if rollout.deadline is None:
        return {}
    if rollout.phase is Phase.GATED:
        return {} if rollout.pause else {"gate": rollout.deadline}
    return {"progress": rollout.deadline} if rollout.phase in ORDERED | {Phase.ROLLING_BACK} else {}


def actions(rollout: Rollout, now: datetime) -> tuple[Action, ...]:
    """The buttons that this state allows, most wanted first. Who may press them is decided at the press."""
    phase = rollout.phase
    if phase is Phase.HALTED:
        return (Action.ROLL_BACK, Action.CLOSE)
    if phase not in GOING:
        return ()
    found: list[Action] = []
    ends = gates.expiry(rollout, now)
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
