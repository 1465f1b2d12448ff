"""What people write: files, replies, edits and deletions, as bots see them and as they are refused."""

import base64
from typing import Any

import pytest

from support.client import Client, Wire

JSON = dict[str, Any]
MESSAGES, CONTENT = 1 << 9, 1 << 15
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03").decode()


async def write(client: Client, user: str = "ada", channel: str = "general", **body: Any) -> Any:
    return await client.api("POST", "messages", {"user": user, "channel": channel, **body})


async def test_files_are_sent_with_or_without_text(client: Client) -> None:
    files = [
        {"filename": "a b.txt", "text": "log", "description": "What happened"},
        {"filename": "dot.png", "content": PNG},
    ]
    async with Wire(client) as wire:
        await wire.identify(1 | MESSAGES | CONTENT)
        got = await write(client, files=files)
        assert (got.status, got.body["content"]) == (201, "")
        told = (await wire.dispatch("MESSAGE_CREATE"))["attachments"]
    first, second = told
    assert (first["filename"], first["size"], first["description"]) == ("a_b.txt", 3, "What happened")
    assert (second["content_type"], second["width"], second["height"]) == ("image/png", 2, 3)
    async with client.http.get(first["url"]) as file:
        assert await file.text() == "log"
    kept = (await client.api("PATCH", f"messages/{got.body['id']}", {"user": "ada", "content": "see"})).body
    assert ([one["filename"] for one in kept["attachments"]], kept["content"]) == (
        ["a_b.txt", "dot.png"],
        "see",
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"files": "x"}, 400, "invalid"),
        ({"files": [{}]}, 400, "invalid"),
        ({"files": [{"filename": "a", "content": "!"}]}, 400, "invalid"),
        ({"files": [{"filename": "a", "text": "x"}] * 11}, 400, "invalid"),
        ({"files": [{"filename": "a", "text": "x" * (10 * 1024 * 1024 + 1)}]}, 413, "too_large"),
        ({"content": "x" * 2001}, 400, "refused"),
        ({"content": "x", "reply_to": "1"}, 404, "unknown_message"),
    ],
)
async def test_what_discords_client_would_not_send_is_refused(
    client: Client, body: JSON, status: int, code: str
) -> None:
    got = await write(client, **body)
    assert (got.status, got.body["error"]["code"]) == (status, code)


async def test_files_need_their_permission(client: Client) -> None:
    body = {"role": "member", "permissions": {"ATTACH_FILES": False}}
    await client.api("PATCH", "channels/general", body)
    files = [{"filename": "a.txt", "text": "x"}]
    assert (await write(client, files=files)).status == 403
    assert (await write(client, content="x")).status == 201
    assert (await write(client, user="kim", files=files)).status == 201


async def test_a_reply_names_what_it_answers_and_notifies_unless_told_not_to(client: Client) -> None:
    asked = (await write(client, user="ben", content="soup?")).body["id"]
    answer = (await write(client, content="yes", reply_to=asked)).body
    assert (answer["type"], answer["reference"]["message_id"], answer["notified"]) == (19, asked, ["ben"])
    quiet = (await write(client, content="yes", reply_to=asked, mention=False)).body
    assert (quiet["type"], quiet["notified"]) == (19, [])
    path = f"/channels/{client.sandbox.channel_id('general')}/messages/{answer['id']}"
    seen = (await client.rest("GET", path)).body
    assert (seen["referenced_message"]["content"], seen["mentions"][0]["username"]) == ("soup?", "ben")
    assert (await write(client, channel="news", content="x", reply_to=asked)).status == 404
    card = (await client.send({"content": "card"})).body["id"]
    assert (await write(client, content="good", reply_to=card)).body["notified"] == []


async def test_messages_show_what_they_answer_and_their_thread_as_these_are_now(client: Client) -> None:
    asked = (await write(client, user="ben", content="soup?")).body["id"]
    answer = (await write(client, content="yes", reply_to=asked)).body["id"]
    path = f"/channels/{client.sandbox.channel_id('general')}/messages"
    assert (await client.rest("GET", f"{path}/{answer}")).body["referenced_message"]["content"] == "soup?"
    await client.api("PATCH", f"messages/{asked}", {"user": "ben", "content": "bread?"})
    body = {"user": "ada", "channel": "general", "name": "bread", "message": asked}
    await client.api("POST", "threads", body)
    await write(client, channel="bread", content="white")
    shown = (await client.rest("GET", f"{path}/{answer}")).body["referenced_message"]
    assert (shown["content"], shown["thread"]["message_count"]) == ("bread?", 1)
    await client.api("DELETE", f"messages/{asked}", user="ben")
    assert (await client.rest("GET", f"{path}/{answer}")).body["referenced_message"] is None


async def test_people_change_only_what_they_wrote(client: Client) -> None:
    said = f"messages/{(await write(client, content='one')).body['id']}"
    async with Wire(client) as wire:
        await wire.identify(1 | MESSAGES | CONTENT)
        changed = (await client.api("PATCH", said, {"user": "ada", "content": "two <@1>"})).body
        assert changed["edited"] is not None
        told = await wire.dispatch("MESSAGE_UPDATE")
        assert (told["content"], told["edited_timestamp"] is not None) == ("two <@1>", True)
    assert (await client.api("PATCH", said, {"user": "ben", "content": "x"})).status == 403
    assert (await client.api("PATCH", said, {"user": "ada"})).status == 400
    assert (await client.api("PATCH", said, {"user": "ada", "content": ""})).status == 400
    assert (await client.api("PATCH", "messages/1", {"user": "ada", "content": "x"})).status == 404


async def test_people_delete_their_own_and_moderators_all(client: Client) -> None:
    own = (await write(client, content="mine")).body["id"]
    other = (await write(client, user="ben", content="yours")).body["id"]
    async with Wire(client) as wire:
        await wire.identify(1 | MESSAGES)
        assert (await client.api("DELETE", f"messages/{own}", user="ada")).status == 200
        assert (await wire.dispatch("MESSAGE_DELETE"))["id"] == own
    assert (await client.api("DELETE", f"messages/{own}", user="ada")).status == 404
    assert (await client.api("DELETE", f"messages/{other}", user="ada")).status == 403
    await client.grant("MANAGE_MESSAGES", role="member")
    assert (await client.api("DELETE", f"messages/{other}", user="ada")).status == 200


async def test_threads_open_when_written_in_unless_they_are_locked(client: Client) -> None:
    channel = f"/channels/{client.sandbox.channel_id('general')}"
    thread = (await client.rest("POST", f"{channel}/threads", {"name": "log", "type": 11})).body["id"]
    said = (await write(client, channel="log", content="x")).body["id"]
    await client.api("PATCH", "channels/log", {"archived": True})
    assert (await client.api("PATCH", f"messages/{said}", {"user": "ada", "content": "y"})).status == 409
    assert (await client.api("DELETE", f"messages/{said}", user="ada")).status == 409
    assert (await write(client, user="ben", channel="log", content="again")).status == 201
    got = (await client.rest("GET", f"/channels/{thread}")).body
    assert got["thread_metadata"]["archived"] is False
    members = (await client.rest("GET", f"/channels/{thread}/thread-members")).body
    assert {one["user_id"] for one in members} >= {
        client.sandbox.person_id("ada"),
        client.sandbox.person_id("ben"),
    }
    await client.api("PATCH", "channels/log", {"locked": True})
    refused = await write(client, channel="log", content="x")
    assert (refused.status, refused.body["error"]["code"]) == (403, "locked")


async def test_direct_messages_take_files_and_replies(client: Client) -> None:
    files = [{"filename": "a.txt", "text": "x"}]
    first = (await write(client, channel="@robot", files=files)).body
    answer = await write(client, channel="@robot", content="see that", reply_to=first["id"])
    assert (answer.status, answer.body["reference"]["message_id"]) == (201, first["id"])
