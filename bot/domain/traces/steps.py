"""Spans of steps: of those that the rollout passed, and of the present one if it goes forward no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from bot.domain.rollout import steps
from bot.domain.rollout.machine.machine import GOING
from bot.domain.rollout.model import Approval, Phase, Rollout, Step
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.wording import wording_for
from bot.domain.traces.ended import EndedByChange, judged
from bot.domain.traces.spans import Span, SpanEvent, Value, attributes

# The conventions know `build`, `test` and `deploy`; a gate is none of them.
_TASKS: Mapping[str, str] = {
    "verify": "test",
    "soak": "test",
    "observe": "test",
    "shift": "deploy",
    "sync_commands": "deploy",
    "take_over": "deploy",
}


def step_spans(ended: EndedByChange) -> Iterator[Span]:
    """Spans of the steps that this change ended. Steps that end at once have no duration."""
    before, after = ended.before, ended.after
    if before is not None and before.phase not in GOING:
        return
    first = before.step if before is not None else 0
    since = (before.step_since if before is not None else None) or after.created_at
    entered = after.step_since or ended.change.at
    for number in range(first, after.step):
        yield _span(ended, number, since if number == first else entered, entered, passed=True)
    if after.phase not in GOING:
        start = since if after.step == first else entered
        yield _span(ended, after.step, start, ended.change.at, passed=after.phase is Phase.SUCCEEDED)


def _span(ended: EndedByChange, number: int, start: datetime, end: datetime, *, passed: bool) -> Span:
    rollout = ended.after
    step = rollout.plan.steps[number] if number < len(rollout.plan.steps) else None
    name, kind = _name(rollout, step), step.kind if step is not None else "take_over"
    result = "success" if passed else ended.result
    if passed and isinstance(step, Gate) and rollout.known_good:
        result = "skip"
    error_type, error = (None, None) if passed else ended.failure(result)
    votes, promoted = _votes(ended, number, step), _promoted(ended, number)
    known: dict[str, Value | None] = {
        "cicd.pipeline.task.name": name,
        "cicd.pipeline.task.run.id": f"{rollout.id}.{number}",
        "cicd.pipeline.task.run.result": result,
        "cicd.pipeline.task.type": _TASKS.get(kind),
        "error.type": error_type,
        "slipway.step": number,
        "slipway.step.kind": kind,
        "slipway.weight": step.shifts_to if step is not None else None,
        "slipway.gate.role": step.role if isinstance(step, Gate) else None,
        "slipway.gate.quorum": step.quorum if isinstance(step, Gate) else None,
        "slipway.promoted_without_pass": promoted or None,
        "slipway.decided_by": _deciders(ended, votes, promoted=promoted, passed=passed),
    }
    events = (*(_vote(each) for each in votes), *_verdict(ended, step, end, passed=passed))
    return ended.span(name, ended.step_id(number), start, known, end=end, events=events, error=error)


def _name(rollout: Rollout, step: Step | None) -> str:
    """Kind and figures, as the card has them."""
    if step is None:
        return "take over"
    if isinstance(step, Gate):
        return f"gate {step.name}"
    mark = steps.kind_of(step).mark(step, wording_for(rollout.policy.words))
    return mark if mark.startswith(step.kind) else f"{step.kind} {mark}"


def _votes(ended: EndedByChange, number: int, step: Step | None) -> tuple[Approval, ...]:
    """The approvals of a gate that was passed, else those that were given at this step by then."""
    granted = next((g.approvals for g in ended.after.grants if g.step == number), ())
    if granted and isinstance(step, Gate):
        return granted
    before = ended.before
    return before.approvals if before is not None and before.step == number else ()


def _promoted(ended: EndedByChange, number: int) -> bool:
    """Whether people went on from this step without PASS."""
    return any(t.what == "promoted" and t.details.get("step") == number for t in ended.change.transitions)


def _deciders(
    ended: EndedByChange, votes: tuple[Approval, ...], *, promoted: bool, passed: bool
) -> tuple[str, ...] | None:
    """Who decided, where people do: the votes that counted, and the person who ended it with this change."""
    decided = [vote.actor_name for vote in votes] if passed else []
    if promoted:
        decided += [t.actor.name for t in ended.change.transitions if t.what == "promote_vote"]
    if not passed and ended.turn is not None:
        decided.append(ended.turn.actor.name)
    return tuple(dict.fromkeys(decided)) or None


def _vote(approval: Approval) -> SpanEvent:
    known = {"user.id": str(approval.actor_id), "user.name": approval.actor_name}
    return SpanEvent("approved", approval.at, attributes(known))


def _verdict(ended: EndedByChange, step: Step | None, at: datetime, *, passed: bool) -> Iterator[SpanEvent]:
    """The judge's last verdict, at a soak or where it turned the rollout back."""
    verdict, turn = ended.after.verdict, ended.turn
    soaked = step is not None and step.soak_s is not None
    failed = not passed and turn is not None and turn.what == "judged_fail"
    if verdict is not None and (soaked or failed):
        yield judged(verdict, at)
