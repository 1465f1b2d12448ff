"""What Discord ignores in a body: taken without effect, noted in the request log, refused by a strict sandbox."""

from typing import Any

import pytest

from support.client import PING, Client
from support.commands import command, option, path

JSON = dict[str, Any]
SUB: JSON = {"type": 1, "name": "all", "description": "d", "nsfw": False, "required": True, "min_value": 1}


async def ignored(client: Client) -> list[str]:
    """The paths that the newest call's entry in the log lists."""
    last = (await client.api("GET", "requests")).body["requests"][-1]
    found: list[str] = last["ignored"]
    return found


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"content": "x"}, []),
        ({"content": "x", "colour": 1}, ["colour"]),
        ({"embeds": [{"title": "t", "footer": {"text": "f", "size": 2}}]}, ["embeds.0.footer.size"]),
        (
            {"content": "x", "allowed_mentions": {"parse": [], "everyone": False}},
            ["allowed_mentions.everyone"],
        ),
    ],
)
async def test_undocumented_keys_of_a_message(client: Client, body: JSON, paths: list[str]) -> None:
    made = await client.send(body)
    assert (made.status, await ignored(client)) == (200, paths)
    assert not {"colour", "size"} & (made.body.keys() | (made.body["embeds"] or [{}])[0].keys())


async def test_undocumented_keys_of_commands_and_their_options(client: Client) -> None:
    bodies = [command(options=[SUB]), command("other", options=[option(min_value=3, options=[])], colour=1)]
    made = await client.rest("PUT", path(client), bodies)
    assert made.status == 200
    assert await ignored(client) == [
        "0.options.0.nsfw",
        "0.options.0.min_value",
        "0.options.0.required",
        "1.colour",
        "1.options.0.min_value",
    ]
    assert not {"nsfw", "required", "min_value"} & made.body[0]["options"][0].keys()
    assert not {"options", "min_value"} & made.body[1]["options"][0].keys()
    changed = await client.rest("PATCH", f"{path(client)}/{made.body[0]['id']}", {"color": 1})
    assert (changed.status, await ignored(client)) == (200, ["color"])


async def test_undocumented_keys_of_callbacks_and_follow_ups(client: Client) -> None:
    it = await client.begin(user="ada", channel="general", command="ping")
    body = {"type": 4, "data": {"content": "x", "enforce_nonce": True}, "seq": 1}
    assert (await client.callback(it, body)).status == 204
    assert await ignored(client) == ["seq", "data.enforce_nonce"]
    more = {"content": "x", "nonce": "n"}
    assert (await client.rest("POST", client.webhook(it), more, token="")).status == 200
    assert await ignored(client) == ["nonce"]
    it = await client.begin(user="ada", channel="general", command="ping")
    field = {"type": 4, "custom_id": "f", "style": 1, "colour": 1}
    modal = {"custom_id": "m", "title": "t", "components": [{"type": 18, "label": "l", "component": field}]}
    assert (await client.callback(it, {"type": 9, "data": modal})).status == 204
    assert await ignored(client) == ["data.components.0.component.colour"]


async def test_flags_that_cannot_be_set(client: Client) -> None:
    ephemeral, suppressed, crossposted = 64, 4, 1
    made = await client.send({"content": "x", "flags": suppressed | ephemeral})
    assert (made.body["flags"], await ignored(client)) == (suppressed, ["flags"])
    path = f"/channels/{made.body['channel_id']}/messages/{made.body['id']}"
    edited = await client.rest("PATCH", path, {"flags": crossposted | 1 << 12})
    assert (edited.body["flags"], await ignored(client)) == (0, ["flags"])
    it = await client.begin(user="ada", channel="general", command="ping")
    assert (await client.callback(it, {"type": 5, "data": {"flags": suppressed | ephemeral}})).status == 204
    assert await ignored(client) == ["data.flags"]
    deferred = await client.rest("GET", client.webhook(it, "@original"), token="")
    assert deferred.body["flags"] & 0x7F == ephemeral


async def test_a_refused_body_has_them_too(client: Client) -> None:
    assert (await client.send({"content": "x" * 2001, "colour": 1})).code == 50035
    assert await ignored(client) == ["colour"]


async def test_a_strict_sandbox_refuses_them(strict: Client) -> None:
    await strict.commands(PING)
    it = await strict.begin(user="ada", channel="general", command="ping")
    refused = await strict.callback(it, {"type": 4, "data": {"content": "x", "enforce_nonce": True}})
    assert refused.code == 50035
    error = refused.body["errors"]["data"]["enforce_nonce"]["_errors"][0]
    assert error == {"code": "UNKNOWN_FIELD", "message": "This field is not known."}
