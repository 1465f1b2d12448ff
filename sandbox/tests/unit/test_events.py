"""Scheduled events: who makes, begins and ends them, where and when they can be, and who is interested."""

import base64
import re
from typing import Any

import pytest

from discord_sandbox import ManualClock
from discord_sandbox.api.calls.emojis import SMILE
from discord_sandbox.discord.rules.events import MOST
from discord_sandbox.discord.state.clock import iso
from support.client import Client, Wire

JSON = dict[str, Any]
GUILDS, EVENTS = 1 << 0, 1 << 16
CREATE, MANAGE = "CREATE_EVENTS", "MANAGE_EVENTS"
DAY = 86_400.0


def path(client: Client, event: str = "") -> str:
    return f"/guilds/{client.sandbox.guild_id()}/scheduled-events{'/' if event else ''}{event}"


def after(client: Client, seconds: float) -> str:
    return iso(client.sandbox.core.clock.now() + seconds)


def feast(client: Client, **more: Any) -> JSON:
    """An event outside of Discord."""
    times = {"scheduled_start_time": after(client, DAY), "scheduled_end_time": after(client, 2 * DAY)}
    body: JSON = {"name": "Feast", "entity_type": 3, "privacy_level": 2}
    return body | times | {"entity_metadata": {"location": "Kitchen"}} | more


async def made(client: Client, **more: Any) -> JSON:
    got = await client.rest("POST", path(client), feast(client, **more))
    assert got.status == 200, got.body
    found: JSON = got.body
    return found


async def channel(client: Client, kind: str) -> str:
    found: str = (await client.api("POST", "channels", {"name": kind, "type": kind})).body["id"]
    return found


async def test_they_are_made_changed_begun_and_ended_and_bots_are_told(client: Client) -> None:
    await client.grant(CREATE, "VIEW_AUDIT_LOG")
    async with Wire(client) as wire, Wire(client) as deaf:
        await wire.identify(GUILDS | EVENTS)
        await deaf.identify(GUILDS)
        event = await made(client, description="Soup")
        expected = {"name": "Feast", "description": "Soup", "status": 1, "entity_type": 3, "channel_id": None}
        assert event == event | expected | {"entity_metadata": {"location": "Kitchen"}}
        assert event["creator"]["username"] == "robot"
        assert await wire.dispatch("GUILD_SCHEDULED_EVENT_CREATE") == event
        own = path(client, event["id"])
        assert (await client.rest("GET", own)).body == event
        assert (await client.rest("GET", path(client))).body == [event]
        counted = (await client.rest("GET", f"{path(client)}?with_user_count=true")).body
        assert counted == [event | {"user_count": 0}]
        changed = (await client.rest("PATCH", own, {"name": "Fast", "description": None})).body
        assert changed == event | {"name": "Fast", "description": None}
        assert await wire.dispatch("GUILD_SCHEDULED_EVENT_UPDATE") == changed
        for status in (2, 3):
            assert (await client.rest("PATCH", own, {"status": status})).body["status"] == status
            assert (await wire.dispatch("GUILD_SCHEDULED_EVENT_UPDATE"))["status"] == status
        assert (await client.rest("PATCH", own, {"name": "x"})).code == 180000
        assert (await client.rest("GET", path(client))).body == []
        assert (await client.rest("GET", own)).body["status"] == 3
        assert (await client.rest("DELETE", own)).status == 204
        assert (await wire.dispatch("GUILD_SCHEDULED_EVENT_DELETE"))["id"] == event["id"]
        await client.api("PATCH", "channels/general", {"topic": "the end"})
        while (got := await deaf.receive())["t"] != "CHANNEL_UPDATE":
            assert not str(got["t"]).startswith("GUILD_SCHEDULED")
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        gone = await client.rest(method, own, body)
        assert (gone.status, gone.code) == (404, 10070)
    log = (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/audit-logs?limit=6")).body
    _topic, *entries = log["audit_log_entries"]
    actions = [(one["action_type"], one["target_id"]) for one in entries]
    assert actions == [(number, event["id"]) for number in (102, 101, 101, 101, 100)]
    named = entries[3]["changes"]
    assert {"key": "name", "old_value": "Feast", "new_value": "Fast"} in named


async def test_those_of_others_need_more_than_ones_own(client: Client) -> None:
    assert (await client.rest("POST", path(client), feast(client))).code == 50013
    await client.grant(CREATE)
    own = path(client, (await made(client))["id"])
    async with Client(client.sandbox, "echo") as other:
        assert (await other.rest("GET", own)).status == 200
        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            assert (await other.rest(method, own, body)).code == 50013
        await client.grant(CREATE, role="Echo")
        assert (await other.rest("PATCH", own, {"name": "x"})).code == 50013
        await client.grant(MANAGE, role="Echo")
        assert (await other.rest("PATCH", own, {"name": "x"})).status == 200
        assert (await other.rest("DELETE", own)).status == 204


WRONG: list[tuple[JSON, str]] = [
    ({"name": None}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"description": "x" * 1001}, "description"),
    ({"privacy_level": 1}, "privacy_level"),
    ({"entity_type": 4}, "entity_type"),
    ({"scheduled_start_time": "soon"}, "scheduled_start_time"),
    ({"scheduled_start_time": "2020-01-01T00:00:00Z"}, "scheduled_start_time"),
    ({"scheduled_start_time": "2090-01-01T00:00:00Z"}, "scheduled_start_time"),
    ({"scheduled_end_time": None}, "scheduled_end_time"),
    ({"scheduled_end_time": "2020-01-01T00:00:00Z"}, "scheduled_end_time"),
    ({"entity_metadata": None}, "entity_metadata"),
    ({"entity_metadata": {"location": "x" * 101}}, "entity_metadata"),
    ({"channel_id": "1"}, "channel_id"),
    ({"entity_type": 2, "entity_metadata": None}, "channel_id"),
    ({"description": 5, "name": 1.5, "recurrence_rule": []}, "recurrence_rule"),
    ({"image": 5}, "image"),
    ({"image": "soup.png"}, "image"),
    ({"recurrence_rule": {"start": "2026-01-01T00:00:00Z", "frequency": 4}}, "recurrence_rule"),
    ({"recurrence_rule": {"frequency": 2}}, "recurrence_rule"),
]


@pytest.mark.parametrize(("wrong", "at"), WRONG)
async def test_what_cannot_be_an_event(client: Client, wrong: JSON, at: str) -> None:
    await client.grant(CREATE)
    refused = await client.rest("POST", path(client), feast(client, **wrong))
    assert refused.code == 50035
    assert list(refused.body["errors"]) == [at], refused.body
    event = await made(client)
    assert (await client.rest("PATCH", path(client, event["id"]), wrong)).code == 50035
    assert (await client.rest("GET", path(client, event["id"]))).body == event


async def test_an_event_has_a_picture(client: Client) -> None:
    await client.grant(CREATE)
    event = await made(client, image=SMILE)
    own, at = path(client, event["id"]), f"{client.sandbox.url}/cdn/guild-events/{event['id']}"
    assert re.fullmatch("[0-9a-f]{32}", event["image"])
    assert (await client.rest("PATCH", own, {"name": "Fast"})).body["image"] == event["image"]
    async with client.http.get(f"{at}/{event['image']}.png") as got:
        picture = base64.b64decode(SMILE.partition(",")[2])
        assert (got.content_type, await got.read()) == ("image/png", picture)
    assert (await client.rest("PATCH", own, {"image": "data:image/png;base64,eA=="})).code == 50046
    assert (await client.rest("PATCH", own, {"image": None})).body["image"] is None
    async with client.http.get(f"{at}/{event['image']}.png") as got:
        assert got.status == 404


async def test_an_event_takes_place_in_a_channel_of_its_kind(client: Client) -> None:
    await client.grant(CREATE)
    voice, stage = await channel(client, "voice"), await channel(client, "stage")
    inside = {"entity_type": 2, "channel_id": voice, "entity_metadata": None, "scheduled_end_time": None}
    event = await made(client, **inside)
    assert (event["channel_id"], event["entity_metadata"], event["scheduled_end_time"]) == (voice, None, None)
    wrong = feast(client, **inside | {"channel_id": stage})
    assert (await client.rest("POST", path(client), wrong)).code == 50035
    on_stage = feast(client, **inside | {"channel_id": stage, "entity_type": 1})
    assert (await client.rest("POST", path(client), on_stage)).code == 50013
    await client.grant("MANAGE_CHANNELS", "MUTE_MEMBERS", "MOVE_MEMBERS")
    assert (await client.rest("POST", path(client), on_stage)).status == 200
    outside = {"entity_type": 3, "channel_id": None, "entity_metadata": {"location": "Garden"}}
    own = path(client, event["id"])
    assert (await client.rest("PATCH", own, outside)).code == 50035, "without an end"
    outside["scheduled_end_time"] = after(client, 2 * DAY)
    moved = (await client.rest("PATCH", own, outside)).body
    assert (moved["channel_id"], moved["entity_metadata"]) == (None, {"location": "Garden"})


async def test_events_in_hidden_channels_are_hidden_and_end_with_the_channel(client: Client) -> None:
    await client.grant(CREATE, "VIEW_AUDIT_LOG")
    voice = await channel(client, "voice")
    event = await made(client, entity_type=2, channel_id=voice, entity_metadata=None)
    denied = {"application": "echo", "permissions": {"VIEW_CHANNEL": False}}
    await client.api("PATCH", "channels/voice", denied)
    async with Client(client.sandbox, "echo") as other, Wire(client) as wire, Wire(other) as blind:
        assert (await other.rest("GET", path(client))).body == []
        assert (await other.rest("GET", path(client, event["id"]))).code == 10070
        await wire.identify(GUILDS | EVENTS)
        assert (await wire.dispatch("GUILD_CREATE"))["guild_scheduled_events"] == [event]
        await blind.identify(GUILDS | EVENTS)
        assert (await blind.dispatch("GUILD_CREATE"))["guild_scheduled_events"] == []
        assert (await client.rest("PATCH", path(client, event["id"]), {"name": "x"})).status == 200
        log = await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/audit-logs")
        assert [one["name"] for one in log.body["guild_scheduled_events"]] == ["x"]
        await client.api("DELETE", "channels/voice")
        assert (await wire.dispatch("GUILD_SCHEDULED_EVENT_DELETE"))["id"] == event["id"]
        while (got := await blind.receive())["t"] != "CHANNEL_DELETE":
            assert not str(got["t"]).startswith("GUILD_SCHEDULED")
    assert (await client.rest("GET", path(client))).body == []


@pytest.mark.parametrize(
    ("begun", "status", "allowed"),
    [(0, 2, True), (0, 3, False), (0, 4, True), (2, 4, False), (2, 1, False), (2, 3, True)],
)
async def test_the_ways_from_one_status_to_another(
    client: Client, begun: int, status: int, allowed: bool
) -> None:
    await client.grant(CREATE)
    own = path(client, (await made(client))["id"])
    if begun:
        assert (await client.rest("PATCH", own, {"status": begun})).status == 200
        again = {"scheduled_start_time": after(client, DAY)}
        assert "scheduled_start_time" in (await client.rest("PATCH", own, again)).body["errors"]
    got = await client.rest("PATCH", own, {"status": status})
    assert (got.status == 200) is allowed
    assert allowed or list(got.body["errors"]) == ["status"]


async def test_people_are_interested_and_not_any_more(client: Client, clock: ManualClock) -> None:
    await client.grant(CREATE)
    event = await made(client)
    ids = [client.sandbox.person_id(one) for one in ("ada", "ben")]
    async with Wire(client) as wire:
        await wire.identify(GUILDS | EVENTS)
        for person in ("ada", "ada", "ben"):
            got = await client.api("PUT", "scheduled-events/Feast/users", {"user": person})
            assert got.status == 200, got.body
        told = [await wire.dispatch("GUILD_SCHEDULED_EVENT_USER_ADD") for _ in ids]
        place = {"guild_id": client.sandbox.guild_id(), "guild_scheduled_event_id": event["id"]}
        assert told == [place | {"user_id": one} for one in ids]
        users = path(client, event["id"]) + "/users"
        listed = (await client.rest("GET", users)).body
        assert sorted(one["user"]["username"] for one in listed) == ["ada", "ben"]
        first = (await client.rest("GET", f"{users}?limit=1&with_member=true")).body
        assert [one["user_id"] for one in first] == [listed[0]["user_id"]]
        assert first[0]["member"]["user"] == listed[0]["user"]
        rest = (await client.rest("GET", f"{users}?after={listed[0]['user_id']}")).body
        assert rest == listed[1:]
        assert (await client.rest("GET", f"{users}/counts")).body["guild_scheduled_event_count"] == 2
        saved = await client.sandbox.save()
        left = await client.api("DELETE", f"scheduled-events/{event['id']}/users", user="ben")
        assert (left.body["users"], left.body["status"]) == (["ada"], "scheduled")
        assert (await wire.dispatch("GUILD_SCHEDULED_EVENT_USER_REMOVE"))["user_id"] == ids[1]
    await client.sandbox.restore(saved)
    [view] = (await client.api("GET", "scheduled-events")).body["events"]
    assert (view["users"], view["location"], view["creator"]) == (["ada", "ben"], "Kitchen", "robot")
    assert (await client.api("PUT", "scheduled-events/x/users", {"user": "ada"})).status == 404
    await client.rest("PATCH", path(client, event["id"]), {"status": 4})
    assert (await client.api("PUT", "scheduled-events/Feast/users", {"user": "kim"})).status == 409


async def test_a_live_stage_and_an_invite_name_the_event(client: Client) -> None:
    await client.grant(CREATE, "CREATE_INSTANT_INVITE", "MANAGE_CHANNELS", "MUTE_MEMBERS", "MOVE_MEMBERS")
    stage = await channel(client, "stage")
    event = await made(client, entity_type=1, channel_id=stage, entity_metadata=None)
    body = {"channel_id": stage, "topic": "Soup", "guild_scheduled_event_id": event["id"]}
    live = await client.rest("POST", "/stage-instances", body)
    assert live.body["guild_scheduled_event_id"] == event["id"]
    code = (await client.rest("POST", f"/channels/{stage}/invites", {})).body["code"]
    asked = await client.rest("GET", f"/invites/{code}?guild_scheduled_event_id={event['id']}")
    assert asked.body["guild_scheduled_event"] == event
    other = await client.rest("GET", f"/invites/{code}?guild_scheduled_event_id=1")
    assert "guild_scheduled_event" not in other.body


async def test_a_rule_of_recurrence_is_kept(client: Client) -> None:
    await client.grant(CREATE)
    rule = {"start": after(client, DAY), "frequency": 2, "by_weekday": [2]}
    event = await made(client, recurrence_rule=rule)
    assert event["recurrence_rule"] == event["recurrence_rule"] | rule | {"interval": 1}
    changed = await client.rest("PATCH", path(client, event["id"]), {"recurrence_rule": None})
    assert changed.body["recurrence_rule"] is None


async def test_a_server_has_a_hundred_that_are_not_over(client: Client) -> None:
    await client.grant(CREATE)
    for _ in range(MOST):
        event = await made(client)
    assert (await client.rest("POST", path(client), feast(client))).code == 30038
    await client.rest("PATCH", path(client, event["id"]), {"status": 4})
    await made(client)
