"""Live stages, the status of voice channels, voice regions: who may change them, and who is told."""

from typing import Any

import pytest
import pytest_asyncio

from support.client import Client, Wire

JSON = dict[str, Any]
GUILDS = 1 << 0
MODERATES = ("MANAGE_CHANNELS", "MUTE_MEMBERS", "MOVE_MEMBERS")
STAGES = "/stage-instances"


async def made(client: Client, kind: str) -> str:
    found: str = (await client.api("POST", "channels", {"name": kind, "type": kind})).body["id"]
    return found


@pytest_asyncio.fixture
async def stage(client: Client) -> str:
    """A stage channel that the bot moderates."""
    await client.grant(*MODERATES)
    return await made(client, "stage")


async def logged(client: Client, action: str) -> JSON:
    found: JSON = (await client.api("GET", "audit-log", action=action)).body["entries"][0]
    return found


async def test_a_stage_is_begun_changed_and_ended_and_bots_are_told(client: Client, stage: str) -> None:
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        begun = await client.rest("POST", STAGES, {"channel_id": stage, "topic": "Soup"})
        assert begun.status == 200
        assert begun.body == begun.body | {"channel_id": stage, "topic": "Soup", "privacy_level": 2}
        told = await wire.dispatch("STAGE_INSTANCE_CREATE")
        assert told == begun.body
        assert (await client.rest("GET", f"{STAGES}/{stage}")).body == begun.body
        assert (await client.rest("POST", STAGES, {"channel_id": stage, "topic": "x"})).code == 150006
        changed = await client.rest("PATCH", f"{STAGES}/{stage}", {"topic": "Bread"})
        assert changed.body == begun.body | {"topic": "Bread"}
        assert await wire.dispatch("STAGE_INSTANCE_UPDATE") == changed.body
        assert (await client.rest("DELETE", f"{STAGES}/{stage}")).status == 204
        assert (await wire.dispatch("STAGE_INSTANCE_DELETE"))["id"] == begun.body["id"]
    for method in ("GET", "PATCH", "DELETE"):
        gone = await client.rest(method, f"{STAGES}/{stage}", {} if method == "PATCH" else None)
        assert (gone.status, gone.code) == (404, 10067)
    update = await logged(client, "STAGE_INSTANCE_UPDATE")
    assert update["changes"] == [{"key": "topic", "new_value": "Bread", "old_value": "Soup"}]
    assert update["options"] == {"channel_id": stage}


async def test_a_live_stage_is_part_of_the_server_and_of_saved_worlds(client: Client, stage: str) -> None:
    await client.rest("POST", STAGES, {"channel_id": stage, "topic": "Soup"})
    saved = await client.sandbox.save()
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        guild = await wire.dispatch("GUILD_CREATE")
        assert [one["topic"] for one in guild["stage_instances"]] == ["Soup"]
        await client.api("DELETE", "channels/stage")
        assert (await wire.dispatch("STAGE_INSTANCE_DELETE"))["channel_id"] == stage
    await client.sandbox.restore(saved)
    assert (await client.rest("GET", f"{STAGES}/{stage}")).body["topic"] == "Soup"


@pytest.mark.parametrize("lacking", MODERATES)
async def test_only_moderators_of_the_stage_change_it(client: Client, stage: str, lacking: str) -> None:
    body = {"channel_id": stage, "topic": "Soup"}
    assert (await client.rest("POST", STAGES, body)).status == 200
    denied = {"application": "robot", "permissions": {lacking: False}}
    assert (await client.api("PATCH", "channels/stage", denied)).status == 200
    assert (await client.rest("PATCH", f"{STAGES}/{stage}", {"topic": "x"})).code == 50013
    assert (await client.rest("DELETE", f"{STAGES}/{stage}")).code == 50013
    assert (await client.rest("POST", STAGES, body)).code == 50013
    assert (await client.rest("GET", f"{STAGES}/{stage}")).status == 200


async def test_what_cannot_be_a_stage(client: Client, stage: str) -> None:
    general = client.sandbox.channel_id("general")
    wrong: list[tuple[JSON, int]] = [
        ({"channel_id": general, "topic": "x"}, 50024),
        ({"channel_id": "1", "topic": "x"}, 10003),
        ({"channel_id": stage}, 50035),
        ({"topic": "x"}, 50035),
        ({"channel_id": stage, "topic": "x" * 121}, 50035),
        ({"channel_id": stage, "topic": "x", "privacy_level": 3}, 50035),
        ({"channel_id": stage, "topic": "x", "send_start_notification": True}, 50013),
        ({"channel_id": stage, "topic": "x", "guild_scheduled_event_id": "1"}, 10070),
    ]
    for body, code in wrong:
        assert (await client.rest("POST", STAGES, body)).code == code, body
    assert (await client.rest("POST", STAGES, {"channel_id": stage, "topic": "x" * 120})).status == 200
    assert (await client.rest("PATCH", f"{STAGES}/{stage}", {"topic": None})).code == 50035
    assert (await client.rest("GET", f"{STAGES}/{general}")).code == 50024


async def test_a_voice_channel_says_what_is_going_on(client: Client) -> None:
    voice = await made(client, "voice")
    path, guild = f"/channels/{voice}/voice-status", client.sandbox.guild_id()
    assert (await client.rest("PUT", path, {"status": "x"})).code == 50013
    await client.grant("SET_VOICE_CHANNEL_STATUS")
    assert (await client.rest("PUT", path, {"status": "x"})).code == 50013, "not while it is outside"
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        await wire.send(4, {"guild_id": guild, "channel_id": voice, "self_mute": False, "self_deaf": False})
        await wire.dispatch("VOICE_SERVER_UPDATE")
        assert (await client.rest("PUT", path, {"status": "Lunch"})).status == 204
        told = await wire.dispatch("VOICE_CHANNEL_STATUS_UPDATE")
        assert told == {"id": voice, "guild_id": guild, "status": "Lunch"}
        assert (await client.rest("PUT", path, {"status": None})).status == 204
        assert (await wire.dispatch("VOICE_CHANNEL_STATUS_UPDATE"))["status"] is None
    assert (await client.rest("PUT", path, {"status": "x" * 501})).code in (50013, 50035)
    assert (await logged(client, "VOICE_CHANNEL_STATUS_CREATE"))["options"]["status"] == "Lunch"
    general = client.sandbox.channel_id("general")
    assert (await client.rest("PUT", f"/channels/{general}/voice-status", {"status": "x"})).code == 50024


async def test_bots_ask_for_statuses_and_sounds(client: Client) -> None:
    voice, guild = await made(client, "voice"), client.sandbox.guild_id()
    await client.grant("SET_VOICE_CHANNEL_STATUS", "MANAGE_CHANNELS")
    assert (await client.rest("PUT", f"/channels/{voice}/voice-status", {"status": "Lunch"})).status == 204
    async with Wire(client) as wire:
        await wire.identify(GUILDS)
        for fields, channels in ((["status"], [{"id": voice, "status": "Lunch"}]), (None, [])):
            await wire.send(43, {"guild_id": guild, "fields": fields})
            assert await wire.dispatch("CHANNEL_INFO") == {"guild_id": guild, "channels": channels}
        await wire.send(31, {"guild_ids": ["1", guild]})
        assert await wire.dispatch("SOUNDBOARD_SOUNDS") == {"guild_id": guild, "soundboard_sounds": []}
        for op, data in ((31, {"guild_ids": 5}), (31, []), (43, {"guild_id": "1"}), (8, {})):
            await wire.send(op, data)
        await wire.send(1, None)
        assert (await wire.op(11))["op"] == 11


async def test_regions_are_listed(client: Client) -> None:
    listed = (await client.rest("GET", "/voice/regions")).body
    assert {"us-east", "rotterdam"} <= {one["id"] for one in listed}
    assert [one["optimal"] for one in listed].count(True) == 1
    assert (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/regions")).body == listed
