"""What a saved change ended: the turn that it took, the ids of its spans, and how they say that something failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bot.domain.judge.judge import Verdict
from bot.domain.records import RolloutChange
from bot.domain.rollout.events import Transition
from bot.domain.rollout.machine.machine import GOING
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.traces.ids import moment, span_id_of, trace_id_of
from bot.domain.traces.spans import Span, SpanEvent, Value, attributes, cut

BACK = (Phase.ROLLING_BACK, Phase.HALTED)
# What a deadline did, and what did not work: the rest of what Slipway ends by itself is the candidate's failure.
_TIMEOUTS = frozenset({"gate_expired", "hold_expired"})
_ERRORS = frozenset({"apply_failed", "seal_broken", "halted"})
_FAILED = frozenset({"failure", "error", "timeout"})
_REASONS = 8


@dataclass(frozen=True)
class EndedByChange:
    """A change, for those who make spans of it."""

    change: RolloutChange

    @property
    def before(self) -> Rollout | None:
        return self.change.before

    @property
    def after(self) -> Rollout:
        return self.change.rollout

    @cached_property
    def trace_id(self) -> str:
        return trace_id_of(self.after.identity)

    @cached_property
    def turn(self) -> Transition | None:
        """The transition with which the rollout stopped going forward, or moved on from there; None without one."""
        return next((each for each in self.change.transitions if _turns(each)), None)

    @property
    def result(self) -> str:
        """How what this turn ended came out, as OpenTelemetry's conventions name it."""
        if self.turn is None or self.turn.to_phase == Phase.SUCCEEDED:
            return "success"
        if self.turn.what in _TIMEOUTS:
            return "timeout"
        if self.turn.actor.via != "system":
            return "cancellation"
        return "error" if self.turn.what in _ERRORS else "failure"

    def failure(self, result: str) -> tuple[str | None, str | None]:
        """The kind of a failure, from a bounded set, and why, as a sentence; both None for any other result."""
        if result not in _FAILED or self.turn is None:
            return None, None
        return self.turn.what, self.turn.why

    def id_of(self, *what: str) -> str:
        return span_id_of(self.trace_id, *what)

    def step_id(self, number: int) -> str:
        return self.id_of("step", str(number))

    def back_id(self, rollout: Rollout) -> str:
        """The span of the way back, or of the halt, in which the rollout is."""
        return self.id_of("back", str(rollout.phase), moment(rollout.back_since))

    def span(
        self,
        name: str,
        span_id: str,
        start: datetime,
        known: Mapping[str, Value | None],
        *,
        end: datetime | None = None,
        parent_id: str | None = None,
        events: tuple[SpanEvent, ...] = (),
        error: str | None = None,
    ) -> Span:
        """A span that ends with the change, as a part of the rollout, unless told otherwise."""
        ends = end or self.change.at
        return Span(
            name=cut(name),
            trace_id=self.trace_id,
            span_id=span_id,
            parent_id=parent_id or self.id_of("rollout"),
            start=min(start, ends),
            end=ends,
            attributes=attributes({"cicd.pipeline.run.id": str(self.after.id), **known}),
            events=events,
            error=None if error is None else cut(error),
        )


def judged(verdict: Verdict, at: datetime) -> SpanEvent:
    """The judge's verdict, with its enforced reasons."""
    reasons = [r.sentence for r in verdict.reasons if r.enforced and not r.warning]
    known: dict[str, Value | None] = {
        "slipway.verdict": str(verdict.outcome),
        "slipway.verdict.reasons": tuple(reasons[:_REASONS]),
    }
    return SpanEvent("verdict", at, attributes(known))


def _turns(transition: Transition) -> bool:
    to = transition.to_phase
    return to != transition.from_phase and to not in GOING
