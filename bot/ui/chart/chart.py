"""Chart of a rollout's card as PNG, rendered outside the event loop.

Made for Discord's dark theme on a phone: the image is 800 pixels wide and shown at 360, so the smallest letters still
have the height of small print.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress
from pathlib import Path

from bot.ui.chart import worker as svg_worker
from bot.ui.chart.data import ChartData, ChartSeries, Panel, pooled
from bot.ui.chart.drawing import HEIGHT, WIDTH
from bot.ui.chart.svg import svg

__all__ = [
    "HEIGHT",
    "WIDTH",
    "ChartData",
    "ChartError",
    "ChartSeries",
    "Charts",
    "Panel",
    "pooled",
    "render",
    "render_async",
]

# A longer queue is useless: the numbers would be old by the time they are drawn.
LONGEST_QUEUE = 16
PATIENCE_S = 5.0


class ChartError(Exception):
    """The image could not be rendered. The card keeps the one it has, or has none."""


def render(data: ChartData) -> bytes:
    """The chart as PNG, rendered here: about 25 ms in which no other Python code runs. Raises ChartError."""
    try:
        return svg_worker.png(svg(data))
    except ValueError as problem:
        raise ChartError(str(problem)) from problem


class Charts:
    """Renders charts one after another in its own process, which starts with the first and exits when idle."""

    def __init__(self, *, longest_queue: int = LONGEST_QUEUE, patience_s: float = PATIENCE_S) -> None:
        self._longest_queue = longest_queue
        self._patience_s = patience_s
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._worker: asyncio.subprocess.Process | None = None

    async def render(self, data: ChartData) -> bytes:
        """The chart as PNG, without blocking the event loop. Raises ChartError."""
        return await self.draw(svg(data))

    async def draw(self, document: str) -> bytes:
        """An SVG document as PNG, without blocking the event loop. Raises ChartError."""
        if self._waiting >= self._longest_queue:
            raise ChartError(f"{self._waiting} charts are already waiting")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._drawn(document.encode())
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Stop the process and wait for it."""
        worker, self._worker = self._worker, None
        if worker is None or worker.returncode is not None:
            return
        with suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()

    async def _drawn(self, request: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._patience_s):
                try:
                    answer = await self._asked(request)
                except (OSError, EOFError):
                    # It has exited (idle or killed): try again with a new one.
                    await self.close()
                    answer = await self._asked(request)
        except (TimeoutError, OSError, EOFError) as problem:
            await self.close()
            raise ChartError(
                f"the chart could not be drawn: {str(problem) or 'it took too long'}"
            ) from problem
        except asyncio.CancelledError:
            # The pipe holds half an exchange; the next request must not read the rest.
            await self.close()
            raise
        if answer[:1] != b"+":
            raise ChartError(answer[1:].decode())
        return answer[1:]

    async def _asked(self, request: bytes) -> bytes:
        worker = self._worker
        if worker is None or worker.returncode is not None:
            worker = self._worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(Path(svg_worker.__file__)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={},  # the bot's has secrets
            )
        if worker.stdin is None or worker.stdout is None:
            raise EOFError("no pipes")
        worker.stdin.write(struct.pack(">I", len(request)) + request)
        await worker.stdin.drain()
        length = struct.unpack(">I", await worker.stdout.readexactly(4))[0]
        return await worker.stdout.readexactly(length)


async def render_async(data: ChartData) -> bytes:
    """Render one chart in a process of its own. Keep a `Charts` for many. Raises ChartError."""
    charts = Charts()
    try:
        return await charts.render(data)
    finally:
        await charts.close()
