"""Spans of what a rollout waits for beside its steps: a pause, a decision on hold, the way back, a halt."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.rollout.model import Phase, Rollout
from bot.domain.traces.ended import BACK, EndedByChange, judged
from bot.domain.traces.ids import moment
from bot.domain.traces.spans import Span, Value


def wait_spans(ended: EndedByChange) -> Iterator[Span]:
    """Spans of the waits that this change ended."""
    if ended.before is not None:
        yield from _pause(ended, ended.before)
        yield from _hold(ended, ended.before)
        yield from _back(ended, ended.before)


def _pause(ended: EndedByChange, before: Rollout) -> Iterator[Span]:
    was = before.pause
    if was is None or ended.after.pause is not None:
        return
    known: dict[str, Value | None] = {
        "slipway.paused_by": was.by,
        "slipway.reason": was.reason,
        "slipway.panic_stop": was.panic,
        "slipway.decided_by": _deciders(ended),
    }
    of = ended.id_of("pause", moment(was.since))
    yield ended.span("paused", of, was.since, known, parent_id=ended.step_id(before.step))


def _hold(ended: EndedByChange, before: Rollout) -> Iterator[Span]:
    """With the verdict that led to it, and what was decided by whom."""
    was, now = before.hold, ended.after.hold
    if was is None or (now is not None and now.since == was.since):
        return
    error_type, error = ended.failure(ended.result)
    known: dict[str, Value | None] = {
        "slipway.reason": was.why,
        "slipway.decision": _decision(ended),
        "slipway.decided_by": _deciders(ended),
        "error.type": error_type,
    }
    yield ended.span(
        "on hold",
        ended.id_of("hold", moment(was.since)),
        was.since,
        known,
        parent_id=ended.step_id(before.step),
        events=() if before.verdict is None else (judged(before.verdict, was.since),),
        error=error,
    )


def _back(ended: EndedByChange, before: Rollout) -> Iterator[Span]:
    """The way back, or the time for which the rollout was halted until a person decided."""
    after, claim = ended.after, ended.change.claim
    if before.phase not in BACK or after.phase is before.phase:
        return
    # A rollout that an earlier version turned back does not have the time.
    since = before.back_since or (claim.created_at if claim is not None else ended.change.at)
    if before.phase is Phase.HALTED:
        halted: dict[str, Value | None] = {
            "slipway.decision": _decision(ended),
            "slipway.decided_by": _deciders(ended),
        }
        yield ended.span("halted", ended.back_id(before), since, halted)
        return
    failed = after.phase is not Phase.ROLLED_BACK
    known: dict[str, Value | None] = {
        "error.type": str(after.phase) if failed else None,
        "slipway.stable.version": before.stable.version if before.stable is not None else None,
    }
    error = after.outcome if failed else None
    yield ended.span("roll back", ended.back_id(before), since, known, error=error)


def _decision(ended: EndedByChange) -> str | None:
    """What ended the wait, as the audit log names it."""
    if ended.turn is not None:
        return ended.turn.what
    done = [each.what for each in ended.change.transitions]
    return "promoted" if "promoted" in done else next(iter(done), None)


def _deciders(ended: EndedByChange) -> tuple[str, ...]:
    """Each person, or Slipway, once."""
    return tuple(dict.fromkeys(each.actor.name for each in ended.change.transitions))
