"""The queue of spans: bounded, in batches, patient with a collector that is away, and never in the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from bot.adapters.opentelemetry.queue import QueueLimits, SpanQueue
from bot.domain.traces.spans import Span

pytestmark = pytest.mark.virtual_time
NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)


class Sender:
    """What a collector does with batches: takes them, says why not, or hangs."""

    def __init__(self) -> None:
        self.why = ""
        self.hangs = False
        self.tried: list[int] = []
        self.got: list[str] = []

    async def send(self, spans: Sequence[Span]) -> str:
        self.tried.append(len(spans))
        while self.hangs:
            await asyncio.sleep(1)
        if not self.why:
            self.got += [span.name for span in spans]
        return self.why


@asynccontextmanager
async def running(
    sender: Sender, limits: QueueLimits | None = None
) -> AsyncIterator[tuple[SpanQueue, Counter[str]]]:
    counted: Counter[str] = Counter()
    queue = SpanQueue(sender.send, lambda outcome, count: counted.update({outcome: count}), limits)
    task = asyncio.create_task(queue.run())
    try:
        yield queue, counted
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def spans(count: int, first: int = 0) -> list[Span]:
    return [Span(str(n), "a" * 32, f"{n:016x}", None, NOW, NOW) for n in range(first, first + count)]


async def test_spans_are_sent_in_order_and_in_batches() -> None:
    sender = Sender()
    async with running(sender, QueueLimits(batch=100)) as (queue, counted):
        queue.take(spans(150))
        queue.take(spans(100, 150))
        await asyncio.sleep(2)
        assert sender.tried == [100, 100, 50]
        assert sender.got == [str(n) for n in range(250)]
        queue.take(spans(1, 250))
        await asyncio.sleep(2)
    assert counted == {"sent": 251}


async def test_a_full_queue_drops_what_is_new_counts_it_and_says_so_once() -> None:
    sender = Sender()
    sender.why = "503"
    async with running(sender, QueueLimits(most=10, batch=10)) as (queue, counted):
        with capture_logs() as logs:
            queue.take(spans(8))
            for _ in range(3):
                queue.take(spans(8, 8))
            await asyncio.sleep(5)
            assert counted == {"dropped": 22}
            sender.why = ""
            await asyncio.sleep(60)
            assert sender.got == [str(n) for n in range(10)]
    assert [line["event"] for line in logs] == ["spans_dropped", "traces_away", "traces_resumed"]
    assert counted == {"dropped": 22, "sent": 10}


async def test_a_collector_that_is_away_is_asked_less_and_less_often_and_gets_everything_later() -> None:
    sender = Sender()
    sender.why = "ConnectionRefusedError"
    async with running(sender) as (queue, counted):
        queue.take(spans(3))
        await asyncio.sleep(300)
        assert 10 < len(sender.tried) < 20
        assert counted == {}
        sender.why = ""
        await asyncio.sleep(40)
    assert sender.got == ["0", "1", "2"]
    assert counted == {"sent": 3}


async def test_spans_that_are_not_taken_in_ten_minutes_are_given_up_and_do_not_hold_up_others() -> None:
    sender = Sender()
    sender.why = "400 Bad Request"
    async with running(sender, QueueLimits(batch=2)) as (queue, counted):
        queue.take(spans(3))
        await asyncio.sleep(660)
        assert counted == {"failed": 2}
        sender.why = ""
        await asyncio.sleep(40)
    assert sender.got == ["2"]
    assert counted == {"failed": 2, "sent": 1}


async def test_a_process_that_ends_sends_what_is_left_and_a_batch_under_way_once() -> None:
    sender = Sender()
    async with running(sender) as (queue, counted):
        sender.hangs = True
        queue.take(spans(2))
        await asyncio.sleep(5)
        queue.take(spans(1, 2))
    sender.hangs = False
    await queue.flush()
    assert (sender.tried, sender.got) == ([2, 1], ["0", "1", "2"])
    assert counted == {"sent": 3}


async def test_a_process_that_ends_does_not_wait_for_a_collector_that_hangs_or_refuses() -> None:
    for prepare in ("hangs", "why"):
        sender = Sender()
        setattr(sender, prepare, True if prepare == "hangs" else "503")
        async with running(sender) as (queue, counted):
            queue.take(spans(2))
            began = asyncio.get_running_loop().time()
            await queue.flush()
            assert asyncio.get_running_loop().time() - began <= 2.0
            assert counted == {"failed": 2}
            queue.take([])
            await queue.flush()
        assert counted == {"failed": 2}
