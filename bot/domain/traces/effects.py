"""Spans of effects: from the order until its outcome, with the number of attempts."""

from __future__ import annotations

from datetime import datetime

from bot.domain.records import Claimed
from bot.domain.rollout.events import ReadChanges, SetDesired, StepEffect
from bot.domain.traces.ids import span_id_of, trace_id_of
from bot.domain.traces.spans import Span, Value, attributes, cut


def trace_id_of_claim(claim: Claimed) -> str | None:
    """The trace id of the rollout that ordered the effect; None for an effect of no rollout."""
    if claim.rollout_id is None or claim.requested_at is None:
        return None
    return trace_id_of((claim.rollout_id, claim.requested_at))


def effect_span_id(trace_id: str, claim: Claimed) -> str:
    """The same for every attempt, in every process."""
    return span_id_of(trace_id, "effect", claim.key)


def effect_span(
    claim: Claimed, at: datetime, parent_id: str | None = None, error: str | None = None
) -> Span | None:
    """The span of an effect that ended at `at`; None for messages to people, and for effects of no rollout.

    parent_id: of the span that ordered it; by default the rollout's.
    """
    effect = claim.effect
    trace_id = trace_id_of_claim(claim) if isinstance(effect, SetDesired | ReadChanges | StepEffect) else None
    if trace_id is None:
        return None
    return Span(
        name=effect.kind,
        trace_id=trace_id,
        span_id=effect_span_id(trace_id, claim),
        parent_id=parent_id or span_id_of(trace_id, "rollout"),
        start=min(claim.created_at, at),
        end=at,
        attributes=_attributes(claim),
        error=None if error is None else cut(error),
        kind="client",
    )


def _attributes(claim: Claimed) -> dict[str, Value]:
    effect = claim.effect
    known: dict[str, Value | None] = {
        "cicd.pipeline.run.id": str(claim.rollout_id),
        "deployment.environment.name": claim.lane.environment,
        "slipway.service": claim.lane.service,
        "slipway.effect.kind": effect.kind,
        "slipway.effect.key": claim.key,
        "slipway.effect.attempts": claim.attempts + 1,
        "slipway.effect.watched_s": round(claim.watched_s, 3),
    }
    if isinstance(effect, SetDesired):
        desired = effect.desired
        known |= {
            "slipway.generation": desired.generation,
            "slipway.weight": desired.weight,
            "slipway.urgent": effect.urgent,
            "slipway.stable.version": desired.stable.version if desired.stable else None,
            "slipway.candidate.version": desired.candidate.version if desired.candidate else None,
        }
    return attributes(known)
