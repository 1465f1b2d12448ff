"""Any body that a bot or script sends: an answer in Discord's shape, never a crash."""

from typing import Any

from support.client import Client

JSON = dict[str, Any]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1.5,
    "",
    "x",
    "x" * 5000,
    [],
    [None],
    [[]],
    {},
    {"type": 1},
    "123",
    {"id": "1"},
]
BASES: list[tuple[str, JSON]] = [
    (
        "message",
        {
            "content": "x",
            "embeds": [
                {
                    "title": "t",
                    "fields": [{"name": "n", "value": "v"}],
                    "footer": {"text": "f"},
                    "image": {"url": "https://e.com"},
                }
            ],
            "components": [
                {
                    "type": 1,
                    "components": [
                        {"type": 2, "style": 1, "label": "Go", "custom_id": "go", "emoji": {"name": "x"}}
                    ],
                }
            ],
            "allowed_mentions": {"parse": ["users"], "roles": ["1"]},
            "attachments": [],
            "message_reference": {"message_id": "1", "fail_if_not_exists": False},
            "flags": 0,
            "nonce": "n",
            "enforce_nonce": True,
        },
    ),
    (
        "message",
        {
            "flags": 1 << 15,
            "components": [
                {
                    "type": 17,
                    "accent_color": 1,
                    "components": [
                        {
                            "type": 9,
                            "components": [{"type": 10, "content": "x"}],
                            "accessory": {"type": 11, "media": {"url": "https://e.com"}},
                        }
                    ],
                },
                {"type": 12, "items": [{"media": {"url": "https://e.com"}}]},
                {"type": 13, "file": {"url": "attachment://x"}},
                {"type": 14, "spacing": 1},
                {
                    "type": 1,
                    "components": [{"type": 3, "custom_id": "s", "options": [{"label": "l", "value": "v"}]}],
                },
            ],
        },
    ),
    (
        "command",
        {
            "name": "order",
            "type": 1,
            "description": "d",
            "default_member_permissions": "8",
            "contexts": [0],
            "options": [
                {
                    "type": 3,
                    "name": "o",
                    "description": "d",
                    "choices": [{"name": "n", "value": "v"}],
                    "min_length": 1,
                }
            ],
        },
    ),
    (
        "callback",
        {
            "type": 9,
            "data": {
                "custom_id": "m",
                "title": "t",
                "components": [
                    {
                        "type": 18,
                        "label": "l",
                        "component": {"type": 4, "custom_id": "c", "style": 1, "min_length": 1},
                    }
                ],
            },
        },
    ),
    ("callback", {"type": 4, "data": {"content": "x", "flags": 64, "attachments": [], "components": []}}),
    ("thread", {"name": "log", "type": 11, "auto_archive_duration": 60}),
    ("channel", {"archived": True, "locked": False, "name": "x"}),
    ("press", {"user": "ada", "message": "1", "button": "x"}),
    ("run", {"user": "ada", "channel": "general", "command": "ping", "options": {}}),
    (
        "fault",
        {"kind": "429", "route": "/nothing", "count": 1, "retry_after": 1, "scope": "user", "seconds": 1},
    ),
    ("people", {"roles": ["helper"]}),
    ("permissions", {"permissions": {"VIEW_CHANNEL": True}, "role": "helper"}),
]


def spots(node: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        found.append((node, key))
        found += spots(node[key])
    return found


def copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items()}
    return [copied(one) for one in node] if isinstance(node, list) else node


async def send(client: Client, kind: str, body: JSON) -> int:
    channel = f"/channels/{client.sandbox.channel_id('support')}"
    rest = {
        "message": ("POST", f"{channel}/messages"),
        "command": ("POST", f"/applications/{client.sandbox.application_id()}/commands"),
        "thread": ("POST", f"{channel}/threads"),
        "channel": ("PATCH", channel),
    }
    api = {
        "press": ("POST", "presses"),
        "run": ("POST", "commands"),
        "fault": ("POST", "faults"),
        "people": ("PATCH", "people/ben"),
        "permissions": ("PATCH", "channels/news"),
    }
    if kind == "callback":
        return (
            await client.callback(await client.begin(user="ada", channel="general", command="ping"), body)
        ).status
    if kind in rest:
        return (await client.rest(*rest[kind], body)).status
    return (await client.api(*api[kind], body)).status


async def test_every_field_may_hold_anything(client: Client) -> None:
    for kind, base in BASES:
        for index in range(len(spots(base))):
            for odd in ODD:
                body = copied(base)
                holder, key = spots(body)[index]
                holder[key] = odd
                status = await send(client, kind, body)
                assert status < 500, (kind, key, odd)
                if kind == "fault":
                    await client.api("DELETE", "faults")


async def test_a_list_is_no_body_for_a_route_that_takes_an_object(client: Client) -> None:
    channel = client.sandbox.channel_id("general")
    for method, path in (("POST", f"/channels/{channel}/messages"), ("PATCH", f"/channels/{channel}")):
        assert (await client.rest(method, path, [])).status in (400, 403)
    app = client.sandbox.application_id()
    refused = await client.rest("POST", f"/applications/{app}/commands", [])
    assert (refused.status, refused.code) == (400, 50035)
