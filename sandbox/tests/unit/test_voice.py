"""Voice channels: who is connected, who may be, who moves and mutes them, and who is told."""

from typing import Any

import pytest

from discord_sandbox import ChannelSpec, GuildSpec, ManualClock, Sandbox, World
from discord_sandbox.world import read_world
from support import discord_specs
from support.client import Client, Wire

JSON = dict[str, Any]
VOICE = 1 << 7
ALL = 1 | VOICE


async def make(client: Client, name: str = "Lounge", **more: Any) -> str:
    got = await client.api("POST", "channels", {"name": name, "type": "voice"} | more)
    assert got.status == 201, got.body
    made: str = got.body["id"]
    return made


async def join(client: Client, user: str = "ada", channel: str = "Lounge", **more: Any) -> JSON:
    got = await client.api("POST", "voice", {"user": user, "channel": channel} | more)
    assert got.status == 200, got.body
    found: JSON = got.body
    return found


async def inside(client: Client, channel: str = "Lounge") -> list[str]:
    return [one["user"] for one in await client.sandbox.voice(channel)]


def member(client: Client, person: str = "ada") -> str:
    return f"/guilds/{client.sandbox.guild_id()}/members/{client.sandbox.person_id(person)}"


def state(client: Client, user: str = "@me") -> str:
    return f"/guilds/{client.sandbox.guild_id()}/voice-states/{user}"


async def op4(client: Client, wire: Wire, channel: str | None, **more: Any) -> None:
    await wire.send(4, {"guild_id": client.sandbox.guild_id(), "channel_id": channel} | more)


async def test_a_bot_joins_moves_and_leaves(client: Client) -> None:
    lounge, attic = await make(client), await make(client, "Attic")
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await client.rest("GET", state(client))).code == 10065
        await op4(client, wire, lounge, self_mute=True, self_deaf=False)
        told = await wire.dispatch("VOICE_STATE_UPDATE")
        assert (told["channel_id"], told["user_id"]) == (lounge, client.sandbox.application_id())
        assert (told["session_id"], told["self_mute"], told["suppress"]) == (wire.session_id, True, False)
        server = await wire.dispatch("VOICE_SERVER_UPDATE")
        assert (server["guild_id"], server["endpoint"]) == (client.sandbox.guild_id(), None)
        assert server["token"]
        assert (await client.rest("GET", state(client))).body == told
        await op4(client, wire, attic)
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["channel_id"] == attic
        assert (await wire.dispatch("VOICE_SERVER_UPDATE"))["token"] != server["token"]
        await op4(client, wire, None)
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["channel_id"] is None
    assert await client.sandbox.voice() == []


async def test_what_a_bot_may_not_do_has_no_answer(client: Client) -> None:
    lounge, full = await make(client), await make(client, "Full", user_limit=1)
    await join(client, "ada", "Full")
    await client.api("PATCH", "channels/Lounge", {"role": "Robot", "permissions": {"CONNECT": False}})
    async with Wire(client) as wire:
        await wire.identify(ALL)
        for channel in (lounge, full, client.sandbox.channel_id("general"), "1"):
            await op4(client, wire, channel)
        await wire.send(4, {"guild_id": "1", "channel_id": lounge})
        await op4(client, wire, None)
        await join(client, "ben")
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["user_id"] == client.sandbox.person_id("ben")
        await client.grant("MOVE_MEMBERS")  # lets it into a full channel
        await op4(client, wire, full)
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["channel_id"] == full
        await wire.send(4, "nonsense")
        assert await wire.close_code() == 4002


async def test_events_need_the_intent_and_sight_of_the_channel(client: Client) -> None:
    await make(client)
    hidden = await make(client, "Hidden")
    for user in ("ada", "ben"):
        await join(client, user)
    await client.api("PATCH", "channels/Hidden", {"role": "Robot", "permissions": {"VIEW_CHANNEL": False}})
    await client.api("PATCH", "channels/Hidden", {"role": "everyone", "permissions": {"VIEW_CHANNEL": False}})
    await client.api("PATCH", "channels/Hidden", {"user": "ada", "permissions": {"VIEW_CHANNEL": True}})
    async with Wire(client) as wire, Wire(client) as blind:
        await wire.identify(ALL)
        created = await wire.dispatch("GUILD_CREATE")
        discord_specs.check_gateway("GatewayGuildCreateDispatchData", created)
        people = {client.sandbox.person_id(one) for one in ("ada", "ben")}
        assert {one["user_id"] for one in created["voice_states"]} == people
        assert not {"guild_id", "member"} & created["voice_states"][0].keys()
        await blind.identify(1)
        assert (await blind.dispatch("GUILD_CREATE"))["voice_states"] == []
        await join(client, "ada", hidden)
        told = await wire.dispatch("VOICE_STATE_UPDATE")  # it sees that she left, and not where she went
        assert (told["user_id"], told["channel_id"]) == (client.sandbox.person_id("ada"), None)
        assert (await client.rest("GET", state(client, client.sandbox.person_id("ada")))).code == 50001
        await client.api("POST", "voice", {"user": "ada", "channel": hidden, "mute": True})
        await client.api("DELETE", "voice", {"user": "ada"})
        await client.api("DELETE", "voice", {"user": "ben"})
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["user_id"] == client.sandbox.person_id("ben")
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await blind.receive())["t"] != "CHANNEL_UPDATE":
            assert not str(got["t"]).startswith("VOICE_")


async def test_a_bot_leaves_voice_with_its_session_and_keeps_it_over_a_resume(
    client: Client, clock: ManualClock
) -> None:
    lounge = await make(client)
    async with Wire(client) as wire:
        await wire.identify(ALL)
        await op4(client, wire, lounge)
        await wire.dispatch("VOICE_SERVER_UPDATE")
        session, seq = wire.session_id, wire.seq
        await wire.ws.close(code=4000)
    assert await inside(client) == ["robot"]
    async with Wire(client) as wire:
        await wire.resume(session, seq or 0)
        await wire.dispatch("RESUMED")
        assert await inside(client) == ["robot"]
        await wire.ws.close(code=1000)
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await wire.dispatch("GUILD_CREATE"))["voice_states"] == []
        await op4(client, wire, lounge)
        await wire.dispatch("VOICE_SERVER_UPDATE")
        await wire.ws.close(code=4000)
    clock.advance(181)  # too late to resume
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await wire.dispatch("GUILD_CREATE"))["voice_states"] == []


async def test_moderators_mute_deafen_move_and_disconnect(client: Client) -> None:
    await make(client)
    attic = await make(client, "Attic")
    for body in ({"mute": False}, {"deaf": True}, {"channel_id": attic}, {"channel_id": None}):
        assert (await client.rest("PATCH", member(client), body)).code == 40032, body
    await join(client)
    steps: list[tuple[str, JSON]] = [
        ("MUTE_MEMBERS", {"mute": True}),
        ("DEAFEN_MEMBERS", {"deaf": True}),
        ("MOVE_MEMBERS", {"channel_id": attic}),
        ("MOVE_MEMBERS", {"channel_id": None}),
    ]
    async with Wire(client) as wire:
        await wire.identify(ALL)
        for permission, body in steps:
            lacks = permission not in ("MOVE_MEMBERS",) or body["channel_id"] is not None
            if lacks:
                assert (await client.rest("PATCH", member(client), body)).code == 50013, permission
                await client.grant(permission)
            changed = await client.rest("PATCH", member(client), body)
            assert changed.status == 200, changed.body
            told = await wire.dispatch("VOICE_STATE_UPDATE")
        assert (changed.body["mute"], changed.body["deaf"]) == (True, True)
        assert (told["mute"], told["deaf"], told["channel_id"]) == (True, True, None)
    assert await client.sandbox.voice() == []


@pytest.mark.parametrize(("place", "code"), [("1", 10003), ("general", 50024), ("Vault", 50013)])
async def test_a_member_is_not_moved_to_a_wrong_place(client: Client, place: str, code: int) -> None:
    await make(client)
    vault = await make(client, "Vault")
    await client.api("PATCH", "channels/Vault", {"role": "everyone", "permissions": {"CONNECT": False}})
    await client.grant("MOVE_MEMBERS")
    await join(client)
    wanted = {"Vault": vault, "general": client.sandbox.channel_id("general")}.get(place, place)
    assert (await client.rest("PATCH", member(client), {"channel_id": wanted})).code == code
    assert await inside(client) == ["ada"]


async def test_a_move_needs_the_permission_where_the_member_is_and_ignores_limits(client: Client) -> None:
    await make(client)
    full = await make(client, "Full", user_limit=1)
    await join(client, "ben", "Full")
    await join(client)
    await client.api("PATCH", "channels/Lounge", {"role": "Robot", "permissions": {"MOVE_MEMBERS": True}})
    assert (await client.rest("PATCH", member(client), {"channel_id": full})).status == 200
    assert await inside(client, "Full") == ["ben", "ada"]
    assert (await client.rest("PATCH", member(client), {"channel_id": None})).code == 50013


async def test_people_are_refused_what_discords_client_would_not_offer(client: Client) -> None:
    await make(client, user_limit=1)
    await make(client, "Vault")
    await client.api("PATCH", "channels/Vault", {"role": "everyone", "permissions": {"CONNECT": False}})
    await join(client, "ben")
    refused: list[tuple[JSON, int, str]] = [
        ({"user": "ada", "channel": "Lounge"}, 409, "full"),
        ({"user": "ada", "channel": "general"}, 409, "conflict"),
        ({"user": "ada", "channel": "Vault"}, 403, "missing_permissions"),
        ({"user": "ada", "mute": True}, 409, "conflict"),
        ({"user": "ben", "request_to_speak": True}, 409, "conflict"),
        ({"user": "ada"}, 400, "invalid"),
    ]
    for body, status, code in refused:
        got = await client.api("POST", "voice", body)
        assert (got.status, got.body["error"]["code"]) == (status, code), body
    assert (await client.api("DELETE", "voice", {"user": "ada"})).status == 409
    assert (await client.api("PATCH", "people/ada", {"voice": "Lounge"})).status == 409
    await client.api("PATCH", "people/kim", {"timeout": 60})
    assert (await client.api("POST", "voice", {"user": "kim", "channel": "Lounge"})).status == 403
    await join(client, "owner")  # may move members, so a limit does not stop them


async def test_people_mute_themselves_and_administrators_move_them(client: Client) -> None:
    await make(client)
    await make(client, "Attic")
    shown = await join(client, mute=True)
    assert (shown["self_mute"], shown["mute"], shown["channel"]) == (True, False, "Lounge")
    shown = (await client.api("POST", "voice", {"user": "ada", "mute": False, "deaf": True})).body
    assert (shown["self_mute"], shown["self_deaf"]) == (False, True)
    await client.api("PATCH", "people/ada", {"voice": "Attic", "mute": True})
    [found] = await client.sandbox.voice("Attic")
    assert (found["user"], found["mute"], found["self_deaf"]) == ("ada", True, True)
    channels = (await client.api("GET", "state")).body["channels"]
    assert {one["name"]: len(one["voice"]) for one in channels if one["type"] == "voice"} == {
        "Lounge": 0,
        "Attic": 1,
    }
    await client.api("PATCH", "people/ada", {"voice": None})
    assert await client.sandbox.voice() == []
    assert (await join(client, "ada"))["mute"] is True  # the server's mute stays


async def test_leaving_a_timeout_and_a_deleted_channel_end_the_connection(client: Client) -> None:
    await make(client)
    ada = client.sandbox.person("ada")
    async with Wire(client) as wire:
        await wire.identify(ALL)
        for path, body in (
            ("people/ada", {"timeout": 60}),
            ("channels/Lounge", None),
            ("people/ada", None),
        ):
            await client.api("PATCH", "people/ada", {"timeout": None})
            await ada.join_voice("Lounge")
            assert (await wire.dispatch("VOICE_STATE_UPDATE"))["channel_id"] is not None
            await client.api("DELETE" if body is None else "PATCH", path, body)
            assert (await wire.dispatch("VOICE_STATE_UPDATE"))["channel_id"] is None
            assert await client.sandbox.voice() == []
            if path.startswith("channels"):
                await make(client)


@pytest.mark.parametrize(
    ("kind", "good", "bad", "code"),
    [
        (2, {"user_limit": 99}, {"user_limit": 100}, 50035),
        (13, {"user_limit": 10_000}, {"user_limit": 10_001}, 50035),
        (2, {"bitrate": 96_000}, {"bitrate": 96_001}, 30052),
        (13, {"bitrate": 64_000}, {"bitrate": 64_001}, 30052),
        (2, {"bitrate": 8000}, {"bitrate": 7999}, 50035),
        (2, {"video_quality_mode": 2}, {"video_quality_mode": 3}, 50035),
        (2, {"rtc_region": "rotterdam"}, {"rtc_region": ["x"]}, 50035),
    ],
)
async def test_a_limit_of_the_channel_holds_on_both_sides(
    client: Client, kind: int, good: JSON, bad: JSON, code: int
) -> None:
    await client.grant("MANAGE_CHANNELS")
    place = f"/guilds/{client.sandbox.guild_id()}/channels"
    assert (await client.rest("POST", place, {"name": "Hall", "type": kind} | bad)).code == code
    made = (await client.rest("POST", place, {"name": "Hall", "type": kind} | good)).body
    assert (made["name"], made["type"]) == ("Hall", kind)
    assert {key: made[key] for key in good} == good
    assert (await client.rest("PATCH", f"/channels/{made['id']}", bad)).code == code
    assert (await client.rest("PATCH", f"/channels/{made['id']}", {"nsfw": True})).body["bitrate"]


async def test_a_voice_channel_has_messages_and_no_threads_and_only_those_who_connect_read_it(
    client: Client,
) -> None:
    lounge = await make(client)
    sent = await client.rest("POST", f"/channels/{lounge}/messages", {"content": "hello"})
    assert sent.status == 200
    await client.grant("CREATE_PUBLIC_THREADS")
    for path in (f"/channels/{lounge}/threads", f"/channels/{lounge}/messages/{sent.body['id']}/threads"):
        assert (await client.rest("POST", path, {"name": "x"})).code == 50024
    started = {"user": "ada", "channel": "Lounge", "name": "x"}
    assert (await client.api("POST", "threads", started)).status == 409
    await client.api("PATCH", "channels/Lounge", {"role": "everyone", "permissions": {"CONNECT": False}})
    assert (await client.rest("GET", f"/channels/{lounge}")).status == 200
    assert (await client.rest("POST", f"/channels/{lounge}/messages", {"content": "hello"})).code == 50013


async def test_a_world_has_voice_channels() -> None:
    given = {"name": "Lounge", "type": "voice", "user_limit": 5}
    world = read_world({"guilds": [{"name": "club", "channels": [given, {"name": "Hall", "type": "stage"}]}]})
    assert world.guilds[0].channels[0].user_limit == 5


async def test_a_person_is_in_one_channel_at_a_time() -> None:
    lounge = (ChannelSpec("Lounge", type="voice"),)
    world = World(guilds=(GuildSpec("workshop", channels=lounge), GuildSpec("club", channels=lounge)))
    async with Sandbox(world) as sandbox:
        await sandbox.person("ada", guild="workshop").join_voice("Lounge")
        await sandbox.person("ada", guild="club").join_voice("Lounge")
        assert [one["guild"] for one in await sandbox.voice()] == ["club"]
        shown = await sandbox.call("POST", "voice", {"user": "ada", "mute": True})
        assert (shown["guild"], shown["self_mute"]) == ("club", True)
        await sandbox.person("ada").leave_voice()
        assert await sandbox.voice() == []


async def make_stage(client: Client) -> str:
    return await make(client, "Hall", type="stage")


async def test_a_bot_takes_the_stage(client: Client) -> None:
    hall = await make_stage(client)
    later = "2100-01-01T00:00:00+00:00"
    async with Wire(client) as wire:
        await wire.identify(ALL)
        assert (await client.rest("PATCH", state(client), {"suppress": True})).code == 10065
        await op4(client, wire, hall)
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["suppress"] is True
        speak: JSON = {"channel_id": hall, "suppress": False}
        assert (await client.rest("PATCH", state(client), speak)).code == 50013
        assert (await client.rest("PATCH", state(client), speak | {"channel_id": "1"})).code == 10065
        asked = {"request_to_speak_timestamp": later}
        assert (await client.rest("PATCH", state(client), asked)).status == 204
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["request_to_speak_timestamp"].startswith("2100")
        past = {"request_to_speak_timestamp": "2020-01-01T00:00:00+00:00"}
        assert (await client.rest("PATCH", state(client), past)).code == 50035
        await client.grant("MUTE_MEMBERS")
        assert (await client.rest("PATCH", state(client), speak)).status == 204
        told = await wire.dispatch("VOICE_STATE_UPDATE")
        assert (told["suppress"], told["request_to_speak_timestamp"][:4]) == (False, "2100")
        none = {"request_to_speak_timestamp": None}
        assert (await client.rest("PATCH", state(client), none)).status == 204
        assert (await wire.dispatch("VOICE_STATE_UPDATE"))["request_to_speak_timestamp"] is None


async def test_people_ask_to_speak_and_a_bot_invites_them(client: Client) -> None:
    await make_stage(client)
    other = state(client, client.sandbox.person_id("ada"))
    assert (await client.rest("PATCH", other, {"suppress": False})).code == 10065
    shown = await join(client, channel="Hall", request_to_speak=True)
    assert (shown["suppress"], shown["requested_to_speak"] is not None) == (True, True)
    assert (await client.rest("PATCH", other, {"suppress": False})).code == 50013
    await client.grant("MUTE_MEMBERS")
    assert (await client.rest("PATCH", other, {"suppress": False})).status == 204
    found = (await client.rest("GET", other)).body
    assert (found["suppress"], found["request_to_speak_timestamp"] is not None) == (False, True)
    assert (await client.rest("PATCH", other, {"suppress": True})).status == 204
    assert (await client.rest("GET", other)).body["request_to_speak_timestamp"] is None
    await client.api("PATCH", "channels/Hall", {"user": "ada", "permissions": {"REQUEST_TO_SPEAK": False}})
    got = await client.api("POST", "voice", {"user": "ada", "request_to_speak": True})
    assert got.status == 403


async def test_only_stages_have_speakers(client: Client) -> None:
    await make(client)
    await client.grant("MUTE_MEMBERS")
    await client.api("PATCH", "channels/Lounge", {"user": "ada", "permissions": {"SPEAK": False}})
    assert (await join(client))["suppress"] is True
    other = state(client, client.sandbox.person_id("ada"))
    assert (await client.rest("PATCH", other, {"suppress": False})).code == 50024
    assert (await client.rest("GET", state(client, "1"))).code == 10065
