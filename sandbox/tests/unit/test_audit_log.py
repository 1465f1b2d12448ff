"""The audit log: what bots and people do to a server, with reasons, in pages, and announced."""

from typing import Any
from urllib.parse import quote

import pytest

from discord_sandbox import ManualClock
from discord_sandbox.discord.state.audit import Action
from support.client import Client, Wire

JSON = dict[str, Any]
MODERATION = 1 << 2
EVERYTHING = (
    *(
        "MANAGE_ROLES",
        "MANAGE_CHANNELS",
        "MANAGE_NICKNAMES",
        "MODERATE_MEMBERS",
        "KICK_MEMBERS",
        "BAN_MEMBERS",
    ),
    *("MANAGE_WEBHOOKS", "MANAGE_MESSAGES", "PIN_MESSAGES", "MANAGE_THREADS", "MUTE_MEMBERS", "MOVE_MEMBERS"),
    *("VIEW_AUDIT_LOG", "CHANGE_NICKNAME", "READ_MESSAGE_HISTORY"),
)


async def entries(client: Client, query: str = "") -> list[JSON]:
    got = await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/audit-logs{query}")
    assert got.status == 200, got.body
    found: list[JSON] = got.body["audit_log_entries"]
    return found


async def newest(client: Client) -> JSON:
    return (await entries(client, "?limit=1"))[0]


def changes(entry: JSON) -> dict[str, tuple[Any, Any]]:
    return {one["key"]: (one.get("old_value"), one.get("new_value")) for one in entry.get("changes", [])}


class Deed:
    """A call of the bot, the action that it is logged as, its target, and some of its changes and options."""

    def __init__(
        self, call: tuple[str, str, Any], action: str, target: str | None, expected: JSON, options: JSON
    ) -> None:
        self.call, self.action, self.target = call, Action[action], target
        self.expected, self.options = expected, options


async def deeds(client: Client) -> list[Deed]:
    sandbox = client.sandbox
    guild, general = f"/guilds/{sandbox.guild_id()}", sandbox.channel_id("general")
    ada, helper, place = sandbox.person_id("ada"), sandbox.role_id("helper"), f"/channels/{general}"
    member = f"{guild}/members/{ada}"
    hook = (await client.rest("POST", f"{place}/webhooks", {"name": "feed"})).body["id"]
    said = [(await client.send({"content": "x"})).body["id"] for _ in range(4)]
    thread = (await client.rest("POST", f"{place}/messages/{said[0]}/threads", {"name": "log"})).body["id"]
    overwrite = f"{place}/permissions/{helper}"
    of_helper = {"id": helper, "type": "0", "role_name": "helper"}
    pin = {"channel_id": general, "message_id": said[1]}
    me = sandbox.application_id()
    return [
        Deed(
            ("PATCH", f"{guild}/roles/{helper}", {"color": 1}),
            "ROLE_UPDATE",
            helper,
            {"color": (15105570, 1)},
            {},
        ),
        Deed(("PATCH", member, {"nick": "Ada L."}), "MEMBER_UPDATE", ada, {"nick": (None, "Ada L.")}, {}),
        Deed(
            ("PUT", f"{member}/roles/{helper}", None),
            "MEMBER_ROLE_UPDATE",
            ada,
            {"$add": (None, [{"id": helper, "name": "helper"}])},
            {},
        ),
        Deed(
            ("PATCH", member, {"roles": []}),
            "MEMBER_ROLE_UPDATE",
            ada,
            {},
            {},
        ),
        Deed(
            ("PATCH", place, {"topic": "Hot"}),
            "CHANNEL_UPDATE",
            general,
            {"topic": ("Anything and everything", "Hot")},
            {},
        ),
        Deed(
            ("PUT", overwrite, {"type": 0, "deny": "2048"}),
            "CHANNEL_OVERWRITE_CREATE",
            general,
            {"deny": (None, "2048"), "id": (None, helper)},
            of_helper,
        ),
        Deed(
            ("PUT", overwrite, {"type": 0, "deny": "0"}),
            "CHANNEL_OVERWRITE_UPDATE",
            general,
            {"deny": ("2048", "0")},
            of_helper,
        ),
        Deed(
            ("DELETE", overwrite, None),
            "CHANNEL_OVERWRITE_DELETE",
            general,
            {"allow": ("0", None)},
            of_helper,
        ),
        Deed(
            ("PATCH", f"/webhooks/{hook}", {"name": "news"}),
            "WEBHOOK_UPDATE",
            hook,
            {"name": ("feed", "news")},
            {},
        ),
        Deed(("DELETE", f"/webhooks/{hook}", None), "WEBHOOK_DELETE", hook, {"name": ("news", None)}, {}),
        Deed(
            ("PATCH", f"/channels/{thread}", {"locked": True}),
            "THREAD_UPDATE",
            thread,
            {"locked": (False, True)},
            {},
        ),
        Deed(("DELETE", f"/channels/{thread}", None), "THREAD_DELETE", thread, {"name": ("log", None)}, {}),
        Deed(("PUT", f"{place}/messages/pins/{said[1]}", None), "MESSAGE_PIN", me, {}, pin),
        Deed(("DELETE", f"{place}/messages/pins/{said[1]}", None), "MESSAGE_UNPIN", me, {}, pin),
        Deed(
            ("POST", f"{place}/messages/bulk-delete", {"messages": said[2:]}),
            "MESSAGE_BULK_DELETE",
            general,
            {},
            {"count": "2"},
        ),
        Deed(
            ("DELETE", f"{guild}/roles/{helper}", None), "ROLE_DELETE", helper, {"name": ("helper", None)}, {}
        ),
        Deed(("PUT", f"{guild}/bans/{ada}", {}), "MEMBER_BAN_ADD", ada, {}, {}),
        Deed(("DELETE", f"{guild}/bans/{ada}", None), "MEMBER_BAN_REMOVE", ada, {}, {}),
        Deed(
            ("DELETE", f"{guild}/members/{sandbox.person_id('ben')}", None),
            "MEMBER_KICK",
            sandbox.person_id("ben"),
            {},
            {},
        ),
        Deed(
            ("DELETE", f"/channels/{sandbox.channel_id('news')}", None),
            "CHANNEL_DELETE",
            sandbox.channel_id("news"),
            {"name": ("news", None)},
            {},
        ),
    ]


async def test_what_a_bot_does_is_logged_with_its_reason_and_announced(client: Client) -> None:
    await client.grant(*EVERYTHING)
    async with Wire(client) as wire:
        await wire.identify(1 | MODERATION)
        planned = await deeds(client)
        made = [Action(one["action_type"]).name for one in await entries(client)]
        assert made == ["THREAD_CREATE", "WEBHOOK_CREATE", "ROLE_UPDATE"]
        for _ in range(2):
            await wire.dispatch("GUILD_AUDIT_LOG_ENTRY_CREATE")
        for deed in planned:
            method, path, body = deed.call
            headers = {"X-Audit-Log-Reason": quote("weil’s muss")}
            done = await client.rest(method, path, body, headers=headers)
            assert done.status < 300, (deed.call, done.body)
            entry = await newest(client)
            assert (Action(entry["action_type"]), entry["target_id"]) == (deed.action, deed.target)
            assert (entry["user_id"], entry["reason"]) == (client.sandbox.application_id(), "weil’s muss")
            assert changes(entry) | deed.expected == changes(entry)
            assert entry.get("options", {}) == deed.options
            told = await wire.dispatch("GUILD_AUDIT_LOG_ENTRY_CREATE")
            assert told == entry | {"guild_id": client.sandbox.guild_id()}


async def test_new_channels_and_roles_are_logged_with_their_fields(client: Client) -> None:
    await client.grant(*EVERYTHING)
    guild = f"/guilds/{client.sandbox.guild_id()}"
    body = {"name": "Back", "type": 2, "user_limit": 5}
    made = (await client.rest("POST", f"{guild}/channels", body)).body
    entry = await newest(client)
    assert (entry["action_type"], entry["target_id"]) == (Action.CHANNEL_CREATE, made["id"])
    assert changes(entry) | {"name": (None, "Back"), "user_limit": (None, 5)} == changes(entry)
    role = (await client.rest("POST", f"{guild}/roles", {"name": "cook"})).body
    entry = await newest(client)
    assert (entry["action_type"], entry["target_id"]) == (Action.ROLE_CREATE, role["id"])
    await client.rest("PATCH", f"{guild}/roles/{role['id']}", {"name": "cook"})
    assert await newest(client) == entry  # nothing changed
    assert "reason" not in entry


async def test_voice_is_logged_when_others_move_mute_and_disconnect(client: Client) -> None:
    await client.grant(*EVERYTHING)
    ids = [
        (await client.api("POST", "channels", {"name": name, "type": "voice"})).body["id"]
        for name in ("Lounge", "Attic")
    ]
    ada = client.sandbox.person("ada")
    await ada.join_voice("Lounge")
    await ada.join_voice("Attic")
    await ada.join_voice("Lounge", mute=True)
    assert (await newest(client))["action_type"] == Action.CHANNEL_CREATE
    path = f"/guilds/{client.sandbox.guild_id()}/members/{client.sandbox.person_id('ada')}"
    await client.rest("PATCH", path, {"mute": True})
    assert changes(await newest(client)) == {"mute": (False, True)}
    await client.rest("PATCH", path, {"channel_id": ids[1]})
    moved = await newest(client)
    assert (moved["action_type"], moved["target_id"]) == (Action.MEMBER_MOVE, None)
    assert moved["options"] == {"channel_id": ids[1], "count": "1"}
    await client.api("PATCH", "people/ada", {"voice": None, "by": "mia"})
    left = await newest(client)
    assert (left["action_type"], left["options"]) == (Action.MEMBER_DISCONNECT, {"count": "1"})
    assert left["user_id"] == client.sandbox.person_id("mia")


async def test_deletions_of_others_messages_are_counted_in_one_entry_for_five_minutes(
    client: Client, clock: ManualClock
) -> None:
    await client.grant("VIEW_AUDIT_LOG", "MANAGE_MESSAGES")
    await client.api("PATCH", "roles/moderator", {"permissions": {"MANAGE_MESSAGES": True}})
    before = await entries(client)
    said = [
        (await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": "x"})).body[
            "id"
        ]
        for _ in range(5)
    ]
    for message in said[:2]:
        await client.api("DELETE", f"messages/{message}", user="mia")
    entry = await newest(client)
    assert (entry["action_type"], entry["target_id"]) == (
        Action.MESSAGE_DELETE,
        client.sandbox.person_id("ada"),
    )
    assert entry["options"] == {"channel_id": client.sandbox.channel_id("general"), "count": "2"}
    clock.advance(301)
    await client.api("DELETE", f"messages/{said[2]}", user="mia")
    assert (await newest(client))["options"]["count"] == "1"
    # What people delete of their own, and bots one by one, is not logged.
    await client.api("DELETE", f"messages/{said[3]}", user="ada")
    await client.rest("DELETE", f"/channels/{client.sandbox.channel_id('general')}/messages/{said[4]}")
    assert len(await entries(client)) == len(before) + 2


async def test_people_and_administrators_are_named(client: Client) -> None:
    await client.grant("VIEW_AUDIT_LOG")
    owner, mia = client.sandbox.person_id("owner"), client.sandbox.person_id("mia")
    why: JSON = {"by": "mia", "reason": "hot"}
    as_owner: list[tuple[str, str, JSON | None, str]] = [
        ("POST", "channels", {"name": "kitchen"}, "CHANNEL_CREATE"),
        ("PATCH", "channels/kitchen", {"permissions": {"SEND_MESSAGES": False}}, "CHANNEL_OVERWRITE_CREATE"),
        ("DELETE", "applications/echo/guilds/workshop", None, "MEMBER_KICK"),
        ("PUT", "applications/echo/guilds/workshop", None, "BOT_ADD"),
    ]
    by_mia: list[tuple[str, str, JSON | None, str]] = [
        ("PATCH", "channels/kitchen", {"topic": "Hot"} | why, "CHANNEL_UPDATE"),
        ("DELETE", "channels/kitchen?by=mia&reason=hot", None, "CHANNEL_DELETE"),
        ("PATCH", "roles/helper", {"color": 5} | why, "ROLE_UPDATE"),
        ("PATCH", "people/ada", {"timeout": 60} | why, "MEMBER_UPDATE"),
        ("PUT", "bans/ada", why, "MEMBER_BAN_ADD"),
        ("DELETE", "bans/ada?by=mia&reason=hot", None, "MEMBER_BAN_REMOVE"),
        ("DELETE", "people/ben?by=mia&reason=hot", None, "MEMBER_KICK"),
    ]
    by_themselves: list[tuple[str, str, JSON | None, str]] = [
        ("POST", "webhooks", {"user": "mia", "channel": "news", "name": "Kitchen"}, "WEBHOOK_CREATE"),
        ("POST", "threads", {"user": "mia", "channel": "news", "name": "soup"}, "THREAD_CREATE"),
    ]
    for calls, actor, reason in ((as_owner, owner, None), (by_mia, mia, "hot"), (by_themselves, mia, None)):
        for method, path, body, action in calls:
            got = await client.api(method, path, body)
            assert got.status < 300, (path, got.body)
            entry = await newest(client)
            assert Action(entry["action_type"]).name == action
            assert (entry["user_id"], entry.get("reason")) == (actor, reason), action
    assert (await client.api("PATCH", "roles/helper", {"color": 6, "by": "x"})).status == 404
    before = await entries(client)
    await client.api("DELETE", "people/kim")  # of their own accord
    assert await entries(client) == before


async def test_permissions_of_commands_are_logged(client: Client) -> None:
    await client.grant("VIEW_AUDIT_LOG")
    allowed = {"id": "helper", "type": 1, "permission": True}
    path = "applications/robot/commands/ping/permissions"
    await client.api("PUT", path, {"permissions": [allowed], "by": "mia"})
    got = (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/audit-logs?limit=1")).body
    [entry], [command] = got["audit_log_entries"], got["application_commands"]
    assert (entry["action_type"], entry["target_id"], command["name"]) == (121, command["id"], "ping")
    assert entry["options"] == {"application_id": client.sandbox.application_id()}
    helper = client.sandbox.role_id("helper")
    assert changes(entry) == {helper: (None, allowed | {"id": helper})}


async def test_the_log_is_read_in_pages_and_by_actor_target_and_action(client: Client) -> None:
    path = f"/guilds/{client.sandbox.guild_id()}/audit-logs"
    assert (await client.rest("GET", path)).code == 50013
    await client.grant("VIEW_AUDIT_LOG", "MANAGE_ROLES")
    for color in range(1, 6):
        await client.api("PATCH", "roles/helper", {"color": color, "by": "mia" if color % 2 else "max"})
    everything = await entries(client)
    ids = [one["id"] for one in everything]
    assert ids == sorted(ids, key=int, reverse=True)
    assert [one["id"] for one in await entries(client, "?limit=2")] == ids[:2]
    assert [one["id"] for one in await entries(client, f"?limit=2&before={ids[1]}")] == ids[2:4]
    assert [one["id"] for one in await entries(client, "?after=0&limit=3")] == ids[::-1][:3]
    assert [one["id"] for one in await entries(client, f"?after={ids[2]}")] == [ids[1], ids[0]]
    mia, helper = client.sandbox.person_id("mia"), client.sandbox.role_id("helper")
    assert len(await entries(client, f"?user_id={mia}")) == 3
    assert len(await entries(client, f"?target_id={helper}&action_type=31")) == 5
    assert await entries(client, "?action_type=20") == []
    got = (await client.rest("GET", f"{path}?user_id={mia}")).body
    assert [one["username"] for one in got["users"]] == ["mia"]
    for query in ("limit=101", "limit=0", "before=abc", "user_id=x", "action_type=y"):
        assert (await client.rest("GET", f"{path}?{query}")).code == 50035


async def test_only_those_who_may_read_the_log_hear_of_entries_and_bans(client: Client) -> None:
    async with Wire(client) as wire, Wire(client) as other:
        await wire.identify(1 | MODERATION)
        await other.identify(1)
        await client.api("PUT", "bans/ada", {})
        await client.grant("VIEW_AUDIT_LOG")
        told = await wire.dispatch("GUILD_AUDIT_LOG_ENTRY_CREATE")
        assert (told["action_type"], told["guild_id"]) == (31, client.sandbox.guild_id())
        await client.api("PUT", "bans/ben", {})
        assert (await wire.dispatch("GUILD_BAN_ADD"))["user"]["username"] == "ben"
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await other.receive())["t"] != "CHANNEL_UPDATE":
            assert got["t"] not in ("GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD")


async def test_entries_last_45_days_and_reasons_512_characters(client: Client, clock: ManualClock) -> None:
    await client.grant("VIEW_AUDIT_LOG", "MANAGE_ROLES")
    path = f"/guilds/{client.sandbox.guild_id()}/roles"
    for length, status in ((512, 200), (513, 400)):
        headers = {"X-Audit-Log-Reason": "x" * length}
        assert (await client.rest("POST", path, {"name": "cook"}, headers=headers)).status == status
    assert len((await newest(client))["reason"]) == 512
    clock.advance(45 * 86_400 + 1)
    assert await entries(client) == []


@pytest.mark.parametrize("query", ["", "?action=ROLE_UPDATE", "?limit=1"])
async def test_scripts_read_the_log_by_names(client: Client, query: str) -> None:
    await client.api("PATCH", "roles/helper", {"color": 5, "by": "mia", "reason": "hot"})
    [entry] = (await client.api("GET", f"audit-log{query}")).body["entries"]
    assert (entry["action"], entry["user"], entry["reason"]) == ("ROLE_UPDATE", "mia", "hot")
    assert (await client.api("GET", "audit-log?action=KICK")).status == 404
    await client.api("POST", "reset", {})
    assert (await client.api("GET", "audit-log")).body == {"entries": []}
