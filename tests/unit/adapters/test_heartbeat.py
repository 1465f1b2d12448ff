"""The heartbeat: once a minute while all loops are alive, never in the way, and its address in no log line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from bot.adapters.heartbeat import Heartbeat

PATH = "/ping/0f8d-secret"


class Beaten:
    """A service that is asked. status: what it answers; alive: what the process is."""

    def __init__(self) -> None:
        self.status, self.alive = 200, True
        self.asked: list[str] = []
        self.counted: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        return web.Response(status=self.status)


@asynccontextmanager
async def beating(beaten: Beaten, url: str = "") -> AsyncIterator[Heartbeat]:
    app = web.Application()
    app.router.add_get(PATH, beaten.answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        address = url or str(server.make_url(PATH))
        yield Heartbeat(session, address, lambda: beaten.alive, beaten.counted.append)


async def test_it_asks_while_all_loops_are_alive_and_not_while_one_has_stalled() -> None:
    beaten = Beaten()
    async with beating(beaten) as heartbeat:
        await heartbeat.beat()
        beaten.alive = False
        await heartbeat.beat()
        assert beaten.asked == [f"GET {PATH}"]
        beaten.alive = True
        await heartbeat.beat()
    assert beaten.counted == ["sent", "withheld", "sent"]
    assert len(beaten.asked) == 2


@pytest.mark.virtual_time
async def test_it_beats_once_a_minute_from_the_start() -> None:
    beaten = Beaten()
    beaten.alive = False  # nothing outside is asked
    heartbeat = Heartbeat(cast(Any, None), "http://127.0.0.1", lambda: beaten.alive, beaten.counted.append)
    task = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(179.0)
    assert len(beaten.counted) == 3
    task.cancel()


@pytest.mark.parametrize("status", [404, 500])
async def test_what_is_refused_has_failed_and_is_said_once(status: int) -> None:
    beaten = Beaten()
    beaten.status = status
    with capture_logs() as said:
        async with beating(beaten) as heartbeat:
            await heartbeat.beat()
            await heartbeat.beat()
    assert beaten.counted == ["failed"] * 2
    assert [(each["event"], each["why"]) for each in said] == [("heartbeat_failed", f"it answered {status}")]


async def test_nothing_there_is_no_trouble_and_its_address_is_not_logged() -> None:
    beaten = Beaten()
    with capture_logs() as said:
        async with beating(beaten, "http://127.0.0.1:1/secret") as heartbeat:
            await heartbeat.beat()
    assert beaten.counted == ["failed"]
    assert said and "secret" not in str(said)
