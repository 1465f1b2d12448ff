"""discord.py's scheduled events, from their making to their end."""

import base64
import datetime

import discord

from discord_sandbox import Sandbox, World
from discord_sandbox.api.calls.emojis import SMILE
from support.client import Client
from support.discord_py import SandboxBot, listening, running

PICTURE = base64.b64decode(SMILE.partition(",")[2])


async def test_an_event_is_made_begun_and_ended() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("CREATE_EVENTS", "MANAGE_EVENTS")
        start = discord.utils.utcnow() + datetime.timedelta(days=1)
        created = await listening(bot, "scheduled_event_create")
        made = await bot.guild.create_scheduled_event(
            name="Feast",
            start_time=start,
            end_time=start + datetime.timedelta(hours=2),
            entity_type=discord.EntityType.external,
            privacy_level=discord.PrivacyLevel.guild_only,
            location="Kitchen",
            image=PICTURE,
        )
        assert made.cover_image is not None
        assert (await created).id == made.id
        assert (made.location, made.creator_id) == ("Kitchen", bot.application_id)
        added = await listening(bot, "scheduled_event_user_add", name="ada")
        await client.api("PUT", "scheduled-events/Feast/users", {"user": "ada"})
        await added
        assert [one.name async for one in made.users()] == ["ada"]
        fetched = await bot.guild.fetch_scheduled_event(made.id)
        assert fetched.user_count == 1
        begun = await made.start()
        assert (await begun.end()).status is discord.EventStatus.completed
        assert await bot.guild.fetch_scheduled_events() == []
