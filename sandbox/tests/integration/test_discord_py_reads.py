"""What discord.py bots read of a server when they look around."""

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, running


async def test_lists_of_what_is_not_there_are_empty() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("MANAGE_GUILD", "MANAGE_CHANNELS")
        guild = bot.guild
        assert list(await guild.fetch_emojis()) == []
        assert list(await guild.fetch_stickers()) == []
        assert await guild.invites() == []
        assert await bot.channel().invites() == []
        assert await guild.fetch_scheduled_events() == []
        assert await guild.fetch_automod_rules() == []
        assert await guild.integrations() == []
        assert await bot.fetch_application_emojis() == []
        assert [one async for one in bot.entitlements()] == []
        edited = await bot.application.edit(description="A bot")  # type: ignore[union-attr]
        assert (await bot.application_info()).description == "A bot"
        assert edited is None or edited.description == "A bot"
