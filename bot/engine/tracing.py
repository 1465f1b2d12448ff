"""Traces in the engine: log lines under a rollout's trace id, and stores that make spans of what they saved.

These stores stand around the real ones, so that nothing else knows of spans. Spans are made after the save, by the
process that saved, and never fail it. A process that is killed between the two loses these spans; no other makes them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import structlog

from bot.domain.records import Active, Answer, AuditEntry, Claimed, GivenUp, LaneRow, Loaded, RolloutChange
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Rollout
from bot.domain.traces.effects import effect_span
from bot.domain.traces.ids import trace_id_of
from bot.domain.traces.rollouts import spans_of
from bot.domain.traces.spans import Span
from bot.logs import concerning, tracing
from bot.ports.coordination import Clock
from bot.ports.store import EffectStore, RolloutStore
from bot.ports.traces import SpanSink

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def traced(rollout: Rollout) -> Iterator[None]:
    """Give all log lines inside the rollout's trace id, number and server."""
    with (
        tracing(trace_id_of(rollout.identity)),
        concerning(guild_id=rollout.guild_id, rollout=rollout.id),
    ):
        yield


class TracedRollouts:
    """Implements `bot.ports.store.RolloutStore`: spans of what ended with each change that was saved."""

    def __init__(self, rollouts: RolloutStore, sink: SpanSink) -> None:
        self._rollouts, self._sink = rollouts, sink

    async def next_id(self) -> int:
        return await self._rollouts.next_id()

    async def load(self, rollout_id: int, known: Loaded | None = None) -> Loaded | None:
        return await self._rollouts.load(rollout_id, known)

    async def answers(self, interactions: Sequence[str]) -> Mapping[str, Answer]:
        return await self._rollouts.answers(interactions)

    async def save(self, change: RolloutChange) -> bool:
        saved = await self._rollouts.save(change)
        if saved:
            _tell(self._sink, lambda: spans_of(change))
        return saved

    async def panic(
        self, guild_id: int, note: Mapping[str, object], calls: Sequence[CallPeople] = ()
    ) -> None:
        await self._rollouts.panic(guild_id, note, calls)

    async def active(self) -> Sequence[Active]:
        return await self._rollouts.active()


class TracedEffects:
    """Implements `bot.ports.store.EffectStore`: spans of effects that no rollout waited for."""

    def __init__(self, effects: EffectStore, sink: SpanSink, clock: Clock) -> None:
        self._effects, self._sink, self._clock = effects, sink, clock

    async def claim(
        self, kinds: Sequence[str], limit: int, lease_s: float, holding: Sequence[int]
    ) -> Sequence[Claimed]:
        return await self._effects.claim(kinds, limit, lease_s, holding)

    async def renew(self, claims: Sequence[Claimed], lease_s: float) -> set[int]:
        return await self._effects.renew(claims, lease_s)

    async def close(self, claims: Sequence[Claimed]) -> None:
        await self._effects.close(claims)
        at = self._clock.now()
        _tell(self._sink, lambda: _spans(claims, at))

    async def watch(self, claim: Claimed, after_s: float, spent_s: float) -> None:
        await self._effects.watch(claim, after_s, spent_s)

    async def retry(self, claim: Claimed, after_s: float, error: str, *, failed: bool) -> None:
        await self._effects.retry(claim, after_s, error, failed=failed)

    async def poison(self, claim: Claimed, given_up: GivenUp) -> None:
        await self._effects.poison(claim, given_up)
        at = self._clock.now()
        _tell(self._sink, lambda: _spans([claim], at, given_up.error))

    async def say(self, claim: Claimed, key: str, text: str) -> None:
        await self._effects.say(claim, key, text)

    async def order(self, row: LaneRow, key: str, timeout_s: float, entry: AuditEntry) -> None:
        await self._effects.order(row, key, timeout_s, entry)


def _spans(claims: Sequence[Claimed], at: datetime, error: str | None = None) -> list[Span]:
    made = [effect_span(claim, at, error=error) for claim in claims]
    return [span for span in made if span is not None]


def _tell(sink: SpanSink, make: Callable[[], Sequence[Span]]) -> None:
    """Pass spans on. Whatever is wrong with them, the change is saved and goes on."""
    try:
        spans = make()
        if spans:
            sink.take(spans)
    except Exception:
        log.exception("spans_not_made")
