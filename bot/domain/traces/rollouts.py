"""Spans of a rollout: what ended with a change that was saved.

A pure function of the change: start times are those of the rollout's own row, so nothing is kept between two changes,
and a change is saved by one process, so its spans are made once. The names are those of OpenTelemetry's conventions for
pipelines, where a rollout is a run and a step is a task; where there is none, they begin with `slipway.`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.records import RolloutChange
from bot.domain.rollout.events import ReadChanges, ReportedEffect, SetDesired
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.traces.effects import effect_span
from bot.domain.traces.ended import BACK, EndedByChange
from bot.domain.traces.spans import Span, Value, attributes, cut, person
from bot.domain.traces.steps import step_spans
from bot.domain.traces.waits import wait_spans

# The conventions have no word for a deployment that people called off.
_STATUS: Mapping[str, str | None] = {"success": "succeeded", "cancellation": None}


def spans_of(change: RolloutChange) -> tuple[Span, ...]:
    """The spans that ended with this change."""
    ended = EndedByChange(change)
    whole = (_whole(ended),) if change.rollout.phase.final else ()
    return (*_effect(ended), *wait_spans(ended), *step_spans(ended), *whole)


# ---- the effect that the change is the outcome of ----------------------------------------------------------


def _effect(ended: EndedByChange) -> Iterator[Span]:
    claim, before = ended.change.claim, ended.before
    if claim is None or before is None:
        return
    if isinstance(claim.effect, ReadChanges):
        parent = None
    elif isinstance(claim.effect, ReportedEffect):
        parent = ended.step_id(claim.effect.step)
    else:
        parent = ended.back_id(before) if before.phase in BACK else ended.step_id(before.step)
    span = effect_span(claim, ended.change.at, parent, _problem(ended))
    if span is not None:
        yield span


def _problem(ended: EndedByChange) -> str | None:
    """Why the effect failed; None if it did not."""
    claim, given_up = ended.change.claim, ended.change.given_up
    if given_up is not None:
        return given_up.error
    if claim is None or isinstance(claim.effect, ReadChanges):
        return None
    if isinstance(claim.effect, SetDesired):
        if ended.after.confirmed >= claim.effect.desired.generation:
            return None
        return next((each.why for each in ended.change.transitions), None)
    return ended.turn.why if ended.turn is not None else None


# ---- the rollout -------------------------------------------------------------------------------------------


def _whole(ended: EndedByChange) -> Span:
    """The rollout itself, the parent of all others."""
    rollout = ended.after
    result = _result(ended)
    failed = result not in ("success", "cancellation")
    known: dict[str, Value | None] = {
        **_convention(rollout, result),
        "error.type": _error_type(ended) if failed else None,
        "slipway.service": rollout.lane.service,
        "slipway.guild.id": str(rollout.guild_id),
        "slipway.phase": str(rollout.phase),
        "slipway.plan": rollout.plan.name,
        "slipway.candidate.version": rollout.candidate.version,
        "slipway.candidate.digest": rollout.candidate.digest,
        "slipway.stable.version": rollout.stable.version if rollout.stable is not None else None,
        "slipway.target": rollout.binding.target.name if rollout.binding is not None else None,
        "slipway.reason": rollout.reason,
        "slipway.outcome": rollout.outcome,
        "slipway.returns": rollout.known_good,
        **person(rollout.requester),
    }
    end = rollout.ended_at or ended.change.at
    return Span(
        name=cut(f"RUN {rollout.lane}"),
        trace_id=ended.trace_id,
        span_id=ended.id_of("rollout"),
        parent_id=None,
        start=min(rollout.created_at, end),
        end=end,
        attributes=attributes(known),
        error=cut(rollout.outcome) if failed else None,
        kind="server",
    )


def _convention(rollout: Rollout, result: str) -> dict[str, Value | None]:
    return {
        "cicd.pipeline.name": str(rollout.lane),
        "cicd.pipeline.run.id": str(rollout.id),
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": result,
        "deployment.id": str(rollout.id),
        "deployment.name": str(rollout.lane),
        "deployment.environment.name": rollout.lane.environment,
        "deployment.status": _STATUS.get(result, "failed"),
        "vcs.ref.head.revision": rollout.candidate.commit,
        "vcs.repository.url.full": rollout.candidate.repository,
    }


def _result(ended: EndedByChange) -> str:
    rollout = ended.after
    if rollout.phase is Phase.SUCCEEDED:
        return "success"
    if rollout.phase is Phase.CANCELLED:
        return "error" if rollout.left_as_it_was else ended.result
    return "failure"


def _error_type(ended: EndedByChange) -> str:
    """Of a bounded set: what ended it where that is known, else the phase that it ended in."""
    return (
        str(ended.after.phase)
        if ended.after.phase is Phase.ROLLED_BACK or ended.turn is None
        else ended.turn.what
    )
