"""What the bot in hikari does when a person writes a word."""

import datetime
from collections.abc import Awaitable, Callable

import hikari


async def hello(message: hikari.Message, _: str) -> None:
    if message.guild_id is None:
        await message.respond("hello to you alone")
        return
    reply = await message.respond("hello", reply=True)
    await reply.edit(f"hello again, {message.author.username}")
    known = await message.app.rest.fetch_messages(message.channel_id).limit(10)
    passing = await message.respond("passing")
    await passing.delete()
    await message.respond(f"{len(known)} messages")


async def say(message: hikari.Message, text: str) -> None:
    try:
        await message.respond(text)
    except hikari.HTTPResponseError as error:
        await message.respond(f"failed with {error.status}")


async def burst(message: hikari.Message, number: str) -> None:
    for one in range(1, int(number) + 1):
        await message.respond(str(one))


async def thread(message: hikari.Message, _: str) -> None:
    rest = message.app.rest
    talk = await rest.create_message_thread(message.channel_id, message, "talk")
    await talk.send("first")
    alone = await rest.create_thread(message.channel_id, hikari.ChannelType.GUILD_PUBLIC_THREAD, "alone")
    await alone.edit(name="renamed")
    await alone.edit(archived=True)


async def react(message: hikari.Message, _: str) -> None:
    await message.add_reaction("✅")
    await message.add_reaction("🎉")
    users = await message.app.rest.fetch_reactions_for_emoji(message.channel_id, message, "✅")
    await message.remove_reaction("🎉")
    await message.respond(f"reacted: {', '.join(str(user.id) for user in users)}")


async def channels(message: hikari.Message, _: str) -> None:
    rest, guild = message.app.rest, message.guild_id
    back = await rest.create_guild_category(guild, "back")
    soup = await rest.create_guild_text_channel(guild, "soup", topic="Cold", category=back)
    await soup.edit(name="stew", topic="Hot")
    passing = await rest.create_guild_text_channel(guild, "passing")
    await passing.delete()
    await soup.send("served")


async def forum(message: hikari.Message, _: str) -> None:
    questions = await message.app.rest.create_guild_forum_channel(message.guild_id, "questions")
    await message.app.rest.create_forum_post(questions, "ask", "open")


async def roles(message: hikari.Message, _: str) -> None:
    rest, guild = message.app.rest, message.guild_id
    cook = await rest.create_role(guild, name="cook", color=0x3498DB, mentionable=True)
    await rest.edit_role(guild, cook, name="chef")
    passing = await rest.create_role(guild, name="passing")
    await rest.delete_role(guild, passing)


async def webhook(message: hikari.Message, _: str) -> None:
    waiter = await message.app.rest.create_webhook(message.channel_id, "Waiter")
    sent = await waiter.execute("at your service")
    await waiter.edit_message(sent, "at your table")


async def late(message: hikari.Message, _: str) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    await message.member.edit(nickname="Late", communication_disabled_until=until)


async def out(message: hikari.Message, _: str) -> None:
    await message.member.kick()


async def join(message: hikari.Message, _: str) -> None:
    app, guild = message.app, message.guild_id
    channels = app.cache.get_guild_channels_view_for_guild(guild).values()
    parlour = next(one for one in channels if one.name == "Parlour")
    await app.update_voice_state(guild, parlour, self_deaf=True)
    states = app.cache.get_voice_states_view_for_channel(guild, parlour).values()
    names = [one.member.username for one in states if not one.member.is_bot]
    await app.rest.create_message(message.channel_id, f"with {', '.join(names)}")


async def leave(message: hikari.Message, _: str) -> None:
    await message.app.update_voice_state(message.guild_id, None)


WORDS: dict[str, Callable[[hikari.Message, str], Awaitable[None]]] = {
    one.__name__: one
    for one in (hello, say, burst, thread, react, channels, forum, roles, webhook, late, out, join, leave)
}
