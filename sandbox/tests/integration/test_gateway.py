"""The gateway, frame by frame: handshake, limits, resuming, intents, payload types."""

import json
from typing import Any

import pytest
from yarl import URL

from discord_sandbox import ApplicationSpec, ManualClock, Sandbox, World
from discord_sandbox.discord.gateway.transport import zstd_stream
from support import discord_specs
from support.client import Client, Wire
from support.tcp_proxy import TcpProxy

JSON = dict[str, Any]
GUILDS, MEMBERS, PRESENCES, MESSAGES, CONTENT = 1, 1 << 1, 1 << 8, 1 << 9, 1 << 15
CARD: JSON = {
    "content": "card",
    "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}],
}


@pytest.mark.parametrize("compress", ["", "zlib-stream"])
async def test_hello_ready_guild_and_heartbeat(client: Client, compress: str) -> None:
    async with Wire(client, compress=compress) as wire:
        hello = await wire.receive()
        assert (hello["op"], hello["d"]["heartbeat_interval"]) == (10, 41_250)
        ready = await wire.identify(GUILDS | MEMBERS)
        assert ready["user"]["username"] == "robot"
        guild = await wire.dispatch("GUILD_CREATE")
        assert {one["user"]["username"] for one in guild["members"]} >= {"ada", "mia", "robot"}
        await wire.send(1, wire.seq, binary=True)
        assert (await wire.receive())["op"] == 11


def test_zstd_streams_are_valid_frames_of_stored_blocks() -> None:
    encode = zstd_stream()
    first, second = encode("a" * 200_000), encode("b")
    assert isinstance(first, bytes)
    assert first[:6] == bytes.fromhex("28b52ffd0038")
    assert int.from_bytes(first[6:9], "little") >> 3 == 128 * 1024
    assert second == bytes([1 << 3, 0, 0]) + b"b"


async def test_payloads_are_what_discord_types(client: Client) -> None:
    option = {"type": 6, "name": "who", "description": "w"}
    await client.commands({"name": "ping", "description": "d", "options": [option]})
    async with Wire(client) as wire:
        discord_specs.check_gateway(
            "Ready", await wire.identify(GUILDS | MEMBERS | MESSAGES | CONTENT, shard=[0, 1])
        )
        discord_specs.check_gateway("GuildCreate", await wire.dispatch("GUILD_CREATE"))
        message = (await client.send(CARD)).body["id"]
        discord_specs.check_gateway("MessageCreate", await wire.dispatch("MESSAGE_CREATE"))
        path = f"/channels/{client.sandbox.channel_id('general')}/messages/{message}"
        await client.rest("PATCH", path, {"content": f"<@{client.sandbox.person_id('ada')}>"})
        discord_specs.check_gateway("MessageUpdate", await wire.dispatch("MESSAGE_UPDATE"))
        it = await client.begin(user="ada", channel="general", command="ping", options={"who": "mia"})
        discord_specs.check_gateway("Slash", await wire.dispatch("INTERACTION_CREATE"))
        label = {"type": 18, "label": "l", "component": {"type": 4, "custom_id": "f", "style": 1}}
        await client.callback(
            it, {"type": 9, "data": {"custom_id": "m", "title": "t", "components": [label]}}
        )
        await client.begin("modals", user="ada", interaction=it["id"], fields={"f": "x"})
        discord_specs.check_gateway("Modal", await wire.dispatch("INTERACTION_CREATE"))
        await client.begin("presses", user="ada", message=message, button="Go")
        discord_specs.check_gateway("Component", await wire.dispatch("INTERACTION_CREATE"))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"op": 2, "d": {"token": "bad", "intents": 1, "properties": {}}}, 4004),
        ({"op": 99, "d": None}, 4001),
        ({"op": 3, "d": {}}, 4003),
        ("not json", 4002),
        ("x" * 4097, 4002),
        ({"op": 6, "d": {"token": "bad", "session_id": "x", "seq": 1}}, 4004),
    ],
)
async def test_close_codes(client: Client, payload: Any, code: int) -> None:
    async with Wire(client) as wire:
        await wire.ws.send_str(payload if isinstance(payload, str) else json.dumps(payload))
        assert await wire.close_code() == code


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"intents": -1}, 4013),
        ({"intents": 1 << 40}, 4013),
        ({"intents": None}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": "0"}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_identify_is_checked(client: Client, more: JSON, code: int) -> None:
    async with Wire(client) as wire:
        body = {"token": client.sandbox.token(), "intents": 1, "properties": {}} | more
        await wire.send(2, body)
        assert await wire.close_code() == code


async def test_identifying_twice_is_4005(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        await wire.send(2, {"token": client.sandbox.token(), "intents": 1, "properties": {}})
        assert await wire.close_code() == 4005


async def test_privileged_intents_must_be_granted(clock: ManualClock) -> None:
    world = World(applications=(ApplicationSpec("robot", privileged=()),))
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox) as client, Wire(client) as wire:
        await wire.send(2, {"token": sandbox.token(), "intents": CONTENT, "properties": {}})
        assert await wire.close_code() == 4014


@pytest.mark.parametrize(
    ("privileged", "flags"),
    [((), 1 << 23), (("GUILD_MEMBERS", "MESSAGE_CONTENT"), 1 << 23 | 1 << 15 | 1 << 19)],
)
async def test_the_application_says_which_privileged_intents_it_has(
    privileged: tuple[str, ...], flags: int
) -> None:
    """Libraries read it before they ask for members: in READY, and by REST."""
    world = World(applications=(ApplicationSpec("robot", privileged=privileged),))
    async with Sandbox(world) as sandbox, Client(sandbox) as client, Wire(client) as wire:
        assert (await wire.identify())["application"]["flags"] == flags
        assert (await client.rest("GET", "/applications/@me")).body["flags"] == flags


@pytest.mark.parametrize(
    ("query", "code"), [("?v=5", 4012), ("?v=10&compress=lz4", 4002), ("?v=10&encoding=etf", 4002)]
)
async def test_the_address_is_checked(client: Client, query: str, code: int) -> None:
    async with client.http.ws_connect(client.sandbox.gateway_url + query) as ws:
        while not ws.closed:
            await ws.receive()
        assert ws.close_code == code


async def test_version_9_is_served_too(client: Client) -> None:
    async with client.http.ws_connect(client.sandbox.gateway_url + "?v=9") as ws:
        body = {"token": client.sandbox.token(), "intents": 1, "properties": {}}
        await ws.send_json({"op": 2, "d": body})
        assert (await ws.receive_json())["op"] == 10
        assert (await ws.receive_json())["d"]["v"] == 9


async def test_4096_bytes_and_120_a_minute_are_allowed(client: Client, clock: ManualClock) -> None:
    async with Wire(client) as wire:
        payload = json.dumps({"op": 1, "d": None})
        await wire.ws.send_str(payload + " " * (4096 - len(payload)))
        await wire.op(11)
        for _ in range(119):
            await wire.send(1, None)
        clock.advance(60)
        for _ in range(119):
            await wire.send(1, None)
        for _ in range(119):
            assert (await wire.receive())["op"] == 11
        for _ in range(2):
            await wire.send(1, None)
        assert await wire.close_code() == 4008


async def test_a_session_resumes_with_what_it_missed(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MESSAGES)
        await wire.dispatch("GUILD_CREATE")
        seq, session = wire.seq, wire.session_id
        await wire.ws.close(code=4000)
    assert seq is not None
    await client.send({"content": "missed"})
    it = await client.begin(user="ada", channel="general", command="ping")
    async with Wire(client, url=wire.resume_url) as again:
        await again.resume(session, seq)
        assert (await again.dispatch("MESSAGE_CREATE"))["content"] == "missed"
        assert (await again.dispatch("INTERACTION_CREATE"))["id"] == it["id"]
        await again.dispatch("RESUMED")
        (shown,) = (await client.api("GET", "state")).body["sessions"]
        assert (shown["id"], shown["resumes"]) == (session, 1)


async def test_a_session_outlives_too_many_messages_and_a_lost_connection(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        for _ in range(120):
            await wire.send(1, wire.seq)
        assert await wire.close_code() == 4008
    port = URL(client.sandbox.url).port or 0
    proxy = TcpProxy("127.0.0.1", port)
    async with proxy, Wire(client, url=str(URL(wire.resume_url).with_port(proxy.port))) as again:
        await again.resume(wire.session_id, wire.seq or 0)
        await again.dispatch("RESUMED")
        await proxy.cut()
        while any(one["connected"] for one in (await client.api("GET", "state")).body["sessions"]):
            pass
    async with Wire(client, url=wire.resume_url) as last:
        await last.resume(wire.session_id, again.seq or 0)
        await last.dispatch("RESUMED")


@pytest.mark.parametrize("how", ["closed for good", "unknown", "too late", "other seq"])
async def test_what_cannot_be_resumed_is_invalid(client: Client, clock: ManualClock, how: str) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        session, seq = wire.session_id, wire.seq or 0
        await wire.ws.close(code=1000 if how == "closed for good" else 4000)
    if how == "too late":
        clock.advance(200)
    async with Wire(client) as again:
        await again.resume(
            "nonsense" if how == "unknown" else session, seq + (5 if how == "other seq" else 0)
        )
        if how == "other seq":
            assert await again.close_code() == 4007
        else:
            assert (await again.op(9))["d"] is False


async def test_a_thousand_identifies_a_day_then_the_token_is_reset(clock: ManualClock) -> None:
    world = World(identifies_per_day=2)
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox) as client:
        token = sandbox.token()
        async with Wire(client) as first, Wire(client) as second, Wire(client) as third:
            await first.identify()
            await second.identify()
            limit = (await client.rest("GET", "/gateway/bot")).body["session_start_limit"]
            assert (limit["total"], limit["remaining"]) == (2, 0)
            await third.send(2, {"token": token, "intents": 1, "properties": {}})
            assert [await one.close_code() for one in (first, second, third)] == [4004] * 3
        assert (await client.rest("GET", "/users/@me", token=token)).status == 401
        assert (await client.rest("GET", "/users/@me")).status == 200


async def test_without_the_intent_others_messages_are_blank(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MESSAGES)
        await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": "secret"})
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == ""
        mention = f"<@{client.sandbox.application_id()}> hello"
        await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": mention})
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == mention
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MESSAGES | CONTENT)
        await client.api("POST", "messages", {"user": "ada", "channel": "general", "content": "open"})
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == "open"


async def test_a_bot_gets_no_events_of_channels_it_cannot_see(client: Client) -> None:
    body = {"permissions": {"VIEW_CHANNEL": False}}
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MESSAGES | CONTENT)
        await client.api("PATCH", "channels/general", body)
        for channel in ("general", "news"):
            await client.api("POST", "messages", {"user": "ada", "channel": channel, "content": channel})
        assert (await wire.dispatch("MESSAGE_CREATE"))["content"] == "news"


async def test_changes_behind_its_back_are_dispatched(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MEMBERS | MESSAGES)
        message = (await client.send({"content": "card"})).body["id"]
        base = f"/channels/{client.sandbox.channel_id('general')}/messages/{message}"
        await client.rest("POST", f"{base}/threads", {"name": "log"})
        assert (await wire.dispatch("THREAD_CREATE"))["newly_created"] is True
        await client.rest("PATCH", f"/channels/{message}", {"archived": True})
        assert (await wire.dispatch("THREAD_UPDATE"))["thread_metadata"]["archived"] is True
        await client.api("DELETE", "channels/log")
        assert (await wire.dispatch("THREAD_DELETE"))["id"] == message
        await client.api("DELETE", f"messages/{message}")
        assert (await wire.dispatch("MESSAGE_DELETE"))["id"] == message
        await client.api("PATCH", "people/ada", {"roles": ["helper"]})
        assert (await wire.dispatch("GUILD_MEMBER_UPDATE"))["roles"] == [client.sandbox.role_id("helper")]
        await client.api("PATCH", "roles/helper", {"mentionable": False})
        assert (await wire.dispatch("GUILD_ROLE_UPDATE"))["role"]["mentionable"] is False
        await client.api("PATCH", "channels/news", {"permissions": {"SEND_MESSAGES": False}})
        assert (await wire.dispatch("CHANNEL_UPDATE"))["permission_overwrites"][0]["deny"] == str(1 << 11)
        await client.api("DELETE", "channels/news")
        assert (await wire.dispatch("CHANNEL_DELETE"))["name"] == "news"
        allowed = {"permissions": [{"id": "helper", "type": 1, "permission": True}]}
        await client.api("PUT", "applications/robot/commands/ping/permissions", allowed)
        assert (await wire.dispatch("APPLICATION_COMMAND_PERMISSIONS_UPDATE"))["permissions"]


async def test_members_are_sent_on_request(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify(GUILDS | MEMBERS)
        await wire.send(8, {"guild_id": client.sandbox.guild_id(), "query": "", "limit": 0, "nonce": "n"})
        chunk = await wire.dispatch("GUILD_MEMBERS_CHUNK")
        assert (len(chunk["members"]), chunk["nonce"]) == (9, "n")


async def test_bots_that_are_connected_are_online_to_those_who_may_know(client: Client) -> None:
    ids = [client.sandbox.application_id("robot"), client.sandbox.person_id("ada")]
    request = {"guild_id": client.sandbox.guild_id(), "user_ids": ids, "presences": True}
    for intents, online in ((GUILDS | PRESENCES, ids[:1]), (GUILDS, [])):
        async with Wire(client) as wire:
            await wire.identify(intents)
            await wire.send(8, request)
            chunk = await wire.dispatch("GUILD_MEMBERS_CHUNK")
            assert len(chunk["members"]) == 2
            assert [each["user"]["id"] for each in chunk["presences"]] == online
            assert {each["status"] for each in chunk["presences"]} <= {"online"}


async def test_two_processes_on_one_token_both_hear_and_one_is_late(client: Client) -> None:
    async with Wire(client) as one, Wire(client) as two:
        await one.identify()
        await two.identify()
        await client.begin(user="ada", channel="general", command="ping")
        heard = [await wire.dispatch("INTERACTION_CREATE") for wire in (one, two)]
        assert heard[0]["id"] == heard[1]["id"]
        statuses = [(await client.callback(it, {"type": 5})).status for it in heard]
        assert statuses == [204, 400]


async def test_a_reset_invalidates_sessions(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        await client.api("POST", "reset", {})
        assert (await wire.op(9))["d"] is False


async def test_a_reset_token_ends_the_session(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        got = await client.api("POST", "applications/robot/token", {})
        assert await wire.close_code() == 4004
        assert got.body["token"] == client.sandbox.token()
