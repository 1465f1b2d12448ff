"""Slash commands: cost of a diff, calls of an apply without changes, and requests of the watch."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from discord_sandbox import Sandbox

from benchmarks.report import Row, show
from bot.domain.appcommands.applications import Application
from bot.domain.appcommands.diff import compare
from bot.domain.secret import Secret
from tests.support.appcommands import CommandsWorld
from tests.support.discord import discord_world
from tests.support.postgres import postgres_server

_COMMANDS, _OPTIONS = 100, 25


def manifest() -> list[dict[str, Any]]:
    """A manifest of the largest size that Discord accepts."""
    return [
        {
            "name": f"command-{c}",
            "description": f"Does number {c}",
            "options": [
                {"type": 3, "name": f"option-{c}-{o}", "description": f"Option {o} of {c}"}
                for o in range(_OPTIONS)
            ],
        }
        for c in range(_COMMANDS)
    ]


def diffs(times: int) -> tuple[float, float]:
    """(median of a diff with a change in every command, worst case of 100 renames), in milliseconds."""
    before, changed, renamed = manifest(), manifest(), manifest()
    for command in changed:
        command["options"][-1]["description"] = "Another one"
    for number, command in enumerate(renamed):
        command["name"] = f"other-{number}"
    return _timed(before, changed, times), _timed(before, renamed, times)


def _timed(before: list[dict[str, Any]], after: list[dict[str, Any]], times: int) -> float:
    took = []
    for _ in range(times):
        one, two = copy.deepcopy(before), copy.deepcopy(after)
        begun = perf_counter()
        assert compare(one, two)
        took.append((perf_counter() - begun) * 1000)
    return median(took)


async def against_the_sandbox(dsn: str, folder: Path, seconds: float) -> tuple[int, float]:
    """(calls of an apply that changes nothing, requests per second of watching 50 applications in two scopes each)."""
    async with Sandbox(discord_world(rate_limits=False)) as sandbox:
        world = CommandsWorld(sandbox, dsn, folder)
        async with world.open() as slipway:
            await slipway.to_staging()
            before = world.cursor
            await slipway.apply("staging")
            calls = len(world.calls(since=before))
        many = {
            f"app{n}": Application(
                f"app{n}",
                int(world.application_id) + n,
                Secret(world.token),
                staging=world.catalog.applications["greeter"].staging,
            )
            for n in range(50)
        }
        object.__setattr__(world.catalog, "applications", many)
        async with world.open(working=False) as slipway:
            before, begun = world.cursor, perf_counter()
            while perf_counter() - begun < seconds:
                await slipway.watch.once()
                await asyncio.sleep(1.0)
            asked = len(world.calls("GET", since=before)) / (perf_counter() - begun)
    return calls, asked


def run(quick: bool = False) -> list[Row]:
    changed, renamed = diffs(5 if quick else 20)
    with postgres_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        name = asyncio.run(server.fresh())
        calls, asked = asyncio.run(against_the_sandbox(server.dsn(name), Path(folder), 10 if quick else 40))
    size = f"{_COMMANDS} commands × {_OPTIONS} options"
    return [
        Row(f"diff, {size}, each changed", changed, "ms", "goal", 50.0, goal="< 50 ms", ok=changed < 50),
        Row(f"diff, {size}, each renamed", renamed, "ms", "goal", 50.0, goal="< 50 ms", ok=renamed < 50),
        Row("apply without changes", calls, "calls", "goal", 1, goal="1", ok=calls == 1),
        Row("watching 50 applications", asked, "requests/s", "goal", 1.0, goal="< 1", ok=asked < 1),
    ]


if __name__ == "__main__":
    show(run(), "Slash commands")
