"""The real announcer on the real discord.py, against a sandbox in a process of its own: for workers measured here."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.config import GuildConfig
from bot.ui.announcer import DiscordAnnouncer
from bot.ui.chart.rollout_chart import CardCharts
from bot.ui.gateway.client import point_at
from demo.children import Child, Children
from tests.support.harness import World


@dataclass
class Servers:
    """A sandbox with Discord servers, each with its channels and without rate limits of Discord's own."""

    sandbox: Child
    guilds: Sequence[GuildConfig]

    @asynccontextmanager
    async def announcer(self, world: World, engine: Any) -> AsyncIterator[DiscordAnnouncer]:
        """As the bot has it, with charts. `engine()` is asked for the cards' content."""
        async with AsyncExitStack() as stack:
            told = self.sandbox.ready
            point_at(told["api_base"], told["gateway_url"])
            client = discord.Client(intents=discord.Intents.none())
            await client.login(told["applications"][0]["token"])
            stack.push_async_callback(client.close)
            store = PostgresStore(await stack.enter_async_context(Database(world.dsn, size=4)))
            charts = CardCharts()
            stack.push_async_callback(charts.close)

            async def card(rollout_id: int) -> Any:
                return await engine().card(rollout_id)

            async def measured(rollout_id: int) -> Any:
                return await engine().view(rollout_id)

            announcer = DiscordAnnouncer(
                lambda: client,
                card,
                store.cards,
                store.notes,
                lambda: world.catalog,
                world.clock,
                chart=charts,
                measured=measured,
            )
            stack.push_async_callback(announcer.close)
            yield announcer


@asynccontextmanager
async def servers(count: int) -> AsyncIterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        children = Children(Path(folder))
        channels = [{"name": "deploys"}, {"name": "alerts"}]
        people = [{"name": "dev", "roles": []}]
        guilds = [{"name": f"team-{i}", "people": people, "channels": channels} for i in range(count)]
        world = Path(folder) / "world.json"
        world.write_text(json.dumps({"rate_limits": False, "guilds": guilds}))
        options = ("--port", "0", "--world", str(world))
        sandbox = await children.spawn("sandbox", ("-m", "discord_sandbox", *options), {}, wait_for_line=True)
        try:
            made = [
                GuildConfig(int(one["id"]), one["name"], one["channels"], {})
                for one in sandbox.ready["guilds"]
            ]
            yield Servers(sandbox, made)
        finally:
            await children.end()
