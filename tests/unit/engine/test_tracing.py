"""Traces in the engine: spans of what was saved and of nothing else, and no save that fails for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import structlog
from structlog.testing import capture_logs

from bot import logs
from bot.domain.records import AuditEntry, Claimed, GivenUp, RolloutChange
from bot.domain.rollout.events import DrawCard
from bot.domain.rollout.model import SYSTEM
from bot.domain.rollout.steps import StopRuns
from bot.domain.traces.ids import trace_id_of
from bot.domain.traces.spans import Span
from bot.engine.tracing import TracedEffects, TracedRollouts, traced
from tests.support.clocks import FrozenClock
from tests.support.rules.story import LANE, T0, Story


class Sink:
    def __init__(self, broken: bool = False) -> None:
        self.names: list[tuple[str, str | None]] = []
        self.broken = broken

    def take(self, spans: Sequence[Span]) -> None:
        if self.broken:
            raise RuntimeError("no room")
        self.names += [(span.name, span.error) for span in spans]


class Saves:
    """A store that saves, or does not."""

    def __init__(self, saved: bool = True) -> None:
        self.saved = saved

    async def save(self, change: RolloutChange) -> bool:
        return self.saved

    async def close(self, claims: Sequence[Claimed]) -> None: ...

    async def poison(self, claim: Claimed, given_up: GivenUp) -> None: ...


def verified() -> RolloutChange:
    story = Story().to_gate()
    return RolloutChange(story.rollout, story.before, story.at, story.last.effects, story.last.transitions)


async def test_what_was_saved_makes_spans_and_what_was_not_makes_none() -> None:
    for saved, names in ((True, [("verify", None)]), (False, [])):
        sink = Sink()
        assert await TracedRollouts(cast(Any, Saves(saved)), sink).save(verified()) is saved
        assert sink.names == names


async def test_a_save_does_not_fail_for_its_spans() -> None:
    with capture_logs() as entries:
        assert await TracedRollouts(cast(Any, Saves()), Sink(broken=True)).save(verified())
    assert [entry["event"] for entry in entries] == ["spans_not_made"]


async def test_effects_without_an_answer_have_spans_and_messages_have_none() -> None:
    sink = Sink()
    effects = TracedEffects(cast(Any, Saves()), sink, FrozenClock(T0))
    stop = Claimed(1, "7.1.0.ab", 1, 0, 7, LANE, StopRuns(LANE), T0, requested_at=T0)
    drawn = Claimed(2, "7.1.1.ab", 1, 0, 7, LANE, DrawCard(), T0, requested_at=T0)
    await effects.close([stop, drawn])
    why = AuditEntry(LANE, SYSTEM, T0, "effect_given_up", "the host is gone")
    await effects.poison(stop, GivenUp("the host is gone", why))
    await effects.poison(drawn, GivenUp("Discord is gone", why))
    assert sink.names == [("stop_runs", None), ("stop_runs", "the host is gone")]


def test_lines_about_a_rollout_have_its_trace_server_and_number() -> None:
    rollout = Story().rollout
    with capture_logs(processors=[logs.add_context]) as entries:
        with traced(rollout):
            assert logs.trace_id() == trace_id_of(rollout.identity)
            structlog.get_logger().info("inside")
        structlog.get_logger().info("outside")
    inside, outside = entries
    assert (inside["guild_id"], inside["rollout"]) == (99, 7)
    assert "rollout" not in outside and logs.trace_id() is None
