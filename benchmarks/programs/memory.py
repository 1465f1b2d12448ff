"""Memory of the bot compared with a bare discord.py bot: idle with the demo's catalog, and with 1,000 rollouts.

Resident memory of the bot alone; PostgreSQL, the process host and the chart's process are separate programs and are
listed as such. The thousand rollouts wait at their gates; `rollouts` measures judged ones. As in production, the bot
finds no `rich`, which structlog imports where it is installed, and which only tools for development need.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.engine.scene import scene
from benchmarks.report import Row, show

MIB = 2**20
ROLLOUTS = 1000
_SETTLE_S = 6.0


def resident(process: psutil.Process) -> float:
    """Resident memory in MiB."""
    return float(process.memory_info().rss) / MIB


@contextmanager
def production() -> Iterator[Mapping[str, str]]:
    """Environment of a bot that finds no library which only the development has."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        Path(folder, "rich.py").write_text("raise ImportError('not in production')\n")
        yield {"PYTHONPATH": os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])}


async def idle() -> list[Row]:
    with production() as environment:
        async with scene(["checkout", "search", "herald"], environment) as here:
            await asyncio.sleep(_SETTLE_S)
            first, bare = resident(here.slipway), resident(here.bare)
            await here.restart()
            await asyncio.sleep(_SETTLE_S)
            ours = resident(here.slipway)
            return [
                Row("memory, idle", ours, "MiB", "bare bot", bare, ours / bare, "<= 2x", ours / bare <= 2),
                Row(
                    "  after a start that migrated the database", first, "MiB", "bare bot", bare, first / bare
                ),
            ]


async def loaded(services: Sequence[str]) -> list[Row]:
    with production() as environment:
        async with scene(services, environment) as here:
            await asyncio.sleep(_SETTLE_S)
            before = resident(here.slipway)
            waiting = await here.ask_for(services)
            await asyncio.sleep(_SETTLE_S)
            grown = resident(here.slipway) - before
            what = f"memory, with {len(waiting):,} more rollouts"
            return [Row(what, grown, "MiB", "before them", before, goal="<= 32 MiB", ok=grown <= 32)]


def run(quick: bool = False) -> list[Row]:
    services = [f"service-{number:04}" for number in range(200 if quick else ROLLOUTS)]
    return [*asyncio.run(idle()), *asyncio.run(loaded(services))]


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Memory")
