"""A real discord.py client: connects, takes commands, defers, edits, shows components, opens modals."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands, ui

from discord_sandbox import Sandbox
from support.client import Client
from support.discord_py import knows_its_servers

JSON = dict[str, Any]


class Gate(ui.DynamicItem[ui.Button[Any]], template=r"gate:(?P<order>\d+):approve"):
    """A button that any process understands, not only the one that sent it."""

    def __init__(self, order: int) -> None:
        super().__init__(
            ui.Button(label="Approve", custom_id=f"gate:{order}:approve", style=discord.ButtonStyle.success)
        )
        self.order = order

    @classmethod
    async def from_custom_id(cls, interaction: Any, item: Any, match: Any) -> "Gate":
        return cls(int(match["order"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(view=card(f"approved {self.order}"))


class Why(ui.Modal, title="Why"):
    reason: ui.Label[Any] = ui.Label(text="Reason", component=ui.TextInput(max_length=50))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.reason.component, ui.TextInput)
        await interaction.response.send_message(f"because {self.reason.component.value}", ephemeral=True)


def card(text: str, *extra: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container(ui.TextDisplay(text), *extra))
    return view


def build() -> discord.Client:
    intents = discord.Intents.default()
    intents.members = True
    bot = discord.Client(intents=intents, max_ratelimit_timeout=30, guild_ready_timeout=0.02)
    tree = app_commands.CommandTree(bot)
    bot.tree = tree  # type: ignore[attr-defined]
    bot.add_dynamic_items(Gate)

    @tree.command(description="Orders a dish")
    @app_commands.describe(dish="Which one")
    async def order(interaction: discord.Interaction, dish: str) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(view=card(dish, ui.ActionRow(Gate(7))))

    @order.autocomplete("dish")
    async def dishes(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=one, value=one) for one in ("tea", "teacake") if current in one]

    @tree.command(description="Asks why")
    async def why(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Why())

    @tree.command(description="Follows up")
    async def twice(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("one", ephemeral=True)
        await interaction.followup.send("two", ephemeral=True)
        await interaction.edit_original_response(content="one, edited")

    return bot


@pytest.fixture
async def bot(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[discord.Client, Client]]:
    async with Sandbox() as sandbox, Client(sandbox) as client:
        monkeypatch.setattr(discord.http.Route, "BASE", sandbox.api_base)
        monkeypatch.setattr(
            discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url)
        )
        bot = build()
        async with bot:
            running = asyncio.create_task(bot.start(sandbox.token()))
            async with asyncio.timeout(60):
                while not knows_its_servers(bot):
                    await asyncio.sleep(0.01)
            await bot.tree.sync()  # type: ignore[attr-defined]
            yield bot, client
            await bot.close()
            await asyncio.wait([running], timeout=2)


async def run(client: Client, command: str, **options: Any) -> JSON:
    body = {"user": "ada", "channel": "general", "command": command, "options": options}
    return await settled(client, (await client.api("POST", "commands", body)).body["interaction"])


async def settled(client: Client, interaction: str) -> JSON:
    found: JSON = (await client.api("GET", f"interactions/{interaction}", wait=60)).body
    return found


async def test_a_command_is_deferred_and_its_card_has_a_button_that_works(
    bot: tuple[discord.Client, Client],
) -> None:
    _, client = bot
    shown = await run(client, "order", dish="tea")
    assert (shown["state"], shown["callback"], shown["message"]["text"]) == ("answered", 5, "tea")
    message = shown["message"]["id"]
    pressed = await client.api("POST", "presses", {"user": "mia", "message": message, "button": "Approve"})
    done = await settled(client, pressed.body["interaction"])
    assert (done["state"], done["callback"], done["message"]["id"]) == ("answered", 7, message)
    assert done["message"]["text"] == "approved 7"


async def test_autocomplete(bot: tuple[discord.Client, Client]) -> None:
    _, client = bot
    body = {"user": "ada", "channel": "general", "command": "order", "option": "dish", "value": "te"}
    got = await client.api("POST", "autocomplete", body)
    assert [one["value"] for one in got.body["choices"]] == ["tea", "teacake"]


async def test_a_modal_is_opened_and_submitted(bot: tuple[discord.Client, Client]) -> None:
    _, client = bot
    shown = await run(client, "why")
    assert (shown["state"], shown["modal"]["title"]) == ("modal", "Why")
    got = await client.api(
        "POST", "modals", {"user": "ada", "interaction": shown["id"], "fields": {"Reason": "of you"}}
    )
    done = await settled(client, got.body["interaction"])
    assert (done["message"]["text"], done["ephemeral"]) == ("because of you", True)


async def test_follow_ups(bot: tuple[discord.Client, Client]) -> None:
    _, client = bot
    shown = await run(client, "twice")
    async with asyncio.timeout(60):
        while not (shown["followups"] and shown["message"]["text"] == "one, edited"):
            shown = (await client.api("GET", f"interactions/{shown['id']}")).body
    assert shown["followups"][0]["text"] == "two"


async def test_channels_messages_threads_and_files(bot: tuple[discord.Client, Client]) -> None:
    running, client = bot
    channel = running.get_channel(int(client.sandbox.channel_id("general")))
    assert isinstance(channel, discord.TextChannel)
    role = channel.guild.get_role(int(client.sandbox.role_id("helper")))
    assert role is not None
    message = await channel.send(
        f"look {role.mention}", file=discord.File(io.BytesIO(b"log"), "a.txt"), nonce="k1"
    )
    assert [one.name for one in message.role_mentions] == ["helper"]
    thread = await message.create_thread(name="log")
    await thread.send("line")
    edited = await message.edit(
        content="new", attachments=[*message.attachments, discord.File(io.BytesIO(b"2"), "b.txt")]
    )
    assert [one.filename for one in edited.attachments] == ["a.txt", "b.txt"]
    assert await edited.attachments[1].read() == b"2"
    await thread.edit(archived=True)
    assert [one.content async for one in channel.history(limit=5)] == ["new"]
    await message.delete()
    with pytest.raises(discord.NotFound) as gone:
        await channel.fetch_message(message.id)
    assert gone.value.code == 10008
    member = channel.guild.get_member(int(client.sandbox.person_id("ada")))
    assert member is not None
    await client.api("PATCH", "people/ada", {"roles": ["helper"]})
    async with asyncio.timeout(60):
        while role not in member.roles:
            await asyncio.sleep(0.01)


async def test_direct_messages(bot: tuple[discord.Client, Client]) -> None:
    running, client = bot
    heard: asyncio.Queue[discord.Message] = asyncio.Queue()

    @running.event
    async def on_message(message: discord.Message) -> None:
        if not message.author.bot:
            await heard.put(message)

    ada = await running.fetch_user(int(client.sandbox.person_id("ada")))
    sent = await ada.send("wake up", nonce="k3")
    assert isinstance(sent.channel, discord.DMChannel)
    assert sent.guild is None
    await client.api("POST", "messages", {"user": "ada", "channel": "@robot", "content": "I am up"})
    answer = await asyncio.wait_for(heard.get(), 60)
    assert (answer.content, answer.guild, answer.author.name) == ("I am up", None, "ada")
    assert answer.channel.id == sent.channel.id
    assert [one.content async for one in sent.channel.history()] == ["I am up", "wake up"]
    await client.api("PATCH", "people/ada", {"accepts_messages": False})
    with pytest.raises(discord.Forbidden) as refused:
        await ada.send("again")
    assert refused.value.code == 50007


async def test_reactions(bot: tuple[discord.Client, Client]) -> None:
    running, client = bot
    channel = running.get_channel(int(client.sandbox.channel_id("general")))
    assert isinstance(channel, discord.TextChannel)
    message = await channel.send("take it?")
    await message.add_reaction("👀")
    waiting = asyncio.create_task(
        running.wait_for("reaction_add", check=lambda _, user: user.name == "ada", timeout=60)
    )
    await asyncio.sleep(0)
    await client.api("POST", "reactions", {"user": "ada", "message": str(message.id), "emoji": "👀"})
    reaction, user = await waiting
    assert (reaction.emoji, reaction.count, user.name) == ("👀", 2, "ada")
    seen = (await channel.fetch_message(message.id)).reactions[0]
    assert (seen.count, seen.me) == (2, True)
    assert {one.name async for one in seen.users()} == {"robot", "ada"}
    await message.remove_reaction("👀", running.user)  # type: ignore[arg-type]
    seen = (await channel.fetch_message(message.id)).reactions[0]
    assert (seen.count, seen.me) == (1, False)


async def test_it_waits_out_a_429_and_retries_a_500_with_the_same_nonce(
    bot: tuple[discord.Client, Client],
) -> None:
    running, client = bot
    channel = running.get_channel(int(client.sandbox.channel_id("general")))
    assert isinstance(channel, discord.TextChannel)
    await client.api("POST", "faults", {"kind": "429", "route": "/channels/*/messages", "retry_after": 0.05})
    await channel.send("patient")
    await client.api(
        "POST", "faults", {"kind": "500_after_apply", "route": "/channels/*/messages", "method": "POST"}
    )
    await channel.send("once", nonce="k2")
    listed = (await client.api("GET", "channels/general/messages")).body["messages"]
    assert [one["text"] for one in listed] == ["patient", "once"]


@pytest.mark.parametrize("fault", [{"kind": "gateway_drop"}, {"kind": "op7"}])
async def test_it_resumes_and_misses_nothing(bot: tuple[discord.Client, Client], fault: JSON) -> None:
    _, client = bot
    identified = (await client.api("GET", "state")).body["applications"][0]["identifies_left"]
    assert (await client.api("POST", "faults", fault)).body["hits"] == 1
    shown = await run(client, "order", dish="tea")
    assert shown["state"] == "answered"
    assert (await client.api("GET", "state")).body["applications"][0]["identifies_left"] == identified


async def test_after_a_reset_it_identifies_again(bot: tuple[discord.Client, Client]) -> None:
    _, client = bot
    before = {one["id"] for one in (await client.api("GET", "state")).body["sessions"]}
    await client.api("POST", "reset", {})
    async with asyncio.timeout(60):
        while True:
            sessions = (await client.api("GET", "state")).body["sessions"]
            if any(one["connected"] and one["id"] not in before for one in sessions):
                break
            await asyncio.sleep(0.02)
    assert (await run(client, "order", dish="tea"))["state"] == "answered"
