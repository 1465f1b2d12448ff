"""Every limit of a message, on both sides of it."""

from typing import Any

import pytest

from support.client import Client

JSON = dict[str, Any]
V2 = 1 << 15


def text(content: str = "x") -> JSON:
    return {"type": 10, "content": content}


def button(custom_id: str | None = "a", **more: Any) -> JSON:
    base: JSON = {"type": 2, "style": 1, "label": "Go"}
    return base | ({"custom_id": custom_id} if custom_id is not None else {}) | more


def row(*children: JSON) -> JSON:
    return {"type": 1, "components": list(children)}


def select(number: int = 1, **more: Any) -> JSON:
    listed = [{"label": f"l{i}", "value": f"v{i}"} for i in range(number)]
    return {"type": 3, "custom_id": "s", "options": listed} | more


def embed(**more: Any) -> JSON:
    return {"embeds": [{"title": "t"} | more]}


def v2(*components: JSON, **more: Any) -> JSON:
    return {"flags": V2, "components": list(components)} | more


def rows(*components: JSON) -> JSON:
    return {"content": "x", "components": list(components)}


BOTH_SIDES: list[tuple[str, JSON, JSON, str]] = [
    ("content", {"content": "x" * 2000}, {"content": "x" * 2001}, "content"),
    ("embeds", {"embeds": [{"title": "t"}] * 10}, {"embeds": [{"title": "t"}] * 11}, "embeds"),
    ("embed title", embed(title="x" * 256), embed(title="x" * 257), "embeds.0.title"),
    (
        "embed description",
        embed(description="x" * 4096),
        embed(description="x" * 4097),
        "embeds.0.description",
    ),
    (
        "embed fields",
        embed(fields=[{"name": "n", "value": "v"}] * 25),
        embed(fields=[{"name": "n", "value": "v"}] * 26),
        "embeds.0.fields",
    ),
    (
        "field name",
        embed(fields=[{"name": "x" * 256, "value": "v"}]),
        embed(fields=[{"name": "x" * 257, "value": "v"}]),
        "embeds.0.fields.0.name",
    ),
    (
        "field value",
        embed(fields=[{"name": "n", "value": "x" * 1024}]),
        embed(fields=[{"name": "n", "value": "x" * 1025}]),
        "embeds.0.fields.0.value",
    ),
    (
        "footer",
        embed(footer={"text": "x" * 2048}),
        embed(footer={"text": "x" * 2049}),
        "embeds.0.footer.text",
    ),
    ("author", embed(author={"name": "x" * 256}), embed(author={"name": "x" * 257}), "embeds.0.author.name"),
    (
        "embeds together",
        {"embeds": [{"description": "x" * 3000}] * 2},
        {"embeds": [{"description": "x" * 3000}, {"description": "x" * 3001}]},
        "embeds",
    ),
    ("embed colour", embed(color=0xFFFFFF), embed(color=0x1000000), "embeds.0.color"),
    ("nonce", {"content": "x", "nonce": "n" * 25}, {"content": "x", "nonce": "n" * 26}, "nonce"),
    (
        "rows",
        rows(*[row(button(str(i))) for i in range(5)]),
        rows(*[row(button(str(i))) for i in range(6)]),
        "components",
    ),
    (
        "buttons in a row",
        rows(row(*[button(str(i)) for i in range(5)])),
        rows(row(*[button(str(i)) for i in range(6)])),
        "components.0.components",
    ),
    (
        "custom id",
        rows(row(button("x" * 100))),
        rows(row(button("x" * 101))),
        "components.0.components.0.custom_id",
    ),
    (
        "label",
        rows(row(button(label="x" * 80))),
        rows(row(button(label="x" * 81))),
        "components.0.components.0.label",
    ),
    (
        "button style",
        rows(row(button(style=4))),
        rows(row(button(style=7))),
        "components.0.components.0.style",
    ),
    (
        "link with a custom id",
        rows(row(button(None, style=5, url="https://example.com"))),
        rows(row(button("a", style=5, url="https://example.com"))),
        "components.0.components.0.custom_id",
    ),
    (
        "missing custom id",
        rows(row(button("a"))),
        rows(row(button(None))),
        "components.0.components.0.custom_id",
    ),
    (
        "duplicate custom ids",
        rows(row(button("a"), button("b"))),
        rows(row(button("a"), button("a"))),
        "components.0.components.1.custom_id",
    ),
    (
        "emoji of a button",
        rows(row(button(emoji={"name": "👍🏽"}))),
        rows(row(button(emoji={"name": "thumbsup"}))),
        "components.0.components.0.emoji.name",
    ),
    (
        "custom emoji",
        rows(row(button(emoji={"id": None, "name": "🎉", "animated": True}))),
        rows(row(button(emoji={"id": "party"}))),
        "components.0.components.0.emoji.id",
    ),
    (
        "emoji of an option",
        rows(row(select(options=[{"label": "l", "value": "v", "emoji": {"name": "🇩🇪"}}]))),
        rows(row(select(options=[{"label": "l", "value": "v", "emoji": {}}]))),
        "components.0.components.0.options.0.emoji.name",
    ),
    (
        "button and select in a row",
        rows(row(select())),
        rows(row(select(), button())),
        "components.0.components",
    ),
    (
        "select options",
        rows(row(select(25))),
        rows(row(select(26))),
        "components.0.components.0.options",
    ),
    (
        "select values",
        rows(row(select(2, max_values=25))),
        rows(row(select(2, max_values=26))),
        "components.0.components.0.max_values",
    ),
    (
        "select placeholder",
        rows(row(select(placeholder="x" * 150))),
        rows(row(select(placeholder="x" * 151))),
        "components.0.components.0.placeholder",
    ),
    ("empty row", rows(row(button())), rows(row()), "components.0.components"),
    ("V2 flag with content", v2(text()), v2(text(), content="x"), "content"),
    ("V2 flag with embeds", v2(text()), v2(text(), embeds=[{"title": "t"}]), "embeds"),
    ("V2 without the flag", v2(text()), {"content": "x", "components": [text()]}, "components.0.type"),
    ("V2 with nothing", v2(text()), v2(), "components"),
    (
        "V2 components in all",
        v2(*[{"type": 17, "components": [text()] * 9} for _ in range(4)]),
        v2(*[{"type": 17, "components": [text()] * 9} for _ in range(4)], text()),
        "components",
    ),
    (
        "V2 text together",
        v2(text("x" * 2000), text("x" * 2000)),
        v2(text("x" * 2000), text("x" * 2001)),
        "components",
    ),
    ("V2 empty text", v2(text("x")), v2(text("")), "components.0.content"),
    (
        "section texts",
        v2({"type": 9, "components": [text()] * 3, "accessory": button()}),
        v2({"type": 9, "components": [text()] * 4, "accessory": button()}),
        "components.0.components",
    ),
    (
        "section accessory",
        v2({"type": 9, "components": [text()], "accessory": button()}),
        v2({"type": 9, "components": [text()]}),
        "components.0.accessory",
    ),
    (
        "container in a container",
        v2({"type": 17, "components": [text()]}),
        v2({"type": 17, "components": [{"type": 17, "components": [text()]}]}),
        "components.0.components.0.type",
    ),
    (
        "gallery",
        v2({"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}}] * 10}),
        v2({"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}}] * 11}),
        "components.0.items",
    ),
    (
        "unknown attachment",
        v2({"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}}]}),
        v2({"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}),
        "components.0.items.0.media.url",
    ),
    (
        "accent colour",
        v2({"type": 17, "components": [text()], "accent_color": 0xFFFFFF}),
        v2({"type": 17, "components": [text()], "accent_color": -1}),
        "components.0.accent_color",
    ),
    (
        "component ids",
        v2(text() | {"id": 1}, text() | {"id": 2}),
        v2(text() | {"id": 1}, text() | {"id": 1}),
        "components.1.id",
    ),
    ("unknown key", {"content": "x"}, {"content": "x", "colour": 1}, "colour"),
    ("ephemeral in a channel", {"content": "x", "flags": 4}, {"content": "x", "flags": 64}, "flags"),
    (
        "allowed mentions",
        {"content": "x", "allowed_mentions": {"parse": ["roles"], "users": ["1"]}},
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions",
    ),
    (
        "mentioned ids",
        {"content": "x", "allowed_mentions": {"users": ["1"]}},
        {"content": "x", "allowed_mentions": {"users": ["-9"]}},
        "allowed_mentions.users.0",
    ),
    (
        "mention kinds",
        {"content": "x", "allowed_mentions": {"parse": ["everyone"]}},
        {"content": "x", "allowed_mentions": {"parse": ["all"]}},
        "allowed_mentions.parse.0",
    ),
]


def at(errors: JSON, path: str) -> list[JSON]:
    node: Any = errors
    for part in path.split("."):
        node = node[part]
    found: list[JSON] = node["_errors"]
    return found


@pytest.mark.parametrize(("good", "bad", "path"), [c[1:] for c in BOTH_SIDES], ids=[c[0] for c in BOTH_SIDES])
async def test_a_limit_holds_on_both_sides(strict: Client, good: JSON, bad: JSON, path: str) -> None:
    assert (await strict.send(good)).status == 200
    refused = await strict.send(bad)
    assert (refused.status, refused.code) == (400, 50035)
    assert at(refused.body["errors"], path)[0]["code"]


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": "  "}, {"embeds": []}, {"components": []}])
async def test_an_empty_message_is_50006(client: Client, body: JSON) -> None:
    assert (await client.send(body)).code == 50006


async def test_stickers_do_not_exist(client: Client) -> None:
    for body in ({"sticker_ids": ["1"]}, {"content": "x", "sticker_ids": [1, 2, 3]}):
        assert (await client.send(body)).code == 50081
    assert (await client.send({"content": "x", "sticker_ids": []})).status == 200
    assert (await client.send({"content": "x", "sticker_ids": ["1"] * 4})).code == 50035


async def test_all_complaints_come_at_once(client: Client) -> None:
    refused = await client.send({"content": "x" * 2001, "embeds": [{"title": "x" * 257}], "nonce": "n" * 26})
    assert set(refused.body["errors"]) == {"content", "embeds", "nonce"}


async def test_the_v2_flag_cannot_be_removed(client: Client) -> None:
    made = await client.send(v2(text("first")))
    path = f"/channels/{made.body['channel_id']}/messages/{made.body['id']}"
    kept = await client.rest("PATCH", path, {"flags": 0, "components": [text("second")]})
    assert kept.body["flags"] & V2
    assert (await client.rest("PATCH", path, {"content": "plain"})).code == 50035


async def test_a_plain_message_becomes_v2_only_without_its_content(client: Client) -> None:
    made = await client.send({"content": "plain"})
    path = f"/channels/{made.body['channel_id']}/messages/{made.body['id']}"
    assert (await client.rest("PATCH", path, {"flags": V2, "components": [text()]})).code == 50035
    turned = await client.rest("PATCH", path, {"flags": V2, "components": [text()], "content": None})
    assert turned.status == 200
