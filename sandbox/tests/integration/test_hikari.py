"""A second, independent client library: hikari connects and answers."""

import asyncio
import contextlib

import hikari

from discord_sandbox import Sandbox
from support.client import PING, Client


async def test_hikari_connects_is_commanded_and_answers() -> None:
    async with Sandbox() as sandbox, Client(sandbox) as client:
        await client.commands(PING)
        bot = hikari.GatewayBot(
            sandbox.token(),
            banner=None,
            logs=None,
            rest_url=sandbox.api_base,
            intents=hikari.Intents.ALL_UNPRIVILEGED | hikari.Intents.GUILD_MEMBERS,
            suppress_optimization_warning=True,
        )
        started = asyncio.Event()

        @bot.listen()
        async def on_started(_: hikari.ShardReadyEvent) -> None:
            started.set()

        @bot.listen()
        async def on_guild(event: hikari.GuildAvailableEvent) -> None:
            assert len(event.roles) == 7

        @bot.listen()
        async def on_interaction(event: hikari.InteractionCreateEvent) -> None:
            it = event.interaction
            assert isinstance(it, hikari.CommandInteraction)
            await it.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_CREATE)
            await it.edit_initial_response("pong")
            message = await bot.rest.create_message(
                it.channel_id, "posted", attachment=hikari.Bytes(b"x", "a.txt")
            )
            await bot.rest.edit_message(it.channel_id, message, "edited")

        with contextlib.suppress(hikari.GatewayServerClosedConnectionError):
            await bot.start(check_for_updates=False)
        async with asyncio.timeout(60):
            await started.wait()
        assert (await bot.rest.fetch_my_user()).username == "robot"
        it = await client.begin(user="ada", channel="general", command="ping")
        shown = (await client.api("GET", f"interactions/{it['id']}", wait=60)).body
        assert (shown["state"], shown["message"]["text"]) == ("answered", "pong")
        async with asyncio.timeout(60):
            while True:
                listed = (await client.api("GET", "channels/general/messages")).body["messages"]
                if listed[-1]["text"] == "edited":
                    break
        assert listed[-1]["attachments"][0]["filename"] == "a.txt"
        await bot.close()
