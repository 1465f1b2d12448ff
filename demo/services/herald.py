"""The exclusive demo service: a small Discord bot, which must not run twice on one token.

`python -m demo.services.herald --version 1.4.0 --port N`; the token and Discord's address come from
`HERALD_TOKEN`, `HERALD_API` and `HERALD_GATEWAY`, and are reached through the Unix socket `HERALD_SOCKET` where that is
given. `/healthz` is 200 while the gateway is connected.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

import aiohttp
import discord
import yarl
from aiohttp import web
from discord import app_commands
from discord.utils import MISSING


class Herald(discord.Client):
    """Answers `/greet`, and reports over HTTP whether it is connected."""

    def __init__(self, version: str, connector: aiohttp.BaseConnector | None) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True), guild_ready_timeout=0.2, connector=connector or MISSING
        )
        self.version = version
        self.greeted = 0
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="greet", description="Says hello, and which version says it")(self._greet)
        if version != "1.4.0":  # has more commands, deployed with it
            self.tree.error(self._unknown)

    async def _unknown(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        if not isinstance(error, app_commands.CommandNotFound):
            raise error
        await interaction.response.send_message(f"herald {self.version} does /{error.name}.", ephemeral=True)

    async def setup_hook(self) -> None:
        """Register commands once: Discord keeps them across restarts."""
        if not await self.tree.fetch_commands():
            await self.tree.sync()

    async def _greet(self, interaction: discord.Interaction) -> None:
        self.greeted += 1
        await interaction.response.send_message(f"Hello from herald {self.version}.", ephemeral=True)

    async def healthz(self, _: web.Request) -> web.Response:
        up = self.is_ready() and not self.is_closed()
        body = {"status": "ok" if up else "connecting", "version": self.version, "greeted": self.greeted}
        return web.json_response(body, status=200 if up else 503)


async def run(version: str, host: str, port: int) -> None:
    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    socket = os.environ.get("HERALD_SOCKET")
    herald = Herald(version, aiohttp.UnixConnector(socket) if socket else None)
    app = web.Application()
    app.router.add_get("/healthz", herald.healthz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    async with herald:
        connection = asyncio.create_task(herald.start(os.environ["HERALD_TOKEN"]))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({connection, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await herald.close()
    await runner.cleanup()
    if not stop.is_set():
        sys.exit("herald: the gateway ended the session")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", default="herald")
    parser.add_argument("--environment", default="production")
    parser.add_argument("--version", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    if api := os.environ.get("HERALD_API"):
        discord.http.Route.BASE = api
    if gateway := os.environ.get("HERALD_GATEWAY"):
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    if args.version == "1.5.3":
        sys.exit("herald 1.5.3: cannot read greetings.yaml")
    asyncio.run(run(args.version, args.host, args.port))


if __name__ == "__main__":
    main()
