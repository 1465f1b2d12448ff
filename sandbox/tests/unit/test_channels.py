"""Messages, threads, attachments and permissions in channels."""

import io
import json
from typing import Any

import aiohttp
import pytest

from discord_sandbox import ManualClock
from support.client import Client

JSON = dict[str, Any]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x20\x00\x00\x00\x10" + b"0" * 20


def where(client: Client, channel: str = "general") -> str:
    return f"/channels/{client.sandbox.channel_id(channel)}"


async def deny(client: Client, *names: str, value: bool | None = False) -> None:
    body = {"permissions": dict.fromkeys(names, value), "application": "robot"}
    assert (await client.api("PATCH", "channels/general", body)).status == 200


async def test_messages_are_paged_newest_first(client: Client) -> None:
    ids = [(await client.send({"content": str(i)})).body["id"] for i in range(7)]
    base = where(client) + "/messages"

    async def page(query: str) -> list[str]:
        return [one["content"] for one in (await client.rest("GET", f"{base}?{query}")).body]

    assert await page("limit=2") == ["6", "5"]
    assert await page(f"before={ids[3]}&limit=2") == ["2", "1"]
    assert await page(f"after={ids[3]}&limit=2") == ["5", "4"]
    assert await page(f"around={ids[3]}&limit=3") == ["4", "3", "2"]
    assert (await client.rest("GET", f"{base}?limit=100")).status == 200
    assert (await client.rest("GET", f"{base}?limit=101")).code == 50035


async def test_an_enforced_nonce_posts_once(client: Client, clock: ManualClock) -> None:
    body = {"content": "once", "nonce": "effect-1", "enforce_nonce": True}
    first, again = await client.send(body), await client.send(body)
    assert first.body["id"] == again.body["id"]
    assert first.body["nonce"] == "effect-1"
    assert (await client.send(body | {"enforce_nonce": False})).body["id"] != first.body["id"]
    async with Client(client.sandbox, "echo") as other:
        assert (await other.send(body)).body["id"] != first.body["id"]
    clock.advance(301)
    assert (await client.send(body)).body["id"] != first.body["id"]


async def test_only_own_messages_are_edited_and_deleted(client: Client) -> None:
    async with Client(client.sandbox, "echo") as other:
        message = (await other.send({"content": "theirs"})).body["id"]
    path = f"{where(client)}/messages/{message}"
    assert (await client.rest("PATCH", path, {"content": "mine"})).code == 50005
    assert (await client.rest("DELETE", path)).code == 50013
    await deny(client, "MANAGE_MESSAGES", value=True)
    assert (await client.rest("DELETE", path)).status == 204
    assert (await client.rest("DELETE", path)).code == 10008


async def test_an_edit_keeps_the_attachments_it_lists(client: Client) -> None:
    form = aiohttp.FormData()
    form.add_field("payload_json", json.dumps({"attachments": [{"id": 0, "description": "a"}, {"id": 1}]}))
    form.add_field("files[0]", PNG, filename="a.png", content_type="image/png")
    form.add_field("files[1]", b"log", filename="b.txt", content_type="text/plain")
    made = (await client.rest("POST", where(client) + "/messages", data=form)).body
    picture, log = made["attachments"]
    assert (picture["width"], picture["height"], picture["description"]) == (32, 16, "a")
    async with client.http.get(picture["url"]) as got:
        assert (await got.read(), got.content_type) == (PNG, "image/png")
    path = f"{where(client)}/messages/{made['id']}"
    kept = await client.rest("PATCH", path, {"content": "x"})
    assert len(kept.body["attachments"]) == 2
    fewer = await client.rest("PATCH", path, {"attachments": [{"id": log["id"]}]})
    assert [one["filename"] for one in fewer.body["attachments"]] == ["b.txt"]
    assert (await client.rest("PATCH", path, {"attachments": [{"id": picture["id"]}]})).code == 50035
    view = (await client.api("GET", f"messages/{made['id']}")).body
    async with client.http.get(client.sandbox.url + view["attachments"][0]["url"]) as got:
        assert await got.read() == b"log"


async def test_files_up_to_ten_mebibytes(client: Client) -> None:
    for size, status in ((10 * 1024 * 1024, 200), (10 * 1024 * 1024 + 1, 413)):
        form = aiohttp.FormData()
        form.add_field("files[0]", io.BytesIO(b"x" * size), filename="big.bin")
        got = await client.rest("POST", where(client) + "/messages", data=form)
        assert got.status == status


async def test_a_gallery_shows_an_uploaded_file(client: Client) -> None:
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://chart.png"}}]}
    form = aiohttp.FormData()
    form.add_field("payload_json", json.dumps({"flags": 1 << 15, "components": [gallery]}))
    form.add_field("files[0]", PNG, filename="chart.png")
    made = (await client.rest("POST", where(client) + "/messages", data=form)).body
    assert made["components"][0]["items"][0]["media"]["url"].startswith("http://127.0.0.1")
    view = (await client.api("GET", f"messages/{made['id']}")).body
    assert view["components"][0]["items"][0]["media"]["url"].startswith("/cdn/")


async def test_payload_json_may_be_urlencoded(client: Client) -> None:
    made = await client.rest(
        "POST", where(client) + "/messages", data={"payload_json": '{"content": "form"}'}
    )
    assert made.body["content"] == "form"


@pytest.mark.parametrize("raw", [b"{", b"[1]", b'"x"'])
async def test_a_body_that_is_no_object_is_refused(client: Client, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    got = await client.rest("POST", where(client) + "/messages", data=raw, headers=headers)
    assert got.code in (50109, 50035)


async def test_a_thread_has_its_messages_id_and_is_made_once(client: Client) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    path = f"{where(client)}/messages/{message}/threads"
    made = await client.rest("POST", path, {"name": "log"})
    assert (made.status, made.body["id"], made.body["type"]) == (201, message, 11)
    assert (await client.rest("POST", path, {"name": "log"})).code == 160004
    thread = f"/channels/{message}"
    assert (await client.rest("POST", f"{thread}/messages", {"content": "line"})).status == 200
    assert (await client.rest("GET", thread)).body["message_count"] == 1
    starter = (await client.rest("GET", f"{where(client)}/messages/{message}")).body
    assert starter["flags"] & 32
    assert starter["thread"]["name"] == "log"
    listed = (await client.api("GET", "channels/log/messages")).body["messages"]
    assert listed[-1]["text"] == "line"


async def test_a_deleted_thread_can_be_created_again(client: Client) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    path = f"{where(client)}/messages/{message}/threads"
    await client.rest("POST", path, {"name": "log"})
    assert (await client.api("DELETE", f"channels/{message}")).status == 200
    assert (await client.rest("GET", f"/channels/{message}")).code == 10003
    assert "thread" not in (await client.rest("GET", f"{where(client)}/messages/{message}")).body
    assert (await client.rest("POST", path, {"name": "log"})).status == 201


@pytest.mark.parametrize(("name", "status"), [("x" * 100, 201), ("x" * 101, 400), ("", 400)])
async def test_names_of_threads(client: Client, name: str, status: int) -> None:
    got = await client.rest("POST", where(client) + "/threads", {"name": name, "type": 11})
    assert got.status == status


async def test_an_archived_thread_wakes_up_unless_it_is_locked(client: Client) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    await client.rest("POST", f"{where(client)}/messages/{message}/threads", {"name": "log"})
    thread = f"/channels/{message}"
    line = (await client.rest("POST", f"{thread}/messages", {"content": "line"})).body["id"]
    archived = await client.rest("PATCH", thread, {"archived": True})
    assert archived.body["thread_metadata"]["archived"] is True
    assert (await client.rest("PATCH", f"{thread}/messages/{line}", {"content": "x"})).code == 50083
    assert (await client.rest("PATCH", thread, {"name": "new"})).code == 50083
    assert (await client.rest("POST", f"{thread}/messages", {"content": "more"})).status == 200
    assert (await client.rest("GET", thread)).body["thread_metadata"]["archived"] is False
    await deny(client, "MANAGE_THREADS")
    await client.api("PATCH", f"channels/{message}", {"locked": True})
    assert (await client.rest("POST", f"{thread}/messages", {"content": "more"})).code == 160005


async def test_a_thread_without_a_message(client: Client) -> None:
    made = await client.rest("POST", where(client) + "/threads", {"name": "incident", "type": 11})
    assert made.body["type"] == 11
    assert (await client.rest("POST", where(client) + "/threads", {"name": "private"})).code == 50013
    assert (await client.rest("GET", f"/channels/{made.body['id']}/thread-members")).status == 200
    assert (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/threads/active")).status == 200
    assert (await client.rest("GET", where(client) + "/threads/archived/public")).status == 200


@pytest.mark.parametrize(
    ("permission", "call", "code"),
    [
        ("VIEW_CHANNEL", "send", 50001),
        ("SEND_MESSAGES", "send", 50013),
        ("EMBED_LINKS", "embed", 50013),
        ("ATTACH_FILES", "file", 50013),
        ("CREATE_PUBLIC_THREADS", "thread", 50013),
        ("SEND_MESSAGES_IN_THREADS", "in thread", 50013),
        ("READ_MESSAGE_HISTORY", "get", 50013),
    ],
)
async def test_a_permission_that_is_withdrawn_is_missed(
    client: Client, permission: str, call: str, code: int
) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    await client.rest("POST", f"{where(client)}/messages/{message}/threads", {"name": "log"})

    async def attempt() -> int:
        base = where(client)
        if call == "file":
            form = aiohttp.FormData()
            form.add_field("files[0]", b"x", filename="a.txt")
            return (await client.rest("POST", f"{base}/messages", data=form)).status
        calls: dict[str, tuple[str, str, JSON | None]] = {
            "send": ("POST", f"{base}/messages", {"content": "x"}),
            "embed": ("POST", f"{base}/messages", {"embeds": [{"title": "x"}]}),
            "thread": ("POST", f"{base}/threads", {"name": "x", "type": 11}),
            "in thread": ("POST", f"/channels/{message}/messages", {"content": "x"}),
            "get": ("GET", f"{base}/messages/{message}", None),
        }
        got = await client.rest(*calls[call])
        assert got.status < 400 or got.code == code
        return got.status

    assert await attempt() < 400
    await deny(client, permission)
    assert await attempt() == 403
    await deny(client, permission, value=None)
    assert await attempt() < 400


async def test_unknown_things_have_their_codes(client: Client) -> None:
    guild = client.sandbox.guild_id()
    for path, code in (
        ("/channels/1", 10003),
        (where(client) + "/messages/1", 10008),
        ("/guilds/1", 10004),
        (f"/guilds/{guild}/members/1", 10007),
        (f"/guilds/{guild}/roles/1", 10011),
        ("/users/1", 10013),
    ):
        assert (await client.rest("GET", path)).code == code


async def test_a_bad_token_is_401(client: Client) -> None:
    for token in ("nonsense", ""):
        got = await client.rest("GET", "/users/@me", token=token)
        assert (got.status, got.body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_what_clients_read_at_the_start(client: Client) -> None:
    guild = client.sandbox.guild_id()
    for path in (
        "/gateway",
        "/gateway/bot",
        "/users/@me",
        "/users/@me/guilds",
        "/oauth2/applications/@me",
        "/applications/@me",
        "/oauth2/@me",
        f"/users/{client.sandbox.person_id('ada')}",
        f"/guilds/{guild}",
        f"/guilds/{guild}?with_counts=true",
        f"/guilds/{guild}/channels",
        f"/guilds/{guild}/roles",
        f"/guilds/{guild}/roles/{client.sandbox.role_id('helper')}",
        f"/guilds/{guild}/members?limit=1000",
        f"/guilds/{guild}/members/search?query=de&limit=10",
        f"/guilds/{guild}/members/{client.sandbox.person_id('ada')}",
        where(client),
    ):
        assert (await client.rest("GET", path)).status == 200, path


async def test_edits_of_old_messages_have_a_cap(client: Client, clock: ManualClock) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    path = f"{where(client)}/messages/{message}"
    clock.advance(3600)
    for _ in range(35):
        assert (await client.rest("PATCH", path, {"content": "young"})).status == 200
    clock.advance(1)
    statuses = [(await client.rest("PATCH", path, {"content": "old"})).status for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    refused = await client.rest("PATCH", path, {"content": "old"})
    assert (refused.code, "Via" in refused.headers) == (30046, True)
    clock.advance(3601)
    assert (await client.rest("PATCH", path, {"content": "old"})).status == 200


async def notified(client: Client, body: JSON) -> list[str]:
    message = (await client.send(body)).body["id"]
    found: list[str] = (await client.api("GET", f"messages/{message}")).body["notified"]
    return sorted(found)


async def test_only_new_content_notifies_and_only_those_allowed(client: Client) -> None:
    ada, role = f"<@{client.sandbox.person_id('ada')}>", f"<@&{client.sandbox.role_id('moderator')}>"
    assert await notified(client, {"content": f"{ada} {role}"}) == ["ada", "max", "mia"]
    assert await notified(client, {"content": f"{ada} {role}", "allowed_mentions": {"parse": []}}) == []
    users = {"parse": [], "users": [client.sandbox.person_id("ada")]}
    assert await notified(client, {"content": f"{ada} {role}", "allowed_mentions": users}) == ["ada"]
    assert await notified(client, {"embeds": [{"description": ada}]}) == []
    assert await notified(client, {"flags": 1 << 15, "components": [{"type": 10, "content": ada}]}) == ["ada"]
    assert await notified(client, {"content": "@everyone"}) == []
    await client.api("PATCH", "roles/moderator", {"mentionable": False})
    assert await notified(client, {"content": role}) == []
    await deny(client, "MENTION_EVERYONE", value=True)
    assert await notified(client, {"content": role}) == ["max", "mia"]
    assert len(await notified(client, {"content": "@everyone"})) == 7
    message = (await client.send({"content": "quiet"})).body["id"]
    edited = await client.rest("PATCH", f"{where(client)}/messages/{message}", {"content": ada})
    assert [one["username"] for one in edited.body["mentions"]] == ["ada"]
    assert (await client.api("GET", f"messages/{message}")).body["notified"] == []


async def test_a_channel_takes_250_pins(client: Client) -> None:
    await deny(client, "PIN_MESSAGES", value=True)
    pins = client.sandbox.core.state.channels[client.sandbox.channel_id("general")].pins
    pins += [str(number) for number in range(249)]
    ids = [(await client.send({"content": str(i)})).body["id"] for i in range(2)]
    assert (await client.rest("PUT", f"{where(client)}/messages/pins/{ids[0]}")).status == 204
    assert (await client.rest("PUT", f"{where(client)}/messages/pins/{ids[1]}")).code == 30003


async def test_a_reply_needs_its_message(client: Client) -> None:
    message = (await client.send({"content": "card"})).body["id"]
    reply = await client.send({"content": "re", "message_reference": {"message_id": message}})
    assert (reply.body["type"], reply.body["referenced_message"]["id"]) == (19, message)
    assert (await client.send({"content": "re", "message_reference": {"message_id": "1"}})).code == 50035
    lenient = {"message_id": "1", "fail_if_not_exists": False}
    assert (await client.send({"content": "re", "message_reference": lenient})).status == 200


async def test_pins_reactions_bulk_deletes_and_typing(client: Client) -> None:
    ids = [(await client.send({"content": str(i)})).body["id"] for i in range(3)]
    await deny(client, "MANAGE_MESSAGES", value=True)
    assert (await client.rest("PUT", f"{where(client)}/pins/{ids[0]}")).code == 50013
    await deny(client, "PIN_MESSAGES", value=True)
    assert (await client.rest("PUT", f"{where(client)}/pins/{ids[0]}")).status == 204
    assert [one["id"] for one in (await client.rest("GET", f"{where(client)}/pins")).body] == [ids[0]]
    assert len((await client.rest("GET", f"{where(client)}/messages/pins")).body["items"]) == 1
    assert (await client.rest("DELETE", f"{where(client)}/pins/{ids[0]}")).status == 204
    assert (await client.rest("PUT", f"{where(client)}/messages/pins/{ids[1]}")).status == 204
    react = f"{where(client)}/messages/{ids[0]}/reactions/✅/@me"
    assert (await client.rest("PUT", react)).status == 204
    assert (await client.rest("GET", f"{where(client)}/messages/{ids[0]}")).body["reactions"][0]["count"] == 1
    assert (await client.rest("DELETE", react)).status == 204
    assert (await client.rest("POST", f"{where(client)}/typing")).status == 204
    twice = {"messages": [ids[0], *ids]}
    assert (await client.rest("POST", f"{where(client)}/messages/bulk-delete", twice)).code == 50035
    assert (
        await client.rest("POST", f"{where(client)}/messages/bulk-delete", {"messages": ids})
    ).status == 204
    left = (await client.rest("GET", f"{where(client)}/messages")).body
    assert [one["type"] for one in left] == [6, 6]  # who pinned
