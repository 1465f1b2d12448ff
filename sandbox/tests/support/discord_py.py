"""A discord.py client on a sandbox, connected and with its commands registered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import discord
import yarl
from discord import app_commands

from discord_sandbox import Sandbox
from support.client import Client

JSON = dict[str, Any]


class SandboxBot(discord.Client):
    """With every intent that needs no approval, and the members' one; `tree` holds its commands."""

    def __init__(self, *more: str) -> None:
        """more: names of intents to add, such as `message_content`."""
        intents = discord.Intents.default()
        for name in ("members", *more):
            setattr(intents, name, True)
        super().__init__(intents=intents, max_ratelimit_timeout=30, guild_ready_timeout=0.02)
        self.tree = app_commands.CommandTree(self)

    @property
    def guild(self) -> discord.Guild:
        return self.guilds[0]

    def channel(self, name: str = "general") -> discord.TextChannel:
        found = discord.utils.get(self.guild.text_channels, name=name)
        assert found is not None
        return found

    def person(self, name: str) -> discord.Member:
        found = discord.utils.get(self.guild.members, name=name)
        assert found is not None
        return found

    async def heard(self, event: str, **conditions: Any) -> Any:
        """The next event (`member_join`) with these attributes on its (last) argument."""

        def fits(*given: Any) -> bool:
            return all(getattr(given[-1], key) == value for key, value in conditions.items())

        return await self.wait_for(event, check=fits, timeout=60)


def knows_its_servers(bot: discord.Client) -> bool:
    """Whether it is ready, and was told of its servers: it waits for each no longer than `guild_ready_timeout`."""
    return bot.is_ready() and not any(guild.unavailable for guild in bot.guilds)


@contextlib.asynccontextmanager
async def running(bot: SandboxBot, sandbox: Sandbox) -> AsyncIterator[SandboxBot]:
    """Connect the bot, sync its commands, and close it at the end."""
    with _pointed_at(sandbox):
        async with bot:
            task = asyncio.create_task(bot.start(sandbox.token()))
            async with asyncio.timeout(60):
                while not knows_its_servers(bot):
                    await asyncio.sleep(0.01)
            if bot.tree.get_commands() or bot.tree.get_commands(type=discord.AppCommandType.message):
                await bot.tree.sync()
            yield bot
            await bot.close()
            await asyncio.wait([task], timeout=2)


@contextlib.contextmanager
def _pointed_at(sandbox: Sandbox) -> Any:
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    discord.http.Route.BASE = sandbox.api_base
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sandbox.gateway_url)
    try:
        yield
    finally:
        discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = before


async def listening(bot: SandboxBot, event: str, **conditions: Any) -> "asyncio.Task[Any]":
    """A task with the next such event; it listens from now on."""
    task = asyncio.create_task(bot.heard(event, **conditions))
    await asyncio.sleep(0)
    return task


async def begun(client: Client, path: str = "commands", **body: Any) -> JSON:
    """Act as a person; returns the settled interaction."""
    got = await client.api("POST", path, body)
    assert got.status == 200, got.body
    found: JSON = (await client.api("GET", f"interactions/{got.body['interaction']}", wait=60)).body
    return found
