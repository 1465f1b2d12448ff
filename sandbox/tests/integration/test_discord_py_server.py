"""discord.py's server: channels, categories and roles that a bot makes, changes and deletes."""

import discord

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_channels_and_roles_are_made_changed_and_deleted() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("MANAGE_CHANNELS", "MANAGE_ROLES")
        cook = await bot.guild.create_role(name="cook", colour=discord.Colour.green(), hoist=True)
        await cook.edit(name="chef", permissions=discord.Permissions(send_messages=True))
        await cook.move(above=bot.guild.get_role(int(sandbox.role_id("helper"))))  # type: ignore[arg-type]
        secret = {
            bot.guild.default_role: discord.PermissionOverwrite(view_channel=False),
            cook: discord.PermissionOverwrite(view_channel=True),
            bot.guild.me: discord.PermissionOverwrite(view_channel=True),
        }
        back = await bot.guild.create_category("Back", overwrites=secret)
        created = await listening(bot, "guild_channel_create", name="kitchen")
        kitchen = await bot.guild.create_text_channel("Kitchen", category=back, topic="Hot", slowmode_delay=5)
        assert (await created).id == kitchen.id
        assert (kitchen.category, kitchen.permissions_synced) == (back, True)
        await kitchen.send("secret")
        hidden = await client.api("POST", "messages", {"user": "ada", "channel": "kitchen", "content": "x"})
        assert hidden.status == 403
        await bot.person("ada").add_roles(cook)
        seen = await client.api("POST", "messages", {"user": "ada", "channel": "kitchen", "content": "x"})
        assert seen.status == 201
        await kitchen.edit(name="cellar", category=None)
        news = await bot.guild.create_text_channel("press", news=True)
        await (await news.send("out now")).publish()
        await back.delete()
        await kitchen.delete()
        removed = await listening(bot, "guild_role_delete", name="chef")
        await cook.delete()
        await removed
        assert {one.name for one in bot.guild.channels} == {"general", "news", "support", "press"}


async def test_a_bot_hears_of_a_pin_and_reads_it() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        running(SandboxBot("message_content"), sandbox) as bot,
    ):
        owner = sandbox.person("owner")
        pinned = bot.wait_for("guild_channel_pins_update", timeout=60)
        told = await listening(bot, "message", type=discord.MessageType.pins_add)
        message = await owner.pin(await owner.write("general", "soup"))
        channel, last = await pinned
        assert (channel.name, last is not None) == ("general", True)
        notice = await told
        assert (notice.author.name, notice.reference.message_id) == ("owner", int(message.id))
        assert [one.content async for one in bot.channel().pins()] == ["soup"]
