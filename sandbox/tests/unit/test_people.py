"""People as objects, and the recorder of requests, for tests of bots."""

import asyncio
from typing import Any

import pytest

from discord_sandbox import CallRefused, Outcome, Sandbox, SeenMessage
from support.client import Client

JSON = dict[str, Any]
BUTTONS: JSON = {
    "type": 1,
    "components": [
        {"type": 2, "style": 1, "label": "Go", "custom_id": "go"},
        {"type": 2, "style": 2, "emoji": {"name": "🛑"}, "custom_id": "stop"},
        {"type": 2, "style": 2, "label": "Done", "custom_id": "done", "disabled": True},
    ],
}
SELECT: JSON = {"type": 1, "components": [{"type": 5, "custom_id": "who", "placeholder": "Who"}]}
FORM: JSON = {
    "type": 9,
    "data": {
        "custom_id": "form",
        "title": "Form",
        "components": [
            {"type": 18, "label": "Why", "component": {"type": 4, "custom_id": "why", "style": 1}}
        ],
    },
}


@pytest.fixture
def sandbox(client: Client) -> Sandbox:
    return client.sandbox


async def posted(client: Client, **body: Any) -> str:
    return str((await client.send(body)).body["id"])


async def answering(client: Client, action: Any, body: JSON) -> Outcome:
    """Run a person's action; meanwhile the bot answers the next interaction with `body`."""
    known = len(client.sandbox.core.state.interactions)
    running = asyncio.ensure_future(action)
    async with asyncio.timeout(60):
        while len(client.sandbox.core.state.interactions) == known:
            await asyncio.sleep(0)
    it = [*client.sandbox.core.state.interactions.values()][-1]
    about = {"id": it.id, "token": it.token, "application_id": it.application.id}
    assert (await client.callback(about, body)).status == 204
    done: Outcome = await running
    return done


async def test_what_comes_of_commands_presses_selections_and_forms(client: Client, sandbox: Sandbox) -> None:
    ada, mia = sandbox.person("ada"), sandbox.person("mia")
    said = {"type": 4, "data": {"content": "pong", "flags": 64}}
    answer = await answering(client, ada.command("#general", "ping"), said)
    assert (answer.state, answer.text, answer.ephemeral, answer.followups) == ("answered", "pong", True, [])
    assert [one.text for one in await ada.messages("general")] == ["pong"]
    assert await mia.messages("general") == await sandbox.messages("general") == []
    message = await posted(client, content="choose", components=[BUTTONS, SELECT])
    (seen,) = await sandbox.messages("general")
    assert (seen.id, seen.author, seen.buttons, seen.thread) == (message, "robot", ["Go", "🛑"], None)
    form = await answering(client, ada.press(seen, "Go"), FORM)
    assert (form.state, form.modal["title"]) == ("modal", "Form")
    done = await answering(client, ada.submit(form, {"Why": "so"}), said)
    assert done.text == "pong"
    chosen = await answering(client, mia.select(message, "Who", ada), said)
    assert chosen.message == (await mia.messages("general"))[-1]
    (given,) = [one.data for one in sandbox.core.state.interactions.values() if one.id == chosen.id]
    assert given["values"] == [sandbox.person_id("ada")]
    assert (await ada.react(message, "👀")).reactions == {"👀": ["ada"]}
    assert (await ada.unreact(message, "👀")).reactions == {}
    owner = sandbox.person("owner")
    assert (await owner.pin(message)).body["pinned"]
    assert not (await owner.unpin(seen)).body["pinned"]


async def test_what_has_no_answer_says_why(client: Client, sandbox: Sandbox) -> None:
    silent = await sandbox.person("ada", patience=0).command("general", "ping")
    assert silent.state == "pending"
    with pytest.raises(AssertionError, match=r'ada\'s "ping" has no message. It is pending'):
        silent.message  # noqa: B018
    await sandbox.call("POST", "clock", {"advance": 4})
    failed = Outcome.read(await sandbox.call("GET", f"interactions/{silent.id}"))
    with pytest.raises(AssertionError, match=r"failed: The application did not respond within 3 seconds."):
        failed.modal  # noqa: B018


async def test_refusals_are_errors_with_a_hint(client: Client, sandbox: Sandbox) -> None:
    ada = sandbox.person("ada")
    message = await posted(client, content="choose", components=[BUTTONS])
    with pytest.raises(CallRefused) as refused:
        await ada.press(message, "Done")
    assert (refused.value.status, refused.value.code) == (409, "disabled")
    with pytest.raises(CallRefused, match=r"Did you mean general?"):
        await ada.write("genral", "hello")
    with pytest.raises(CallRefused, match=r'There is no person "adda"'):
        await sandbox.person("adda").command("general", "ping")


async def test_a_message_is_waited_for_until_it_fits(client: Client, sandbox: Sandbox) -> None:
    assert (await sandbox.person("ada").write("general", "hello")).text == "hello"
    first = await sandbox.wait_for_message("general", "hell", author="ada")
    waiting = asyncio.ensure_future(sandbox.wait_for_message("general", "hell", after=first))
    await posted(client, content="unfit")
    edited = await posted(client, content="not yet")
    path = f"/channels/{sandbox.channel_id('general')}/messages/{edited}"
    await client.rest("PATCH", path, {"content": "hello again"})
    found = await waiting
    assert (found.id, found.author) == (edited, "robot")
    waiting = asyncio.ensure_future(sandbox.wait_for_message("later", "in the thread"))
    made = await client.rest("POST", f"{path}/threads", {"name": "later"})
    await client.rest("POST", f"/channels/{made.body['id']}/messages", {"content": "in the thread"})
    assert (await waiting).channel == "later"
    (parent,) = [one for one in await sandbox.messages("general") if one.id == edited]
    assert parent.thread == made.body["id"]


async def test_a_message_that_does_not_come_is_an_error_that_says_what_is_there(
    client: Client, sandbox: Sandbox
) -> None:
    with pytest.raises(AssertionError, match=r"in general within 0 s. There is none."):
        await sandbox.wait_for_message("general", seconds=0)
    await posted(client, content="other")
    with pytest.raises(AssertionError, match=r'No message with "x" by ada in general .*\n  robot: other'):
        await sandbox.wait_for_message("general", "x", author="ada", seconds=0)
    with pytest.raises(AssertionError, match=r'There is no channel "nowhere"'):
        await sandbox.person("ada", patience=0).wait_for_message("nowhere")


async def test_the_recorder_has_what_bots_called(client: Client, sandbox: Sandbox) -> None:
    await posted(client, content="before")
    recorder = sandbox.recorder()
    await posted(client, content="one")
    await sandbox.person("ada").write("general", "of a person")
    call = recorder.call("POST /channels/{}/messages")
    assert (call.status, call.body, call.application) == (200, {"content": "one"}, "robot")
    assert recorder.calls("post /channels/{channel_id}/messages") == [call]
    assert recorder.calls("/channels/{}/messages") == recorder.calls(call.path) == recorder.calls() == [call]
    assert recorder.calls(application="echo") == recorder.calls("GET /channels/{}/messages") == []
    recorder.assert_no_errors()
    await client.send({"content": ""})
    with pytest.raises(AssertionError, match=r"1 of 2 calls were refused:\n  400 POST /channels/.*50006"):
        recorder.assert_no_errors()
    with pytest.raises(AssertionError, match=r"was called 2 times, not once."):
        recorder.call("POST /channels/{}/messages")
    recorder.clear()
    await sandbox.call("POST", "faults", {"kind": "503"})
    await client.rest("GET", "/users/@me")
    with pytest.raises(CallRefused):
        await sandbox.person("ada").command("general", "nonsense")
    recorder.assert_no_errors()
    with pytest.raises(
        ValueError, match=r"no route POST /channel/\{\}/messages. Did you mean POST /channels/"
    ):
        recorder.calls("POST /channel/{}/messages")


async def test_a_recorder_says_when_the_log_was_too_short(client: Client, sandbox: Sandbox) -> None:
    recorder, log = sandbox.recorder(), sandbox.core.log
    for _ in range(5001):
        log.open(0, "GET", "/users/@me", "/users/@me")
    with pytest.raises(RuntimeError, match=r"keeps 5,000 calls"):
        recorder.calls()


def test_a_message_without_a_label_on_its_button_is_readable() -> None:
    button = {"label": None, "emoji": None, "custom_id": "go", "enabled": True}
    body = {"id": "1", "channel": "c", "author": "a", "text": "t", "ephemeral": False, "buttons": [button]}
    assert SeenMessage.read(body).buttons == ["go"]
