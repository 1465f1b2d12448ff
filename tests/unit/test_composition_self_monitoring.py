"""Vitals of a process, whatever of it is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.adapters.process_usage import ProcessUsage
from bot.composition.self_monitoring import ProcessVitals, StatementCounter
from bot.ports.errors import Unreachable
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH


class Database:
    """away: raised; hangs: never answers."""

    away = hangs = False

    async def ping(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise Unreachable("away")

    async def queue(self) -> tuple[int, float]:
        return 3, 12.5


def vitals(database: Database, redis: str = "ok", **more: Any) -> ProcessVitals:
    async def look() -> str:
        if redis == "hangs":
            await asyncio.Event().wait()
        return redis

    parts: dict[str, Any] = {
        "clock": FrozenClock(EPOCH),
        "gateway": lambda: True,
        "database": database,
        "statements": StatementCounter(lambda seconds, failed: None),
        "redis": look,
        "late": lambda: {"ticks": 20.0},
        "usage": ProcessUsage(100_000),
    }
    return ProcessVitals(**{**parts, **more})


async def test_everything_is_measured() -> None:
    statements = StatementCounter(lambda seconds, failed: None)
    for failed in (False, False, True):
        statements(0.1, failed)
    found = await vitals(Database(), statements=statements).read()
    assert (found.at, found.gateway, found.database, found.redis) == (EPOCH.timestamp(), True, True, True)
    assert (found.statements, found.failed) == (3, 1)
    assert (found.oldest_effect_s, found.late) == (12.5, {"ticks": 20.0})
    assert found.memory and found.cpu_s > 0


@pytest.mark.virtual_time
@pytest.mark.parametrize("how", ["away", "hangs"])
async def test_a_database_that_is_away_is_said_and_what_it_knows_is_not_known(how: str) -> None:
    database = Database()
    setattr(database, how, True)
    found = await vitals(database).read()
    assert (found.database, found.oldest_effect_s) == (False, None)


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("word", "up"),
    [("ok", True), ("memory: not configured", None), ("degraded: unavailable", False), ("hangs", False)],
)
async def test_redis_is_up_away_or_not_configured(word: str, up: bool | None) -> None:
    assert (await vitals(Database(), word).read()).redis is up
