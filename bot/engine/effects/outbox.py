"""Outbox worker: claim what is due, do it, and close it under the fence it was claimed with."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog

from bot.domain.errors import IllegalTransition, UserError
from bot.domain.records import AuditEntry, Claimed, GivenUp
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import SYSTEM
from bot.domain.traces.effects import effect_span_id, trace_id_of_claim
from bot.engine.effects.notifications import LaneAlerts
from bot.engine.tasks import own_cancellation_only
from bot.logs import concerning, new_trace_id, tracing
from bot.ports.coordination import Clock, Waker
from bot.ports.errors import Unreachable
from bot.ports.meter import Meter
from bot.ports.notifications import UnpostedError
from bot.ports.store import EffectStore

log = structlog.get_logger(__name__)

# Another try is of no use.
_FINAL = (IllegalTransition, UserError, UnpostedError)

Probe = Callable[[str, str], Awaitable[None]]


async def no_probe(when: str, what: str) -> None:
    """Probe that does nothing."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Sent, but not reached: to be polled again in `after_s`; `spent_s` of its time are used up by then."""

    after_s: float
    spent_s: float


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Limits of an outbox. Leases are short, so that another process soon takes over the effects of one that died."""

    lease_s: float = 2.5
    renew_s: float = 0.8
    at_once: int = 512
    batch: int = 50
    first_retry_s: float = 0.3
    last_retry_s: float = 15.0
    attempts: int = 8
    record_s: float = 60.0
    patience_s: float = 24 * 3600.0  # while the other side cannot be reached


class EffectHandler(Protocol):
    """Executes some kinds of effects."""

    async def execute(self, claim: Claimed) -> Any:
        """Execute the effect, or begin to: `NotYet` frees the slot for others meanwhile.

        Raises `Unreachable` to be retried for `patience_s`, anything else to be retried a few times.
        """
        ...

    async def record(self, claim: Claimed, outcome: Any, given_up: GivenUp | None = None) -> None:
        """Save the outcome and close the claim, done or given up, in one transaction. Raises `Unreachable`."""
        ...


@dataclass(slots=True)
class _Busy:
    """An effect that is being executed."""

    claim: Claimed
    task: asyncio.Task[None] | None = None
    recording: bool = False


class Outbox:
    """Works on some kinds of effects. Any number of outboxes, in any number of processes, do each effect once.

    give_up: the outcome of an effect after its last attempt; None if no rollout waits for it.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[str],
        handler: EffectHandler,
        *,
        effects: EffectStore,
        clock: Clock,
        waker: Waker,
        meter: Meter,
        probe: Probe = no_probe,
        limits: OutboxLimits | None = None,
        give_up: Callable[[Claimed, str], Any] | None = None,
        alerts: LaneAlerts | None = None,
    ) -> None:
        self.name = name
        self._kinds = kinds
        self._handler = handler
        self._effects = effects
        self._clock = clock
        self._waker = waker
        self._meter = meter
        self._probe = probe
        self._limits = limits or OutboxLimits()
        self._give_up = give_up
        self._alerts = alerts
        self._busy: dict[int, _Busy] = {}
        # How often in a row the other side was away, by effect. Only sets the pauses, so losing it does no harm.
        self._away: Counter[int] = Counter()

    async def once(self) -> bool:
        """Claim and start what is due; True when there may be more."""
        free = min(self._limits.at_once - len(self._busy), self._limits.batch)
        if free <= 0:
            return False
        claims = await self._effects.claim(self._kinds, free, self._limits.lease_s, list(self._busy))
        for claim in claims:
            busy = self._busy[claim.id] = _Busy(claim)
            busy.task = asyncio.create_task(self._run(busy), name=f"{self.name}:{claim.key}")
        return len(claims) == free

    async def renew(self) -> bool:
        """Extend the leases of what is being done; stop what was taken over or superseded."""
        if self._busy:
            held = list(self._busy.values())
            ours = await self._effects.renew([busy.claim for busy in held], self._limits.lease_s)
            for busy in held:
                # An effect that records its outcome is closed as soon as that is saved.
                if busy.claim.id not in ours and not busy.recording and busy.task is not None:
                    busy.task.cancel()
        await asyncio.sleep(self._limits.renew_s)
        return True

    async def stop(self) -> None:
        """Stop what is being done. Nothing is lost: its lease expires and another process does it again."""
        tasks = [busy.task for busy in self._busy.values() if busy.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, busy: _Busy) -> None:
        claim = busy.claim
        trace_id = trace_id_of_claim(claim)
        span_id = effect_span_id(trace_id, claim) if trace_id is not None else None
        guild_id = getattr(claim.effect, "guild_id", claim.guild_id)
        with (
            tracing(trace_id or new_trace_id()),
            concerning(guild_id=guild_id, rollout=claim.rollout_id, span_id=span_id),
        ):
            await self._do(busy)

    async def _do(self, busy: _Busy) -> None:
        claim = busy.claim
        began = time.perf_counter()
        result = "stopped"
        try:
            await self._probe("before", f"{claim.effect.kind}:{claim.key}")
            with own_cancellation_only():
                outcome = await self._handler.execute(claim)
            await self._probe("after", f"{claim.effect.kind}:{claim.key}")
            busy.recording = True
            if isinstance(outcome, NotYet):
                await self._effects.watch(claim, outcome.after_s, outcome.spent_s)
                result = "watched"
            else:
                await self._record(claim, outcome)
                result = "done"
        except Exception as error:
            result = await self._failed(claim, error)
        finally:
            del self._busy[claim.id]
            if result != "retried":
                self._away.pop(claim.id, None)
            self._meter.effect(claim.effect.kind, result, time.perf_counter() - began)
            await self._waker.wake(self.name)

    async def _record(self, claim: Claimed, outcome: Any) -> None:
        """Record the outcome; while the database is away, wait for it instead of doing the effect again."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._limits.record_s
        while True:
            try:
                await self._handler.record(claim, outcome)
                return
            except Unreachable:
                if loop.time() > ends:
                    raise
                await asyncio.sleep(self._limits.first_retry_s)

    async def _failed(self, claim: Claimed, error: Exception) -> str:
        away = isinstance(error, Unreachable)
        if not away:
            log.error("effect_failed", key=claim.key, kind=claim.effect.kind, exc_info=error)
        try:
            if self._hopeless(claim, away, error):
                await self._poison(claim, str(error) or type(error).__name__)
                return "poisoned"
            await self._effects.retry(claim, self._pause(claim, away), str(error), failed=not away)
        except Unreachable:
            # The lease expires, and the effect is tried again then.
            log.warning("effect_not_closed", key=claim.key)
        except Exception:
            log.exception("effect_not_closed", key=claim.key)
        return "retried"

    def _hopeless(self, claim: Claimed, away: bool, error: Exception) -> bool:
        if away:
            return self._clock.now() - claim.created_at > timedelta(seconds=self._limits.patience_s)
        return isinstance(error, _FINAL) or claim.attempts + 1 >= self._limits.attempts

    async def _poison(self, claim: Claimed, why: str) -> None:
        entry = AuditEntry(
            claim.lane,
            SYSTEM,
            self._clock.now(),
            "effect_given_up",
            f"{claim.effect.kind} failed after {claim.attempts + 1} attempts: {why}",
            rollout_id=claim.rollout_id,
            details={"key": claim.key, "kind": claim.effect.kind},
        )
        given_up = GivenUp(why, entry, self._calls(claim, entry))
        if self._give_up is not None:
            try:
                await self._handler.record(claim, self._give_up(claim, why), given_up)
                return
            except (IllegalTransition, UserError):
                log.exception("effect_give_up_failed", key=claim.key)
        await self._effects.poison(claim, given_up)

    def _calls(self, claim: Claimed, entry: AuditEntry) -> Sequence[CallPeople]:
        """One alert for each rollout and kind: a log that cannot be written does not alert for every line."""
        if self._alerts is None or isinstance(claim.effect, CallPeople):
            return ()
        of = f" of rollout #{claim.rollout_id}" if claim.rollout_id is not None else ""
        kind = claim.effect.kind.replace("_", " ")
        once = f"poisoned/{claim.rollout_id or claim.key}/{claim.requested_at}/{kind}"
        return self._alerts.about(claim.lane, f"Slipway gave up a {kind}{of}", entry.why, once)

    def _pause(self, claim: Claimed, away: bool) -> float:
        before = self._away[claim.id] if away else claim.attempts
        if away:
            self._away[claim.id] += 1
        grown = self._limits.first_retry_s * 2.0 ** min(before, 10)
        return min(grown, self._limits.last_retry_s) * random.uniform(0.5, 1.0)
