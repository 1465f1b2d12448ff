"""What the bot in interactions.py does when a person writes a word."""

import datetime
from collections.abc import Awaitable, Callable

import interactions as it


async def hello(message: it.Message, _: str) -> None:
    if message.guild is None:
        await message.channel.send("hello to you alone")
        return
    reply = await message.reply("hello")
    await reply.edit(content=f"hello again, {message.author.username}")
    known = await message.channel.fetch_messages(limit=10)
    passing = await message.channel.send("passing")
    await passing.delete()
    await message.channel.send(f"{len(known)} messages")


async def say(message: it.Message, text: str) -> None:
    try:
        await message.channel.send(text)
    except it.errors.HTTPException as error:
        await message.channel.send(f"failed with {error.status}")


async def burst(message: it.Message, number: str) -> None:
    for one in range(1, int(number) + 1):
        await message.channel.send(str(one))


async def thread(message: it.Message, _: str) -> None:
    talk = await message.create_thread("talk")
    await talk.send("first")
    alone = await message.channel.create_thread("alone", thread_type=it.ChannelType.GUILD_PUBLIC_THREAD)
    await alone.edit(name="renamed")
    await alone.archive()


async def react(message: it.Message, _: str) -> None:
    await message.add_reaction("✅")
    await message.add_reaction("🎉")
    users = await message.fetch_reaction("✅")
    await message.remove_reaction("🎉")
    await message.channel.send(f"reacted: {', '.join(str(user.id) for user in users)}")


async def channels(message: it.Message, _: str) -> None:
    back = await message.guild.create_category("back")
    soup = await message.guild.create_text_channel("soup", topic="Cold", category=back)
    await soup.edit(name="stew", topic="Hot")
    passing = await message.guild.create_text_channel("passing")
    await passing.delete()
    await soup.send("served")


async def forum(message: it.Message, _: str) -> None:
    questions = await message.guild.create_forum_channel("questions")
    await questions.create_post("ask", "open")


async def roles(message: it.Message, _: str) -> None:
    cook = await message.guild.create_role("cook", color=0x3498DB, mentionable=True)
    await cook.edit(name="chef")
    passing = await message.guild.create_role("passing")
    await passing.delete()


async def webhook(message: it.Message, _: str) -> None:
    waiter = await message.channel.create_webhook("Waiter")
    sent = await waiter.send("at your service", wait=True)
    await waiter.edit_message(sent, content="at your table")


async def late(message: it.Message, _: str) -> None:
    await message.author.edit_nickname("Late")
    await message.author.timeout(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1))


async def out(message: it.Message, _: str) -> None:
    await message.author.kick()


async def join(message: it.Message, _: str) -> None:
    guild = message.guild
    parlour = next(one for one in guild.channels if one.name == "Parlour")
    await message.client.get_guild_websocket(guild.id).voice_state_update(guild.id, parlour.id, deafened=True)
    names = [one.username for one in parlour.voice_members if not one.bot]
    await message.channel.send(f"with {', '.join(names)}")


async def leave(message: it.Message, _: str) -> None:
    await message.client.get_guild_websocket(message.guild.id).voice_state_update(message.guild.id, None)


WORDS: dict[str, Callable[[it.Message, str], Awaitable[None]]] = {
    one.__name__: one
    for one in (hello, say, burst, thread, react, channels, forum, roles, webhook, late, out, join, leave)
}
