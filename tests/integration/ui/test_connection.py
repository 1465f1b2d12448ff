"""The connection against the sandbox: it comes back from every kind of trouble, and stops where it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import discord
import pytest
from discord_sandbox import Sandbox

from bot.engine.watch.presence import KnownPresences, PresenceLoop
from bot.ports.errors import Unreachable
from bot.ui.gateway import supervisor
from bot.ui.gateway.client import GatewayConnection, SlipwayBot, point_at
from bot.ui.gateway.identify_budget import IdentifyBudget
from bot.ui.gateway.supervisor import TokenRefused, run_supervised
from bot.ui.interactions.responder import Responder
from cogs import COGS
from tests.fakes.books import FakeBooks, FakeLimiter
from tests.support import rollouts
from tests.support.clocks import FrozenClock
from tests.support.discord import discord_world
from tests.support.responder import Stand, healthy, standing
from tests.support.waiting import PATIENCE_S


async def answers(stand: Stand) -> None:
    """The proof that interactions arrive and are answered."""
    done = await stand.slash("dev", "status")
    assert "What runs where" in done["message"]["text"]


@asynccontextmanager
async def broken(stand: Stand, timeout_s: float = PATIENCE_S) -> AsyncIterator[None]:
    """What is done inside must make the connection break."""
    client = stand.line._client
    assert client is not None
    noticed = asyncio.Event()

    async def on_disconnect() -> None:
        noticed.set()

    client.add_listener(on_disconnect)
    yield
    async with asyncio.timeout(timeout_s):
        await noticed.wait()


async def back(stand: Stand) -> None:
    await stand.until(lambda: stand.line.connected)
    await answers(stand)


async def identified(stand: Stand) -> int:
    return 1000 - int((await stand.call("GET", "state"))["applications"][0]["identifies_left"])


async def test_a_dropped_connection_is_resumed_without_another_identify(stand: Stand) -> None:
    before = await identified(stand)
    async with broken(stand):
        await stand.fault("gateway_drop")
    await back(stand)
    assert await identified(stand) == before


async def test_an_asked_for_reconnect_is_followed(stand: Stand) -> None:
    async with broken(stand):
        await stand.fault("op7")
    await back(stand)


async def test_an_invalidated_session_identifies_again(stand: Stand) -> None:
    before = await identified(stand)
    async with broken(stand):
        await stand.fault("op9")
    await back(stand)
    assert await identified(stand) == before + 1


async def test_a_dead_resume_address_gets_a_new_client(stand: Stand) -> None:
    await stand.fault("dead_resume", seconds=120)
    async with broken(stand):
        await stand.fault("gateway_drop")
    await back(stand)


async def test_unanswered_heartbeats_end_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = discord_world(rate_limits=False, heartbeat_interval_ms=500)
    async with standing(tmp_path, world, offline_s=3.0) as stand:
        began = len((await stand.call("GET", "state"))["sessions"])
        assert began == 1
        async with broken(stand):
            await stand.fault("missed_acks", seconds=PATIENCE_S)
            # Only now: a machine that is late for a moment would break the connection before, and after.
            monkeypatch.setattr(supervisor, "UNACKED_S", 1.0)
        monkeypatch.undo()
        await stand.call("DELETE", "faults")  # it would break the next connection too
        await back(stand)


async def test_answered_heartbeats_leave_the_connection_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers on loopback are so quick that discord.py takes them for older than their heartbeats."""
    async with standing(tmp_path, discord_world(rate_limits=False, heartbeat_interval_ms=11_000)) as stand:
        client = stand.line._client
        assert client is not None
        dropped = False

        async def on_disconnect() -> None:
            nonlocal dropped
            dropped = True

        client.add_listener(on_disconnect)
        await stand.until(lambda: client.ws._keep_alive.latency < 3600)
        beat = client.ws._keep_alive
        beat._last_ack = beat._last_send - 0.01
        monkeypatch.setattr(supervisor, "UNACKED_S", 1.0)
        await asyncio.sleep(2.5)
        assert not dropped
        assert stand.line.latency_s is None or stand.line.latency_s < 10


@asynccontextmanager
async def connected(token: str) -> AsyncIterator[None]:
    """Another bot, as long as it is needed."""
    client = discord.Client(intents=discord.Intents(guilds=True))
    await client.login(token)
    running = asyncio.create_task(client.connect())
    try:
        await client.wait_until_ready()
        yield
    finally:
        await client.close()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_is_online_is_asked_of_discord_where_the_intent_is_requested(tmp_path: Path) -> None:
    async with standing(tmp_path, presences=True) as stand:
        sandbox, guilds = stand.sandbox, [1, int(stand.sandbox.guild_id())]
        greeter, me = int(sandbox.application_id("greeter")), int(sandbox.application_id("slipway"))

        async def shown() -> Mapping[int, str]:
            return await stand.line.presences(guilds, [greeter, me, 4])

        assert await shown() == {greeter: "offline", me: "online"}
        async with connected(sandbox.token("greeter")):
            assert await shown() == {greeter: "online", me: "online"}

        async def gone() -> bool:
            return (await shown())[greeter] == "offline"

        await stand.until(gone)
        # The checks of all processes go by notes.
        loop = PresenceLoop(
            lambda users: stand.line.presences(guilds, users), stand.books, lambda: [me, 4], stand.clock
        )
        await loop.once()
        known = KnownPresences(stand.books, stand.clock)
        assert [await known(me), await known(4)] == ["online", None]


async def test_who_is_online_is_not_known_without_the_intent_or_a_connection(stand: Stand) -> None:
    guilds = [int(stand.sandbox.guild_id())]
    with pytest.raises(Unreachable, match="SLIPWAY_DISCORD_PRESENCES=1"):
        await stand.line.presences(guilds, [4])
    with pytest.raises(Unreachable, match="not connected yet"):
        await GatewayConnection().presences(guilds, [4])


async def test_an_intent_that_is_off_in_the_portal_ends_in_one_sentence(tmp_path: Path) -> None:
    world = discord_world(rate_limits=False)
    applications = [replace(each, privileged=()) for each in world.applications]
    world = replace(world, applications=type(world.applications)(applications))
    async with standing(tmp_path, world, connect=False, presences=True) as stand, asyncio.timeout(PATIENCE_S):
        with pytest.raises(TokenRefused, match="Developer Portal"):
            await stand.supervisor


async def test_a_token_that_discord_refuses_ends_in_one_sentence(tmp_path: Path) -> None:
    async with Sandbox(discord_world(), port=0) as sandbox:
        point_at(sandbox.api_base, sandbox.gateway_url)
        books, clock, line = FakeBooks(), FrozenClock(), GatewayConnection()
        engine = rollouts.engine(int(sandbox.guild_id()), clock)
        responder = Responder(engine, lambda: engine.catalog, FakeLimiter(), clock, healthy)
        budget = IdentifyBudget(books, clock, "test", tmp_path)
        with pytest.raises(TokenRefused, match="rejects the bot token"):
            await run_supervised(lambda: SlipwayBot(responder, COGS, books, budget), "nonsense", line, budget)
        assert not line.connected


async def test_a_token_that_is_reset_while_connected_stops_the_bot(stand: Stand) -> None:
    await stand.call("POST", "applications/slipway/token")
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(TokenRefused):
            await stand.supervisor


async def test_a_discord_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    books, clock, line = FakeBooks(), FrozenClock(), GatewayConnection()
    engine = rollouts.engine(1, clock)
    responder = Responder(engine, lambda: engine.catalog, FakeLimiter(), clock, healthy)
    budget = IdentifyBudget(books, clock, "test", tmp_path)
    point_at("http://127.0.0.1:9/api/v10", "ws://127.0.0.1:9/gateway/")
    running = asyncio.create_task(
        run_supervised(lambda: SlipwayBot(responder, COGS, books, budget), "token", line, budget)
    )
    try:
        async with asyncio.timeout(60):
            while not line.trouble:
                await asyncio.sleep(0.05)
        assert not running.done()
        assert not line.connected
        # Nothing was sent that could be counted.
        assert await budget.wait_s() == 0.0
        assert ("identify", "test") not in books.notes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_commands_are_told_once_and_again_only_when_they_changed_or_went_missing(stand: Stand) -> None:
    assert len(await stand.requests("PUT", "/commands")) == 1
    await stand.line.resync()
    assert len(await stand.requests("PUT", "/commands")) == 1
    key = next(k for k in stand.books.notes if k[0] == "commands")
    kept = stand.books.notes[key]
    stand.books.notes[key] = kept.replace('"hash": "', '"hash": "0')
    await stand.line.resync()
    assert len(await stand.requests("PUT", "/commands")) == 2
    assert stand.books.notes[key].split(",")[0] == kept.split(",")[0]


async def test_without_the_notebook_no_commands_are_told_that_are_there_already(stand: Stand) -> None:
    stand.books.away = True
    await stand.line.resync()
    assert len(await stand.requests("PUT", "/commands")) == 1


async def test_too_many_new_commands_are_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with standing(
        tmp_path, discord_world(rate_limits=False, command_creates_per_day=3), connect=False
    ) as stand:
        await stand.until(lambda: stand.line.connected)
        await stand.until(
            lambda: "accepts no more new commands for this server today" in capsys.readouterr().out
        )
        assert all(kind != "commands" for kind, _ in stand.books.notes)


async def test_a_malformed_dispatch_is_survived(stand: Stand) -> None:
    client = stand.line.rest()
    client._connection.parsers["RESUMED"] = _raise  # what discord.py does with one: the client's loop ends
    await stand.fault("gateway_drop")
    await stand.until(lambda: stand.line._client is not client and stand.line.connected)
    await answers(stand)


def _raise(data: object) -> None:
    raise KeyError("malformed")
