"""Custom emoji of servers and applications: who makes and changes them, who may use which where, and who is told."""

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from discord_sandbox import ApplicationSpec, ChannelSpec, GuildSpec, ManualClock, Sandbox, World
from discord_sandbox.discord.rules.custom_emoji import LARGEST, MOST
from support.client import Client, Wire

JSON = dict[str, Any]
GUILDS, EXPRESSIONS, REACTIONS = 1 << 0, 1 << 3, 1 << 10
CREATE, MANAGE, EXTERNAL = "CREATE_GUILD_EXPRESSIONS", "MANAGE_GUILD_EXPRESSIONS", "USE_EXTERNAL_EMOJIS"
HEADER = struct.pack(">8sII", b"\x89PNG\r\n\x1a\n", 13, 0)
FRAME = b"\x21\xf9\x04\0\0\0\0\0"


def picture(content: bytes = HEADER, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


STILL, MOVING = picture(), picture(b"GIF89a" + FRAME * 2, "gif")


def of_guild(client: Client, emoji: str = "") -> str:
    return f"/guilds/{client.sandbox.guild_id()}/emojis{'/' if emoji else ''}{emoji}"


def of_application(client: Client, emoji: str = "") -> str:
    own = client.sandbox.application_id(client.application)
    return f"/applications/{own}/emojis{'/' if emoji else ''}{emoji}"


async def made(client: Client, path: str, name: str = "blob", image: str = STILL, **more: Any) -> JSON:
    got = await client.rest("POST", path, {"name": name, "image": image} | more)
    assert got.status == 201, got.body
    body: JSON = got.body
    return body


def reaction(message: str, emoji: JSON | str, who: str = "@me") -> str:
    text = emoji if isinstance(emoji, str) else f"{emoji['name']}:{emoji['id']}"
    return f"{message}/reactions/{quote(text)}/{who}"


async def posted(client: Client) -> str:
    body = (await client.send({"content": "x"})).body
    return f"/channels/{body['channel_id']}/messages/{body['id']}"


async def test_they_are_made_changed_and_deleted_and_bots_are_told(client: Client) -> None:
    await client.grant(CREATE, "VIEW_AUDIT_LOG")
    guild = client.sandbox.guild_id()
    async with Wire(client) as wire, Wire(client) as deaf:
        await wire.identify(GUILDS | EXPRESSIONS)
        await deaf.identify(GUILDS)
        blob = await made(client, of_guild(client))
        assert blob == blob | {"name": "blob", "animated": False, "available": True, "roles": []}
        assert blob["user"]["username"] == "robot"
        told = {key: value for key, value in blob.items() if key != "user"}
        assert await wire.dispatch("GUILD_EMOJIS_UPDATE") == {"guild_id": guild, "emojis": [told]}
        party = await made(client, of_guild(client), "party", MOVING)
        assert (party["animated"], len((await wire.dispatch("GUILD_EMOJIS_UPDATE"))["emojis"])) == (True, 2)
        assert (await client.rest("GET", of_guild(client))).body == [blob, party]
        assert (await client.rest("GET", of_guild(client, blob["id"]))).body == blob
        renamed = await client.rest("PATCH", of_guild(client, blob["id"]), {"name": "blop"})
        assert renamed.body == blob | {"name": "blop"}
        assert (await wire.dispatch("GUILD_EMOJIS_UPDATE"))["emojis"][0]["name"] == "blop"
        assert (await client.rest("DELETE", of_guild(client, party["id"]))).status == 204
        assert len((await wire.dispatch("GUILD_EMOJIS_UPDATE"))["emojis"]) == 1
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await deaf.receive())["t"] != "CHANNEL_UPDATE":
            assert got["t"] != "GUILD_EMOJIS_UPDATE"
    for method, body in (("GET", None), ("PATCH", {"name": "xx"}), ("DELETE", None)):
        gone = await client.rest(method, of_guild(client, party["id"]), body)
        assert (gone.status, gone.code) == (404, 10014)
    log = (await client.rest("GET", f"/guilds/{guild}/audit-logs?limit=5")).body
    _topic, *entries = log["audit_log_entries"]
    assert [(one["action_type"], one["target_id"], one["changes"]) for one in entries] == [
        (62, party["id"], [{"key": "name", "old_value": "party"}]),
        (61, blob["id"], [{"key": "name", "new_value": "blop", "old_value": "blob"}]),
        (60, party["id"], [{"key": "name", "new_value": "party"}]),
        (60, blob["id"], [{"key": "name", "new_value": "blob"}]),
    ]


async def test_their_picture_is_on_the_cdn_and_they_are_part_of_the_server(client: Client) -> None:
    await client.grant(CREATE)
    blob = await made(client, of_guild(client))
    cdn = client.sandbox.core.render.cdn
    for name in (blob["id"], f"{blob['id']}.webp?size=48", f"{blob['id']}.png"):
        async with client.http.get(f"{cdn}/emojis/{name}") as got:
            assert (got.status, got.content_type, await got.read()) == (200, "image/png", HEADER)
    async with client.http.get(f"{cdn}/emojis/1.png") as got:
        assert got.status == 404
    body = (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}")).body
    assert [one["name"] for one in body["emojis"]] == ["blob"]
    saved = await client.sandbox.save()
    await client.rest("DELETE", of_guild(client, blob["id"]))
    await client.sandbox.restore(saved)
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        assert [one["id"] for one in (await wire.dispatch("GUILD_CREATE"))["emojis"]] == [blob["id"]]
    async with client.http.get(f"{cdn}/emojis/{blob['id']}") as got:
        assert await got.read() == HEADER


async def test_managing_those_of_others_needs_more_than_making_ones_own(client: Client) -> None:
    assert (await client.rest("POST", of_guild(client), {"name": "blob", "image": STILL})).code == 50013
    theirs = (await client.api("POST", "emojis", {"name": "theirs", "by": "mia"})).body["id"]
    assert "user" not in (await client.rest("GET", of_guild(client))).body[0]
    await client.grant(CREATE)
    own = await made(client, of_guild(client))
    assert (await client.rest("PATCH", of_guild(client, own["id"]), {"name": "mine"})).status == 200
    assert (await client.rest("GET", of_guild(client))).body[0]["user"]["username"] == "mia"
    assert "user" not in (await client.rest("GET", of_guild(client, theirs))).body
    for method, body in (("PATCH", {"name": "xx"}), ("DELETE", None)):
        assert (await client.rest(method, of_guild(client, theirs), body)).code == 50013
    await client.grant(MANAGE)
    assert (await client.rest("GET", of_guild(client, theirs))).body["user"]["username"] == "mia"
    assert (await client.rest("PATCH", of_guild(client, theirs), {"name": "xx"})).status == 200
    assert (await client.rest("DELETE", of_guild(client, theirs))).status == 204


WRONG: list[tuple[JSON, int, str]] = [
    ({"name": "x"}, 50035, "name"),
    ({"name": "x" * 33}, 50035, "name"),
    ({"name": "no-dash"}, 50035, "name"),
    ({"name": "blöb"}, 50035, "name"),
    ({"name": None}, 50035, "name"),
    ({"image": None}, 50035, "image"),
    ({"image": "https://example.com/a.png"}, 50035, "image"),
    ({"image": picture(HEADER + b"x" * LARGEST)}, 50035, "image"),
    ({"image": picture(b"text")}, 50046, ""),
    ({"image": "data:image/png;base64,x"}, 50046, ""),
    ({"roles": ["1"]}, 50028, ""),
    ({"roles": ["x"]}, 50035, "roles"),
    ({"roles": ["1", "1"]}, 50035, "roles"),
]


@pytest.mark.parametrize(("wrong", "code", "at"), WRONG)
@pytest.mark.parametrize("path", [of_guild, of_application])
async def test_what_cannot_be_an_emoji(client: Client, path: Any, wrong: JSON, code: int, at: str) -> None:
    if path is of_application and "roles" in wrong:
        return
    await client.grant(CREATE)
    refused = await client.rest("POST", path(client), {"name": "blob", "image": STILL} | wrong)
    assert refused.code == code, refused.body
    assert list(refused.body.get("errors", {})) == ([at] if at else [])
    if "image" not in wrong:
        known = await made(client, path(client), "x" * 32, picture(HEADER + b"x" * (LARGEST - len(HEADER))))
        assert (await client.rest("PATCH", path(client, known["id"]), wrong)).code == code
        assert (await client.rest("PATCH", path(client, known["id"]), {})).body == known


@pytest.mark.parametrize(
    ("content", "animated"),
    [
        (b"\xff\xd8\xff\xe0", False),
        (b"GIF89a" + FRAME, False),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 14 + b"ANIM", True),
        (b"\0\0\0\x20ftypavif", False),
        (b"\0\0\0\x20ftypavis", True),
    ],
)
async def test_formats(client: Client, content: bytes, animated: bool) -> None:
    found = await made(client, of_application(client), image=picture(content))
    assert found["animated"] is animated


async def test_a_server_has_fifty_that_stand_still_and_fifty_that_move(client: Client) -> None:
    await client.grant(CREATE)
    for image, code in ((STILL, 30008), (MOVING, 30018)):
        for _ in range(MOST):
            await made(client, of_guild(client), image=image)
        refused = await client.rest("POST", of_guild(client), {"name": "one_more", "image": image})
        assert (refused.status, refused.code) == (400, code)
    assert (await client.api("POST", "emojis", {"name": "one_more"})).status == 400
    await made(client, of_application(client))


async def test_an_application_has_its_own(client: Client) -> None:
    assert (await client.rest("GET", of_application(client))).body == {"items": []}
    tick = await made(client, of_application(client), "tick")
    assert tick["user"]["username"] == "robot"
    assert (await client.rest("GET", of_application(client))).body == {"items": [tick]}
    assert (await client.rest("GET", of_application(client, tick["id"]))).body == tick
    changed = await client.rest("PATCH", of_application(client, tick["id"]), {"name": "tock"})
    assert changed.body == tick | {"name": "tock"}
    await client.api("POST", "reset", {})
    assert len((await client.rest("GET", of_application(client))).body["items"]) == 1, "as its commands"
    async with Client(client.sandbox, "echo") as other:
        assert (await other.rest("GET", of_application(client))).code == 20012
        assert (await other.rest("PUT", reaction(await posted(client), tick))).code == 10014
    assert (await client.rest("PUT", reaction(await posted(client), tick))).status == 204
    assert (await client.rest("DELETE", of_application(client, tick["id"]))).status == 204
    assert (await client.rest("GET", of_application(client, tick["id"]))).code == 10014


async def test_reactions_go_by_the_id_and_outlive_the_emoji(client: Client) -> None:
    await client.grant(CREATE, "MANAGE_MESSAGES")
    party = await made(client, of_guild(client), "party", MOVING)
    message, shown = await posted(client), {"id": party["id"], "name": "party", "animated": True}
    async with Wire(client) as wire:
        await wire.identify(REACTIONS)
        assert (await client.rest("PUT", reaction(message, party))).status == 204
        assert (await wire.dispatch("MESSAGE_REACTION_ADD"))["emoji"] == shown
        for same in (f"a:party:{party['id']}", f"other:{party['id']}"):
            assert (await client.rest("PUT", reaction(message, same))).status == 204
        for wrong in ("party:1", party["id"], "party:x", f":{party['id']}"):
            assert (await client.rest("PUT", reaction(message, wrong))).code == 10014, wrong
        [seen] = (await client.rest("GET", message)).body["reactions"]
        assert (seen["emoji"], seen["count"], seen["me"]) == (shown, 1, True)
        assert len((await client.rest("GET", reaction(message, party)[: -len("/@me")])).body) == 1
        number = message.rsplit("/", 1)[1]
        for emoji in (":party:", f"<a:party:{party['id']}>", f"party:{party['id']}"):
            body = {"user": "ada", "message": number, "emoji": emoji}
            assert (await client.api("POST", "reactions", body)).status == 201
            view = (await client.api("DELETE", "reactions", body)).body["reactions"]
            assert [(one["emoji"], one["emoji_id"]) for one in view] == [(":party:", party["id"])]
        assert (await client.api("POST", "reactions", body | {"emoji": ":nope:"})).status == 404
        await client.rest("DELETE", of_guild(client, party["id"]))
        [seen] = (await client.rest("GET", message)).body["reactions"]
        assert seen["emoji"] == {"id": party["id"], "name": None}
        body = {"user": "ada", "message": number, "emoji": f":{party['id']}:"}
        assert (await client.api("POST", "reactions", body)).status == 201
        assert (await client.rest("DELETE", reaction(message, party)[: -len("/@me")])).status == 204
        cleared = await wire.dispatch("MESSAGE_REACTION_REMOVE_EMOJI")
        assert cleared["emoji"] == {"id": party["id"], "name": None}
    assert (await client.rest("PUT", reaction(message, party))).code == 10014


def with_emoji(emoji: JSON) -> list[JSON]:
    """A button and an option, each with the emoji."""
    option = {"label": "l", "value": "v", "emoji": emoji}
    button = {"type": 2, "style": 1, "custom_id": "a", "emoji": emoji}
    select = {"type": 3, "custom_id": "s", "options": [option]}
    return [{"type": 1, "components": [one]} for one in (button, select)]


async def test_buttons_and_options_take_those_that_the_bot_has(client: Client) -> None:
    party = await made(client, of_application(client), "party", MOVING)
    sent = await client.send({"components": with_emoji({"id": int(party["id"]), "name": "x"})})
    button, select = (one["components"][0] for one in sent.body["components"])
    assert button["emoji"] == {"id": party["id"], "name": "party", "animated": True}
    assert select["options"][0]["emoji"] == button["emoji"]
    refused = await client.send({"components": with_emoji({"id": "1", "name": "party"})})
    errors = refused.body["errors"]["components"]
    wrong = {"_errors": [{"code": "BUTTON_COMPONENT_INVALID_EMOJI", "message": "Invalid emoji"}]}
    assert errors["0"]["components"]["0"] == {"emoji": {"id": wrong}}
    assert errors["1"]["components"]["0"] == {"options": {"0": {"emoji": {"id": wrong}}}}
    async with Client(client.sandbox, "echo") as other:
        assert (await other.send({"components": with_emoji(party)})).code == 50035


async def test_forms_polls_and_forums_have_them_too(client: Client) -> None:
    await client.grant(CREATE, "MANAGE_CHANNELS", "SEND_POLLS")
    blob = await made(client, of_guild(client))
    it = await client.begin(user="ada", channel="general", command="ping")
    options = [{"label": "l", "value": "v", "emoji": {"id": "1", "name": "x"}}]
    field = {"type": 18, "label": "l", "component": {"type": 3, "custom_id": "s", "options": options}}
    form: JSON = {"custom_id": "m", "title": "t", "components": [field]}
    assert (await client.callback(it, {"type": 9, "data": form})).code == 50035
    options[0]["emoji"] = {"id": blob["id"], "name": "x"}
    assert (await client.callback(it, {"type": 9, "data": form})).status == 204
    answers = [{"poll_media": {"text": "Soup", "emoji": {"id": blob["id"]}}}]
    poll = await client.send({"poll": {"question": {"text": "Dinner?"}, "answers": answers}})
    assert poll.body["poll"]["answers"][0]["poll_media"]["emoji"] == {"id": blob["id"], "name": "blob"}
    view = (await client.api("GET", f"messages/{poll.body['id']}")).body["poll"]["answers"][0]
    assert view["emoji"] == ":blob:"
    tags = [{"name": "idea", "emoji_id": blob["id"]}]
    body = {"name": "ideas", "type": 15, "available_tags": tags}
    path = f"/guilds/{client.sandbox.guild_id()}/channels"
    forum = (await client.rest("POST", path, body)).body
    assert forum["available_tags"][0]["emoji_id"] == blob["id"]
    assert (
        await client.rest("POST", path, body | {"available_tags": [tags[0] | {"emoji_id": "1"}]})
    ).code == 50035


async def test_text_keeps_the_name_alone_of_those_that_cannot_be_used(client: Client) -> None:
    await client.grant(CREATE)
    blob = await made(client, of_guild(client))
    written = f"<:x:{blob['id']}> <a:gone:1> <:blob:> <@1>"
    sent = await client.send({"content": written})
    assert sent.body["content"] == f"<:x:{blob['id']}> :gone: <:blob:> <@1>"
    path = f"/channels/{sent.body['channel_id']}/messages/{sent.body['id']}"
    assert (await client.rest("PATCH", path, {"content": "<:gone:1>"})).body["content"] == ":gone:"
    person = {"user": "ada", "channel": "general", "content": written}
    assert (await client.api("POST", "messages", person)).body["text"].startswith(":x: :gone:")
    it = await client.begin(user="ada", channel="general", command="ping")
    answered = await client.callback(it, {"type": 4, "data": {"content": written}}, response=True)
    assert answered.body["resource"]["message"]["content"] == sent.body["content"]


async def test_those_for_roles_are_for_their_members_alone(client: Client) -> None:
    await client.grant(CREATE, "MANAGE_ROLES")
    helper, everyone = client.sandbox.role_id("helper"), client.sandbox.guild_id()
    blob = await made(client, of_guild(client), roles=[helper, everyone])
    assert blob["roles"] == [helper]
    message = await posted(client)
    assert (await client.rest("PUT", reaction(message, blob))).code == 10014
    await client.rest("PATCH", of_guild(client, blob["id"]), {"roles": None})
    assert (await client.rest("PUT", reaction(message, blob))).status == 204
    await client.rest("PATCH", of_guild(client, blob["id"]), {"roles": [helper]})
    await client.rest("DELETE", f"/guilds/{everyone}/roles/{helper}")
    assert (await client.rest("GET", of_guild(client, blob["id"]))).body["roles"] == []


@pytest.fixture
async def annexed(clock: ManualClock) -> AsyncIterator[Client]:
    """Of two servers, with a bot in the first alone beside one in both."""
    world = World(
        (GuildSpec("workshop"), GuildSpec("annex", channels=(ChannelSpec("attic"),))),
        (ApplicationSpec("robot", "Robot"), ApplicationSpec("echo", "Echo", guilds=("workshop",))),
        rate_limits=False,
    )
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox) as client:
        yield client


async def test_those_of_another_server_need_a_permission_in_servers_alone(annexed: Client) -> None:
    client = annexed
    await client.grant("ADD_REACTIONS", "MANAGE_WEBHOOKS")
    far = (await client.api("POST", "emojis", {"name": "far", "guild": "annex"})).body
    text, channel = f"<:far:{far['id']}>", f"/channels/{client.sandbox.channel_id('general')}"
    message = await posted(client)
    assert (await client.rest("PUT", reaction(message, far))).code == 10014
    assert (await client.send({"content": text})).body["content"] == ":far:"
    assert (await client.send({"components": with_emoji(far)})).status == 200
    async with Client(client.sandbox, "echo") as other:
        await client.grant(EXTERNAL, role="Echo")
        assert (await other.send({"components": with_emoji(far)})).code == 50035
        assert (await other.send({"content": text})).body["content"] == ":far:"
        await client.grant(EXTERNAL)
        assert (await client.rest("PUT", reaction(message, far))).status == 204
        assert (await client.send({"content": text})).body["content"] == text
        assert (await other.rest("PUT", reaction(message, far))).status == 204, "as one joins others"
    denied = {"application": "robot", "permissions": {EXTERNAL: False}}
    await client.api("PATCH", "channels/general", denied)
    assert (await client.send({"content": text})).body["content"] == ":far:"
    hook = (await client.rest("POST", f"{channel}/webhooks", {"name": "feed"})).body
    path = f"/webhooks/{hook['id']}/{hook['token']}"
    through = await client.rest("POST", f"{path}?wait=true", {"content": text}, token="")
    assert through.body["content"] == text
    edit = f"{path}/messages/{through.body['id']}"
    edited = await client.rest("PATCH", edit, {"content": text * 2}, token="")
    assert edited.body["content"] == text * 2
    direct = {"recipient_id": client.sandbox.person_id("ada")}
    place = (await client.rest("POST", "/users/@me/channels", direct)).body["id"]
    said = await client.rest("POST", f"/channels/{place}/messages", {"content": text})
    assert said.body["content"] == text


async def test_scripts_list_make_and_delete_them(client: Client) -> None:
    body = {"name": "blob", "roles": ["helper"], "by": "mia", "reason": "fun"}
    blob = (await client.api("POST", "emojis", body)).body
    expected = {"name": "blob", "animated": False, "roles": ["helper"], "user": "mia", "guild": "workshop"}
    assert blob == blob | expected
    async with client.http.get(client.sandbox.url + blob["url"]) as got:
        assert (got.status, got.content_type) == (200, "image/png")
    assert (await client.api("GET", "emojis")).body == {"emojis": [blob]}
    entry = (await client.api("GET", "audit-log", action="EMOJI_CREATE")).body["entries"][0]
    assert (entry["user"], entry["reason"], entry["target_id"]) == ("mia", "fun", blob["id"])
    for wrong in ({"name": "no-dash"}, {"image": "x"}, {"image": picture(b"text")}, {"name": ""}):
        assert (await client.api("POST", "emojis", body | wrong)).status == 400
    assert (await client.api("POST", "emojis", body | {"roles": ["cook"]})).status == 404
    assert (await client.api("DELETE", "emojis/blob")).body == blob
    assert (await client.api("DELETE", "emojis/blob")).status == 404
