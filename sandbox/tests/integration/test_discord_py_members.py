"""discord.py's members: edits, timeouts, kicks and bans, and the events of joining and leaving."""

import datetime

import discord
import pytest

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_members_are_changed_kicked_and_banned() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant(
            "MANAGE_NICKNAMES", "MANAGE_ROLES", "MODERATE_MEMBERS", "KICK_MEMBERS", "BAN_MEMBERS"
        )
        helper = discord.utils.get(bot.guild.roles, name="helper")
        assert helper is not None
        ada, ben = bot.person("ada"), bot.person("ben")
        until = discord.utils.utcnow() + datetime.timedelta(minutes=5)
        edited = await ada.edit(nick="Ada L.", roles=[helper], timed_out_until=until)
        assert edited is not None
        assert (edited.nick, [one.name for one in edited.roles]) == ("Ada L.", ["@everyone", "helper"])
        assert edited.is_timed_out()
        await ada.timeout(None)
        await ada.remove_roles(helper)
        await bot.guild.me.edit(nick="Robbie")
        left = await listening(bot, "member_remove", name="ben")
        await ben.kick(reason="as he asked")
        assert (await left).name == "ben"
        joined = await listening(bot, "member_join", name="ben")
        await client.api("POST", "people", {"name": "ben"})
        back = await joined
        assert back.flags.did_rejoin
        await back.ban(reason="spam", delete_message_seconds=60)
        assert [(one.user.name, one.reason) async for one in bot.guild.bans()] == [("ben", "spam")]
        await bot.guild.unban(back)
        with pytest.raises(discord.NotFound) as unknown:
            await bot.guild.fetch_ban(back)
        assert unknown.value.code == 10026


async def test_a_bot_is_added_to_and_removed_from_a_server() -> None:
    async with Sandbox() as sandbox, Client(sandbox) as client, running(SandboxBot(), sandbox) as bot:
        removed = await listening(bot, "guild_remove", name="workshop")
        await client.api("DELETE", "applications/robot/guilds/workshop")
        await removed
        assert list(bot.guilds) == []
        joined = await listening(bot, "guild_join", name="workshop")
        await client.api("PUT", "applications/robot/guilds/workshop")
        assert len((await joined).text_channels) == 3
        await bot.guild.leave()
