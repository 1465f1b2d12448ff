"""What a bot sets in channels and threads: it is kept and announced, or refused, never dropped."""

from typing import Any

import pytest

from support.client import Client, Wire

JSON = dict[str, Any]
SEND, MANAGE_ROLES, PIN, BAN = 1 << 11, 1 << 28, 1 << 51, 1 << 2


def channel(client: Client, name: str = "general") -> str:
    return f"/channels/{client.sandbox.channel_id(name)}"


async def grant(client: Client, *names: str) -> None:
    body = {"permissions": dict.fromkeys(names, True)}
    assert (await client.api("PATCH", "roles/Robot", body)).status == 200


async def test_settings_of_a_channel_are_kept_and_announced(client: Client) -> None:
    await grant(client, "MANAGE_CHANNELS", "MANAGE_ROLES")
    role = client.sandbox.role_id("helper")
    wanted: JSON = {
        "nsfw": True,
        "position": 7,
        "rate_limit_per_user": 10,
        "default_auto_archive_duration": 60,
        "permission_overwrites": [{"id": role, "type": 0, "allow": str(SEND), "deny": "0"}],
    }
    async with Wire(client) as wire:
        await wire.identify()
        changed = (await client.rest("PATCH", channel(client), wanted)).body
        announced = await wire.dispatch("CHANNEL_UPDATE")
    for found in (changed, announced, (await client.rest("GET", channel(client))).body):
        assert {key: found[key] for key in wanted} == wanted
    thread = await client.rest("POST", f"{channel(client)}/threads", {"name": "t", "type": 11})
    assert thread.body["thread_metadata"]["auto_archive_duration"] == 60
    null = dict.fromkeys(("rate_limit_per_user", "default_auto_archive_duration", "nsfw", "position"))
    changed = (await client.rest("PATCH", channel(client), null)).body
    assert (changed["rate_limit_per_user"], changed["nsfw"], changed["position"]) == (0, True, 7)
    assert "default_auto_archive_duration" not in changed


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"nsfw": "maybe"}, "nsfw"),
        ({"position": -1}, "position"),
        ({"default_auto_archive_duration": 61}, "default_auto_archive_duration"),
        ({"permission_overwrites": [{"allow": "0"}]}, "permission_overwrites"),
        ({"permission_overwrites": [{"id": "1", "type": 2}]}, "permission_overwrites"),
        ({"permission_overwrites": [{"id": "1", "type": 0, "deny": "abc"}]}, "permission_overwrites"),
        ({"parent_id": "1"}, "parent_id"),
        ({"type": 5}, "type"),
    ],
)
async def test_what_cannot_be_set_is_refused(client: Client, body: JSON, key: str) -> None:
    await grant(client, "MANAGE_CHANNELS", "MANAGE_ROLES")
    refused = await client.rest("PATCH", channel(client), body)
    assert (refused.code, set(refused.body["errors"])) == (50035, {key})


async def test_threads_keep_their_slow_mode(client: Client) -> None:
    body = {"name": "t", "type": 11, "rate_limit_per_user": 30}
    alone = (await client.rest("POST", f"{channel(client)}/threads", body)).body
    message = (await client.send({"content": "x"})).body["id"]
    body = {"name": "t", "rate_limit_per_user": 40}
    started = (await client.rest("POST", f"{channel(client)}/messages/{message}/threads", body)).body
    assert (alone["rate_limit_per_user"], started["rate_limit_per_user"]) == (30, 40)
    assert (await client.rest("GET", f"/channels/{message}")).body["rate_limit_per_user"] == 40
    too_long = body | {"rate_limit_per_user": 21601}
    assert (await client.rest("POST", f"{channel(client)}/threads", too_long)).code == 50035


async def test_an_overwrite_needs_a_role_or_member_and_numbers(client: Client) -> None:
    await grant(client, "MANAGE_CHANNELS", "MANAGE_ROLES")
    role, ada = client.sandbox.role_id("helper"), client.sandbox.person_id("ada")
    for target, body, code in (
        (role, {"type": 0, "allow": "abc"}, 50035),
        (role, {"type": 0, "deny": -1}, 50035),
        (role, {"type": 2}, 50035),
        (role, {"type": 1}, 10009),
        (ada, {"type": 0}, 10009),
        ("1", {"type": 0}, 10009),
        ("1", {"type": 1}, 10009),
    ):
        refused = await client.rest("PUT", f"{channel(client)}/permissions/{target}", body)
        assert refused.code == code, (target, body)
        listed = [{"id": target} | body]
        refused = await client.rest("PATCH", channel(client), {"permission_overwrites": listed})
        assert refused.code == code, (target, body)
    assert (await client.rest("GET", channel(client))).body["permission_overwrites"] == []


async def test_an_overwrite_is_deleted_once(client: Client) -> None:
    await grant(client, "MANAGE_ROLES")
    path = f"{channel(client)}/permissions/{client.sandbox.person_id('ada')}"
    assert (await client.rest("PUT", path, {"type": 1, "deny": str(SEND)})).status == 204
    said = {"user": "ada", "channel": "general", "content": "x"}
    assert (await client.api("POST", "messages", said)).status == 403
    async with Wire(client) as wire:
        await wire.identify()
        assert (await client.rest("DELETE", path)).status == 204
        assert (await wire.dispatch("CHANNEL_UPDATE"))["permission_overwrites"] == []
    assert (await client.api("POST", "messages", said)).status == 201
    assert (await client.rest("DELETE", path)).code == 10009


async def test_a_bot_hands_on_no_permission_that_it_lacks(client: Client) -> None:
    path = f"{channel(client)}/permissions/{client.sandbox.role_id('helper')}"

    async def put(allow: int) -> int:
        return (await client.rest("PUT", path, {"type": 0, "allow": str(allow)})).status

    assert await put(SEND) == 403
    await grant(client, "MANAGE_ROLES")
    assert [await put(SEND), await put(BAN), await put(MANAGE_ROLES)] == [204, 403, 403]
    await client.api("PATCH", "channels/general", {"permissions": {"MANAGE_ROLES": True}})
    assert await put(BAN | MANAGE_ROLES) == 204
    await grant(client, "ADMINISTRATOR")
    assert await put(0) == 204
