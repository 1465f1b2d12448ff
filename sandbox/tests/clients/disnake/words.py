"""What the bot in disnake does when a person writes a word."""

import datetime
from collections.abc import Awaitable, Callable

import disnake

MINUTE = datetime.timedelta(minutes=1)


async def hello(message: disnake.Message, _: str) -> None:
    if message.guild is None:
        await message.channel.send("hello to you alone")
        return
    reply = await message.reply("hello")
    await reply.edit(content=f"hello again, {message.author.name}")
    known = [one async for one in message.channel.history(limit=10)]
    passing = await message.channel.send("passing")
    await passing.delete()
    await message.channel.send(f"{len(known)} messages")


async def say(message: disnake.Message, text: str) -> None:
    try:
        await message.channel.send(text)
    except disnake.HTTPException as error:
        await message.channel.send(f"failed with {error.status}")


async def burst(message: disnake.Message, number: str) -> None:
    for one in range(1, int(number) + 1):
        await message.channel.send(str(one))


async def thread(message: disnake.Message, _: str) -> None:
    talk = await message.create_thread(name="talk")
    await talk.send("first")
    alone = await message.channel.create_thread(name="alone", type=disnake.ChannelType.public_thread)
    await alone.edit(name="renamed")
    await alone.edit(archived=True)


async def react(message: disnake.Message, _: str) -> None:
    await message.add_reaction("✅")
    await message.add_reaction("🎉")
    message = await message.channel.fetch_message(message.id)
    users = [user async for user in message.reactions[0].users()]
    await message.remove_reaction("🎉", message.guild.me)
    await message.channel.send(f"reacted: {', '.join(str(user.id) for user in users)}")


async def channels(message: disnake.Message, _: str) -> None:
    back = await message.guild.create_category("back")
    soup = await message.guild.create_text_channel("soup", category=back, topic="Cold")
    await soup.edit(name="stew", topic="Hot")
    passing = await message.guild.create_text_channel("passing")
    await passing.delete()
    await soup.send("served")


async def forum(message: disnake.Message, _: str) -> None:
    questions = await message.guild.create_forum_channel("questions")
    await questions.create_thread(name="ask", content="open")


async def roles(message: disnake.Message, _: str) -> None:
    cook = await message.guild.create_role(name="cook", colour=disnake.Colour(0x3498DB), mentionable=True)
    await cook.edit(name="chef")
    passing = await message.guild.create_role(name="passing")
    await passing.delete()


async def webhook(message: disnake.Message, _: str) -> None:
    waiter = await message.channel.create_webhook(name="Waiter")
    sent = await waiter.send("at your service", wait=True)
    await sent.edit(content="at your table")


async def late(message: disnake.Message, _: str) -> None:
    await message.author.edit(nick="Late")
    await message.author.timeout(duration=MINUTE)


async def out(message: disnake.Message, _: str) -> None:
    await message.author.kick()


async def join(message: disnake.Message, _: str) -> None:
    parlour = disnake.utils.get(message.guild.voice_channels, name="Parlour")
    await message.guild.change_voice_state(channel=parlour, self_deaf=True)
    names = [one.name for one in parlour.members if not one.bot]
    await message.channel.send(f"with {', '.join(names)}")


async def leave(message: disnake.Message, _: str) -> None:
    await message.guild.change_voice_state(channel=None)


WORDS: dict[str, Callable[[disnake.Message, str], Awaitable[None]]] = {
    one.__name__: one
    for one in (hello, say, burst, thread, react, channels, forum, roles, webhook, late, out, join, leave)
}
