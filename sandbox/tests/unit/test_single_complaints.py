"""One mistake is one complaint: a wrong type, style or text brings no others after it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from discord_sandbox import ManualClock, World
from discord_sandbox.discord.errors import Complaints, DiscordError
from discord_sandbox.discord.rules import commands, messages, modals
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.media import Media
from discord_sandbox.discord.state.store import State
from support.client import Client
from support.commands import path

JSON = dict[str, Any]
GO: JSON = {"type": 2, "style": 1, "label": "Go", "custom_id": "go", "emoji": {"name": "✅"}}
LINK: JSON = {"type": 2, "style": 5, "label": "Go", "url": "https://example.com"}
PLAIN: JSON = {"type": 2, "style": 1, "custom_id": "plain", "label": "Go"}
BARE: JSON = {"type": 2, "style": 1, "custom_id": "bare", "emoji": {"name": "✅"}}
TWO: list[JSON] = [{"label": "l", "value": "v"}, {"label": "m", "value": "w"}]
SELECT: JSON = {"type": 3, "custom_id": "s", "min_values": 1, "max_values": 1, "options": TWO}
TEXT: JSON = {"type": 10, "content": "x"}
MESSAGES: list[JSON] = [
    {
        "content": "x",
        "embeds": [
            {"title": "t", "footer": {"text": "f"}, "author": {"name": "a"}},
            {"title": "alone"},
            {"footer": {"text": "alone"}},
            {"image": {"url": "https://example.com"}},
            {"fields": [{"name": "n", "value": "v"}]},
        ],
        "components": [
            {"type": 1, "components": [GO, LINK, PLAIN, BARE]},
            {"type": 1, "components": [SELECT]},
        ],
        "allowed_mentions": {"parse": ["users"], "roles": ["1"]},
    },
    {
        "flags": 1 << 15,
        "components": [
            {
                "type": 17,
                "components": [
                    {
                        "type": 9,
                        "components": [TEXT],
                        "accessory": {"type": 11, "media": {"url": "https://example.com"}},
                    },
                    {"type": 9, "components": [TEXT], "accessory": GO},
                ],
            },
            {"type": 12, "items": [{"media": {"url": "https://example.com"}}]},
            {"type": 14, "spacing": 1},
        ],
    },
]
COMMANDS: list[JSON] = [
    {
        "name": "order",
        "type": 1,
        "description": "d",
        "options": [
            {
                "type": 3,
                "name": "o",
                "description": "d",
                "required": True,
                "choices": [{"name": "n", "value": "v"}],
            },
            {"type": 4, "name": "p", "description": "d", "required": True, "min_value": 1, "max_value": 3},
            {"type": 3, "name": "q", "description": "d", "autocomplete": True, "min_length": 1},
            {"type": 10, "name": "s", "description": "d", "choices": [{"name": "n", "value": 1.5}]},
        ],
    },
    {
        "name": "order",
        "description": "d",
        "options": [
            {
                "type": 1,
                "name": "a",
                "description": "d",
                "options": [{"type": 3, "name": "o", "description": "d"}],
            },
            {
                "type": 2,
                "name": "g",
                "description": "d",
                "options": [{"type": 1, "name": "b", "description": "d"}],
            },
        ],
    },
    {"name": "menu", "type": 3},
]
MODALS: list[JSON] = [
    {
        "custom_id": "m",
        "title": "t",
        "components": [
            {
                "type": 18,
                "label": "l",
                "component": {"type": 4, "custom_id": "c", "style": 1, "max_length": 5},
            },
            {"type": 1, "components": [{"type": 4, "custom_id": "d", "style": 1, "label": "l"}]},
            {"type": 18, "label": "l", "component": {"type": 21, "custom_id": "r", "options": TWO}},
            {"type": 18, "label": "l", "component": SELECT},
        ],
    }
]
STATE = State(World(), ManualClock())
CHANNEL = next(iter(STATE.channels.values()))
PALETTE = Palette(STATE, CHANNEL, CHANNEL.guild.owner_id)
WRONG: list[Any] = [None, True, 99, -1, "", "x" * 5000, [], "nope", [None]]


def of_message(body: JSON) -> list[str]:
    fields, media = Fields(body, Complaints()), Media([], "")
    try:
        messages.read(fields, media, PALETTE, keys=messages.CREATE, flags_allowed=messages.CHANNEL_FLAGS)
    except DiscordError as error:
        return list(leaves(error.errors or {}))
    return []


def of_command(body: JSON) -> list[str]:
    fields = Fields(body, Complaints())
    commands.read(fields)
    return list(leaves(fields.complaints.tree))


def of_modal(body: JSON) -> list[str]:
    fields = Fields(body, Complaints())
    modals.read(fields, PALETTE)
    return list(leaves(fields.complaints.tree))


def leaves(tree: JSON, at: str = "") -> Iterator[str]:
    for key, node in tree.items():
        if key == "_errors":
            yield from (f"{at}: {one['code']}" for one in node)
        else:
            yield from leaves(node, f"{at}.{key}")


def spots(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from spots(node[key])


@pytest.mark.parametrize(
    ("read", "bases"),
    [(of_message, MESSAGES), (of_command, COMMANDS), (of_modal, MODALS)],
    ids=["messages", "commands", "modals"],
)
def test_a_single_mistake_is_a_single_complaint(read: Callable[[JSON], list[str]], bases: list[JSON]) -> None:
    for base in bases:
        assert read(base) == []
        for index in range(len(list(spots(base)))):
            for wrong in WRONG:
                body = json.loads(json.dumps(base))
                holder, key = list(spots(body))[index]
                holder[key] = wrong
                # Without the flag of Components V2, each of its components is a mistake.
                if key != "flags":
                    assert len(read(body)) <= 1, (key, wrong, read(body))


async def test_two_commands_with_the_same_mistake_are_no_duplicates(client: Client) -> None:
    refused = await client.rest("PUT", path(client), [{"name": "a", "type": 9}, {"name": "b", "type": 9}])
    assert list(leaves(refused.body["errors"])) == [
        ".0.type: BASE_TYPE_CHOICES",
        ".1.type: BASE_TYPE_CHOICES",
    ]
