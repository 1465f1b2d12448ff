"""The audit log as a discord.py bot reads it and hears of it; threads that it gains access to."""

import discord

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_entries_are_read_with_what_they_changed() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        names = ("VIEW_AUDIT_LOG", "MANAGE_ROLES", "MANAGE_CHANNELS", "KICK_MEMBERS", "MODERATE_MEMBERS")
        await client.grant(*names)
        guild, ada = bot.guild, bot.person("ada")
        helper = discord.utils.get(guild.roles, name="helper")
        assert helper is not None
        seen = await listening(bot, "audit_log_entry_create", reason="brighter")
        await helper.edit(color=discord.Color(0x112233), reason="brighter")
        entry = await seen
        assert (entry.user, entry.target, entry.reason) == (guild.me, helper, "brighter")
        assert entry.changes.after.color == discord.Color(0x112233)

        await ada.add_roles(helper)
        made = await guild.create_text_channel("kitchen", topic="Pots")
        await made.set_permissions(helper, send_messages=False)
        await made.edit(slowmode_delay=5)
        await bot.person("ben").kick(reason="noise")
        await client.api("PATCH", "people/ada", {"timeout": 60, "by": "mia"})
        found = {one.action: one async for one in guild.audit_logs(limit=None)}
        action = discord.AuditLogAction
        assert found[action.member_role_update].changes.after.roles == [helper]
        assert found[action.channel_create].changes.after.name == "kitchen"
        overwrite = found[action.overwrite_create]
        assert overwrite.extra == helper
        assert overwrite.changes.after.deny.send_messages
        assert found[action.channel_update].changes.after.slowmode_delay == 5
        assert (found[action.kick].target.name, found[action.kick].reason) == ("ben", "noise")
        timeout = found[action.member_update]
        assert timeout.user == bot.person("mia")
        assert timeout.changes.after.timed_out_until is not None
        oldest = [one async for one in guild.audit_logs(limit=1, oldest_first=True)]
        assert oldest[0].action == action.role_update


async def test_threads_of_a_channel_that_becomes_visible_are_known() -> None:
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox) as client:
        await client.api("PATCH", "channels/news", {"role": "Robot", "permissions": {"VIEW_CHANNEL": False}})
        await client.api(
            "PATCH", "channels/news", {"role": "everyone", "permissions": {"VIEW_CHANNEL": False}}
        )
        await client.api("PATCH", "channels/news", {"role": "member", "permissions": {"VIEW_CHANNEL": True}})
        started = await client.api("POST", "threads", {"user": "ada", "channel": "news", "name": "soup"})
        assert started.status == 201, started.body
        async with running(SandboxBot(), sandbox) as bot:
            assert list(bot.guild.threads) == []
            seen = await listening(bot, "thread_join")
            await client.api(
                "PATCH", "channels/news", {"role": "Robot", "permissions": {"VIEW_CHANNEL": True}}
            )
            assert (await seen).name == "soup"
            assert [one.name for one in bot.guild.threads] == ["soup"]
