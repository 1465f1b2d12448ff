"""discord.py's webhooks: made by a bot, and used with nothing but their token."""

import base64
import io

import discord
import pytest

from discord_sandbox import Sandbox, World
from discord_sandbox.api.calls.emojis import SMILE
from support.client import Client
from support.discord_py import SandboxBot, listening, running

PICTURE = base64.b64decode(SMILE.partition(",")[2])


async def test_a_webhook_is_made_used_and_deleted() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot("message_content"), sandbox) as bot,
    ):
        await client.grant("MANAGE_WEBHOOKS")
        updated = await listening(bot, "webhooks_update", name="general")
        hook = await bot.channel().create_webhook(name="Kitchen", avatar=PICTURE)
        assert hook.avatar is not None
        await updated
        assert [one.id for one in await bot.channel().webhooks()] == [hook.id]
        alone = discord.Webhook.partial(hook.id, hook.token or "", client=bot)
        heard = await listening(bot, "message", webhook_id=hook.id)
        file = discord.File(io.BytesIO(b"log"), "a.txt")
        cook = "https://example.com/cook.png"
        sent = await alone.send("soup", username="Cook", avatar_url=cook, file=file, wait=True)
        got = await heard
        assert (got.content, got.author.name, got.author.bot) == ("soup", "Cook", True)
        assert got.author.avatar not in (None, hook.avatar)
        edited = await sent.edit(content="tea")
        assert edited.content == "tea"
        thread = await bot.channel().create_thread(name="log", type=discord.ChannelType.public_thread)
        there = await alone.send("line", thread=thread, wait=True)
        assert there.channel.id == thread.id
        await there.delete()
        await hook.edit(name="Cellar", channel=bot.channel("news"))
        await hook.delete()
        with pytest.raises(discord.NotFound) as gone:
            await alone.send("x")
        assert gone.value.code == 10015
