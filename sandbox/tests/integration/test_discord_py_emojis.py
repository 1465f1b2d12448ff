"""discord.py's custom emoji: of the server and the application, in reactions and buttons."""

import base64

import discord

from discord_sandbox import Sandbox, World
from discord_sandbox.api.calls.emojis import SMILE
from support.client import Client
from support.discord_py import SandboxBot, listening, running

PICTURE = base64.b64decode(SMILE.partition(",")[2])


async def test_emoji_are_made_used_and_deleted() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot("message_content"), sandbox) as bot,
    ):
        await client.grant("CREATE_GUILD_EXPRESSIONS", "ADD_REACTIONS")
        updated = await listening(bot, "guild_emojis_update")
        blob = await bot.guild.create_custom_emoji(name="blob", image=PICTURE, reason="fun")
        _guild, _before, after = await updated
        assert [one.name for one in after] == ["blob"]
        assert blob.is_usable() and blob.url.endswith(f"/emojis/{blob.id}.png")
        tick = await bot.create_application_emoji(name="tick", image=PICTURE)
        assert [one.id for one in await bot.fetch_application_emojis()] == [tick.id]
        view = discord.ui.View()
        view.add_item(discord.ui.Button(emoji=tick, custom_id="tick"))
        sent = await bot.channel().send(f"{blob} {tick}", view=view)
        assert sent.content == f"{blob} {tick}"
        reacted = await listening(bot, "raw_reaction_add", message_id=sent.id)
        await sent.add_reaction(blob)
        assert (await reacted).emoji.id == blob.id
        await client.api("POST", "reactions", {"user": "ada", "message": str(sent.id), "emoji": ":blob:"})
        [reaction] = (await bot.channel().fetch_message(sent.id)).reactions
        assert (reaction.emoji, reaction.count, reaction.me) == (blob, 2, True)
        assert {one.name async for one in reaction.users()} == {"ada", "robot"}
        renamed = await blob.edit(name="blop")
        assert renamed.name == "blop"
        await blob.delete()
        assert await bot.guild.fetch_emojis() == []
        await tick.delete()
        assert await bot.fetch_application_emojis() == []
