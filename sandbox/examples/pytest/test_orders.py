"""How to test a bot with the fixtures of discord-sandbox: run `pytest` in this folder."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest
import yarl
from orders import Orders

from discord_sandbox import CallRefused, Recorder, Sandbox


@pytest.fixture
async def bot(sandbox: Sandbox, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Orders]:
    """The bot, connected; a test ends with an error if one of its calls was refused."""
    monkeypatch.setattr(discord.http.Route, "BASE", sandbox.api_base)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(sandbox.gateway_url))
    async with Orders(guild_ready_timeout=0.1) as bot:
        running = asyncio.create_task(bot.start(sandbox.token()))
        async with asyncio.timeout(30):
            await bot.wait_until_ready()
        yield bot
        await bot.close()
        await running
    recorder.assert_no_errors()


@pytest.fixture
async def ordered(bot: Orders, sandbox: Sandbox) -> str:
    """The id of a message with an order for soup, from ada."""
    return (await sandbox.person("ada").command("general", "order", dish="soup")).message.id


async def test_a_moderator_accepts_an_order(ordered: str, sandbox: Sandbox, recorder: Recorder) -> None:
    accepted = await sandbox.person("mia").press(ordered, "Accept")
    assert accepted.text == "soup: accepted"
    assert accepted.message.buttons == []
    assert (await sandbox.wait_for_message("soup is cooking")).text == "10 minutes"
    callback = recorder.calls("POST /interactions/{}/{}/callback")[-1]
    assert callback.body["type"] == 7  # the message with the button is changed
    assert recorder.call("POST /channels/{}/messages").body["content"] == "10 minutes"


async def test_others_are_told_who_accepts(ordered: str, sandbox: Sandbox) -> None:
    refused = await sandbox.person("ada").press(ordered, "Accept")
    assert refused.ephemeral
    assert refused.text == "Only moderators accept orders."


async def test_what_is_accepted_cannot_be_accepted_again(ordered: str, sandbox: Sandbox) -> None:
    mia = sandbox.person("mia")
    await mia.press(ordered, "Accept")
    with pytest.raises(CallRefused) as refused:
        await mia.press(ordered, "Accept")
    assert refused.value.code == "disabled"


async def test_dishes_are_suggested(bot: Orders, sandbox: Sandbox) -> None:
    choices = await sandbox.person("ada").autocomplete("general", "order", "dish", "s")
    assert [one["name"] for one in choices] == ["soup", "salad", "stew"]


async def test_feedback_is_a_form(bot: Orders, sandbox: Sandbox) -> None:
    ada = sandbox.person("ada")
    form = await ada.command("general", "feedback")
    assert form.modal["title"] == "Feedback"
    thanks = await ada.submit(form, {"How was it?": "warm"})
    assert thanks.text == "Thank you: warm"


async def test_it_survives_discords_bad_minutes(bot: Orders, sandbox: Sandbox) -> None:
    await sandbox.call("POST", "faults", {"kind": "op7"})
    await sandbox.call("POST", "faults", {"kind": "429", "route": "/interactions/*", "retry_after": 0.1})
    answer = await sandbox.person("ada").command("general", "order", dish="stew")
    assert answer.text == "stew: ordered"
