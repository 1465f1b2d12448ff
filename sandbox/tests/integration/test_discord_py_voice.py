"""Voice as a discord.py bot sees it: it joins without sound, watches people, moves and mutes them."""

import discord

from discord_sandbox import ChannelSpec, GuildSpec, Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running

CHANNELS = (
    ChannelSpec("general"),
    ChannelSpec("Lounge", type="voice", user_limit=5),
    ChannelSpec("Attic", type="voice"),
    ChannelSpec("Hall", type="stage"),
)


def world() -> World:
    return World(guilds=(GuildSpec("workshop", channels=CHANNELS),), rate_limits=False)


async def test_a_bot_follows_people_in_voice() -> None:
    async with Sandbox(world()) as sandbox, Client(sandbox) as client:
        await sandbox.person("ben").join_voice("Lounge", mute=True)
        async with running(SandboxBot(), sandbox) as bot:
            lounge, attic = bot.guild.voice_channels
            assert (lounge.name, lounge.user_limit, lounge.bitrate) == ("Lounge", 5, 64_000)
            [ben] = lounge.members
            assert ben.voice is not None
            assert (ben.name, ben.voice.self_mute, ben.voice.mute) == ("ben", True, False)

            seen = await listening(bot, "voice_state_update")
            await sandbox.person("ada").join_voice("Lounge")
            ada, before, after = await seen
            assert (before.channel, after.channel) == (None, lounge)

            await client.grant("MOVE_MEMBERS", "MUTE_MEMBERS", "DEAFEN_MEMBERS")
            seen = await listening(bot, "voice_state_update")
            await ada.move_to(attic)
            assert (await seen)[2].channel == attic
            seen = await listening(bot, "voice_state_update", mute=True)
            await ada.edit(mute=True)
            await seen
            assert (await ada.fetch_voice()).mute
            seen = await listening(bot, "voice_state_update")
            await ada.move_to(None)
            assert (await seen)[2].channel is None
            assert list(attic.members) == []


async def test_a_bot_joins_a_channel_and_a_stage() -> None:
    async with (
        Sandbox(world()) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("MUTE_MEMBERS", "MANAGE_CHANNELS")
        [hall], lounge = bot.guild.stage_channels, bot.guild.voice_channels[0]
        seen = await listening(bot, "voice_state_update")
        await bot.guild.change_voice_state(channel=lounge, self_deaf=True)
        assert (await seen)[2].channel == lounge
        assert [one["self_deaf"] for one in await sandbox.voice("Lounge")] == [True]
        seen = await listening(bot, "voice_state_update")
        await bot.guild.change_voice_state(channel=hall)
        assert (await seen)[2].suppress
        assert list(hall.members) == [bot.guild.me]
        seen = await listening(bot, "voice_state_update")
        await bot.guild.me.edit(suppress=False)
        assert not (await seen)[2].suppress
        seen = await listening(bot, "voice_state_update")
        await hall.delete()
        assert (await seen)[2].channel is None
        made = await bot.guild.create_voice_channel("Pantry", user_limit=3)
        assert (await made.edit(user_limit=4)) is not None
        assert isinstance(await bot.fetch_channel(made.id), discord.VoiceChannel)
