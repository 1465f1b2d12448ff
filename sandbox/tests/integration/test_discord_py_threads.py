"""discord.py's threads and forums: members, archives, posts and their tags."""

import discord

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_members_join_and_leave_threads() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        thread = await bot.channel().create_thread(name="log", type=discord.ChannelType.public_thread)
        joined = await listening(bot, "thread_member_join", id=bot.person("ada").id)
        await thread.add_user(bot.person("ada"))
        await joined
        assert {one.id for one in await thread.fetch_members()} == {bot.person("ada").id, bot.guild.me.id}
        left = await listening(bot, "thread_member_remove", id=bot.person("ada").id)
        await thread.remove_user(bot.person("ada"))
        await left
        started = await listening(bot, "thread_create", name="soup")
        await client.api("POST", "threads", {"user": "ben", "channel": "general", "name": "soup"})
        assert (await started).owner_id == bot.person("ben").id
        await thread.edit(archived=True, locked=True)
        assert [one.name async for one in bot.channel().archived_threads()] == ["log"]


async def test_forums_have_posts_with_tags() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("MANAGE_CHANNELS")
        idea = discord.ForumTag(name="idea", emoji="💡")
        forum = await bot.guild.create_forum("Ideas", available_tags=[idea], topic="Yours")
        changed = await listening(bot, "guild_channel_update", name="ideas")
        done = await forum.create_tag(name="done", moderated=True)
        _, after = await changed
        assert isinstance(after, discord.ForumChannel)
        forum = after
        assert [one.name for one in forum.available_tags] == ["idea", "done"]
        made = await forum.create_thread(name="Soup", content="More", applied_tags=[forum.available_tags[0]])
        assert (made.message.id, [one.name for one in made.thread.applied_tags]) == (made.thread.id, ["idea"])
        await made.thread.add_tags(done)
        await made.thread.edit(pinned=True)
        posted = await listening(bot, "thread_create", name="Bread")
        await client.api(
            "POST", "threads", {"user": "ada", "channel": "ideas", "name": "Bread", "content": "Too"}
        )
        assert (await posted).parent_id == forum.id
        await forum.edit(require_tag=True, default_layout=discord.ForumLayoutType.gallery_view)
