"""discord.py's polls and forwards."""

import datetime

import discord

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_a_poll_is_voted_on_and_ended() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot("message_content"), sandbox) as bot,
    ):
        poll = discord.Poll("Dinner?", datetime.timedelta(hours=2), multiple=True)
        poll.add_answer(text="Soup", emoji="🍲").add_answer(text="Bread")
        sent = await bot.channel().send(poll=poll)
        voted = await listening(bot, "raw_poll_vote_add", answer_id=2)
        await client.api("POST", "votes", {"user": "ada", "message": str(sent.id), "answers": ["Bread"]})
        assert (await voted).user_id == bot.person("ada").id
        fetched = (await bot.channel().fetch_message(sent.id)).poll
        assert fetched is not None
        bread = fetched.get_answer(2)
        assert bread is not None
        assert [one.name async for one in bread.voters()] == ["ada"]
        ended = await fetched.end()
        assert ended.is_finalized()


async def test_a_message_is_forwarded() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        running(SandboxBot("message_content"), sandbox) as bot,
    ):
        source = await bot.channel("news").send("soup today")
        made = await source.forward(bot.channel())
        assert [one.content for one in made.message_snapshots] == ["soup today"]
        assert made.reference is not None
        assert made.reference.type is discord.MessageReferenceType.forward
