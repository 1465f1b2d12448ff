"""Queue of spans that wait to be exported: bounded, in memory, sent in batches beside everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from bot.domain.traces.spans import Span

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Sizes in spans, times in seconds. A batch that is refused or unanswered is sent again for `patience_s`."""

    most: int = 2048
    batch: int = 256
    gather_s: float = 1.0
    first_retry_s: float = 1.0
    last_retry_s: float = 30.0
    patience_s: float = 600.0
    flush_s: float = 2.0


class SpanQueue:
    """Implements `bot.ports.traces.SpanSink`.

    send: exports a batch and returns why it could not, "" if it did. counted: told how many spans were
    `sent`, or given up as `dropped` (no room) or `failed` (not taken in time).
    """

    def __init__(
        self,
        send: Callable[[Sequence[Span]], Awaitable[str]],
        counted: Callable[[str, int], None],
        limits: QueueLimits | None = None,
    ) -> None:
        self._send = send
        self._counted = counted
        self._limits = limits or QueueLimits()
        self._waiting: deque[Span] = deque()
        self._filled = asyncio.Event()
        self._full = False
        self._failing_since: float | None = None
        self._pause = self._limits.first_retry_s
        self._sending: asyncio.Task[bool] | None = None

    def take(self, spans: Sequence[Span]) -> None:
        """Queue spans; those without room are dropped."""
        room = self._limits.most - len(self._waiting)
        self._waiting.extend(spans[:room])
        if self._waiting:
            self._filled.set()
        if len(spans) <= room:
            return
        self._counted("dropped", len(spans) - room)
        if not self._full:
            log.warning("spans_dropped", waiting=len(self._waiting))
        self._full = True

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(self._limits.gather_s)
            while self._waiting:
                if not await self._sent():
                    await asyncio.sleep(self._pause)
                    self._pause = min(self._pause * 2, self._limits.last_retry_s)

    async def flush(self) -> None:
        """Send what is left, for a short time: a process that ends does not wait for a collector."""
        try:
            async with asyncio.timeout(self._limits.flush_s):
                while self._waiting and await self._sent():
                    pass
        except TimeoutError:
            pass
        if self._sending is not None:
            self._sending.cancel()
        if self._waiting:
            self._counted("failed", len(self._waiting))
            log.warning("spans_not_flushed", spans=len(self._waiting))
            self._waiting.clear()

    async def _sent(self) -> bool:
        """Send one batch; False when it is to be sent again. One under way outlives a cancel, or it would go twice."""
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_batch())
        return await asyncio.shield(self._sending)

    async def _send_batch(self) -> bool:
        batch = [self._waiting[place] for place in range(min(self._limits.batch, len(self._waiting)))]
        try:
            why = await self._send(batch)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        if not why:
            self._done(batch, "sent")
            if self._failing_since is not None:
                log.info("traces_resumed")
            self._failing_since = None
            return True
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = now
            log.warning("traces_away", why=why)
        elif now - self._failing_since > self._limits.patience_s:
            # The next batch has as long: spans of one rollout that no collector takes must not hold up all others.
            self._failing_since = now
            self._done(batch, "failed")
        return False

    def _done(self, batch: Sequence[Span], outcome: str) -> None:
        for _ in batch:
            self._waiting.popleft()
        self._counted(outcome, len(batch))
        self._full = False
        self._pause = self._limits.first_retry_s
        if not self._waiting:
            self._filled.clear()
