"""A Discord bot with slash commands, its health and its metrics: `command_bot.py PORT VERSION`.

DISCORD_TOKEN, DISCORD_API and DISCORD_GATEWAY come from the environment. `/greet` says the version. Commands are
registered only for an application that has none. Where STAGE is production, versions have troubles of their own:

- 1.2.0: half of the invocations fail.
- 1.3.0: answers take 6 s.
- 1.4.0: the connection to Discord is lost 3 s after it was made, for good.
- 1.5.0: half of the queries fail; people do not notice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from itertools import count

import discord
import yarl
from aiohttp import web
from discord import app_commands
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PORT, VERSION = int(sys.argv[1]), sys.argv[2]
TROUBLE = VERSION if os.environ.get("STAGE") == "production" else ""
FAILS, SLOW, LOST, NO_DATABASE = (version == TROUBLE for version in ("1.2.0", "1.3.0", "1.4.0", "1.5.0"))
BUCKETS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Commands and queries by outcome, with a value of 0 from the start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter("chopsticks_commands", "Invocations.", ["status"], registry=self.registry)
        self.queries = Counter("chopsticks_db_queries", "Queries.", ["status"], registry=self.registry)
        self.seconds = Histogram(
            "chopsticks_command_duration_seconds", "Until answered.", buckets=BUCKETS, registry=self.registry
        )
        for counter in (self.commands, self.queries):
            for status in ("ok", "error"):
                counter.labels(status)


class Bot(discord.Client):
    def __init__(self, metrics: Metrics) -> None:
        super().__init__(intents=discord.Intents(guilds=True), guild_ready_timeout=0.2)
        self._metrics = metrics
        self._invocations = count()
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="greet", description="Says hello")(self.greet)

    async def setup_hook(self) -> None:
        if not await self.tree.fetch_commands():
            await self.tree.sync()

    async def greet(self, interaction: discord.Interaction) -> None:
        began = time.monotonic()
        second = next(self._invocations) % 2 == 1
        self._metrics.queries.labels("error" if NO_DATABASE and second else "ok").inc()
        bad = FAILS and second
        self._metrics.commands.labels("error" if bad else "ok").inc()
        words = f"{VERSION}: {'something went wrong' if bad else 'hello'}"
        if SLOW:
            await interaction.response.defer(ephemeral=True)
            await asyncio.sleep(6)
            await interaction.followup.send(words, ephemeral=True)
        else:
            await interaction.response.send_message(words, ephemeral=True)
        self._metrics.seconds.observe(time.monotonic() - began)

    async def health(self, _: web.Request) -> web.Response:
        up = self.is_ready() and not self.is_closed()
        body = {"gateway": "connected" if up else "disconnected", "db": "ok", "version": VERSION}
        return web.json_response(body, status=200 if up else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def run() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bot = Bot(Metrics())
    app = web.Application()
    app.router.add_get("/health", bot.health)
    app.router.add_get("/metrics", bot.metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    async with bot:
        connection = asyncio.create_task(bot.start(os.environ["DISCORD_TOKEN"]))
        stopped = asyncio.create_task(stop.wait())
        if LOST:
            await bot.wait_until_ready()
            await asyncio.sleep(3)
            await bot.close()
            await stopped
        await asyncio.wait({connection, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await bot.close()
    await runner.cleanup()


if __name__ == "__main__":
    discord.http.Route.BASE = os.environ["DISCORD_API"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["DISCORD_GATEWAY"])
    asyncio.run(run())
