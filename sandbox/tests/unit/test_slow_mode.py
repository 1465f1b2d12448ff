"""Slow mode of people: messages and threads have waits of their own, and those who may bypass it have none."""

from typing import Any

import pytest

from discord_sandbox import CallRefused, ManualClock
from support.client import Client

JSON = dict[str, Any]


async def slow(client: Client, channel: str = "general", seconds: int = 10) -> None:
    got = await client.api("PATCH", f"channels/{channel}", {"slowmode": seconds})
    assert (got.status, got.body["slowmode"]) == (200, seconds)


async def write(client: Client, user: str = "ada", channel: str = "general", **body: Any) -> Any:
    return await client.api("POST", "messages", {"user": user, "channel": channel, "content": "x", **body})


async def thread(client: Client, name: str, user: str = "ada", channel: str = "general", **body: Any) -> Any:
    return await client.api("POST", "threads", {"user": user, "channel": channel, "name": name, **body})


async def test_a_person_waits_between_two_messages(client: Client, clock: ManualClock) -> None:
    await slow(client)
    first = (await write(client)).body["id"]
    clock.advance(3.25)
    refused = await write(client)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert refused.body["error"] == {
        "code": "slow_mode",
        "message": "Slow mode: ada can write in #general again in 7 s (20016).",
        "hint": "One message every 10 s; those who may bypass slow mode are exempt.",
        "retry_after": 6.75,
    }
    assert (await write(client, "ben")).status == 201, "each person waits alone"
    assert (await write(client, channel="news")).status == 201, "and in each channel alone"
    assert (await client.api("PATCH", f"messages/{first}", {"user": "ada", "content": "y"})).status == 200
    await client.api("DELETE", f"messages/{first}", user="ada")
    clock.advance(6.7)
    assert (await write(client)).body["error"]["retry_after"] == pytest.approx(0.05), (
        "deleting changes nothing"
    )
    clock.advance(0.1)
    assert (await write(client)).status == 201
    logged = (await client.api("GET", "requests")).body["requests"]
    assert [
        one["status"] for one in logged if one["path"].endswith("/messages") and one["status"] == 429
    ] == [429] * 2


async def test_what_is_refused_anyway_starts_no_wait(client: Client) -> None:
    await slow(client)
    assert (await write(client, content="x" * 2001)).status == 400
    assert (await write(client)).status == 201
    files = [{"filename": "a.txt", "text": "x"}]
    other = (await write(client, "ben", "news")).body["id"]
    for body in ({"files": files}, {"forward": other}, {"poll": {"question": "?", "answers": ["a"]}}):
        assert (await write(client, **body)).status == 429


async def test_those_who_may_bypass_it_and_bots_are_exempt(client: Client) -> None:
    await slow(client)
    await client.grant("MANAGE_MESSAGES", "MANAGE_CHANNELS", "MANAGE_THREADS", role="helper")
    assert [(await write(client, "kim")).status for _ in range(2)] == [201, 429]
    await client.grant("BYPASS_SLOWMODE", role="helper")
    for user in ("kim", "owner"):
        assert [(await write(client, user)).status for _ in range(3)] == [201] * 3
    assert [(await client.send({"content": "x"})).status for _ in range(3)] == [200] * 3
    await client.api(
        "PATCH", "channels/general", {"role": "helper", "permissions": {"BYPASS_SLOWMODE": False}}
    )
    assert (await write(client, "kim")).status == 429, "the overwrite of the channel counts"


async def test_threads_have_a_wait_beside_that_of_messages(client: Client, clock: ManualClock) -> None:
    await slow(client)
    assert (await write(client)).status == 201
    assert (await thread(client, "one", content="first")).status == 201
    refused = await thread(client, "two")
    assert (refused.status, refused.body["error"]["message"]) == (
        429,
        "Slow mode: ada can start a thread in #general again in 10 s (20016).",
    )
    assert (await write(client, channel="one")).status == 201, "a thread has a slow mode of its own"
    path = f"/channels/{(await thread(client, 'three', 'ben', content='x')).body['id']}"
    await client.grant("MANAGE_THREADS")
    assert (await client.rest("PATCH", path, {"rate_limit_per_user": 30})).status == 200
    assert (await write(client, "ben", "three")).body["error"]["retry_after"] == 30
    await client.grant("BYPASS_SLOWMODE", role="member")
    assert (await write(client, "ben", "three")).status == 201
    clock.advance(10)
    assert (await thread(client, "four")).status == 201


async def test_a_forum_limits_posts(client: Client, clock: ManualClock) -> None:
    await client.api("POST", "channels", {"name": "ideas", "type": "forum", "slowmode": 60})
    assert (await thread(client, "soup", channel="ideas", content="x")).status == 201
    refused = await thread(client, "bread", channel="ideas", content="x")
    assert (refused.body["error"]["retry_after"], "start a post" in refused.body["error"]["message"]) == (
        60,
        True,
    )
    clock.advance(60)
    assert (await thread(client, "bread", channel="ideas", content="x")).status == 201


async def test_people_as_objects_are_told_how_long(client: Client) -> None:
    await slow(client)
    ada = client.sandbox.person("ada")
    await ada.write("general", "one")
    with pytest.raises(CallRefused, match="again in 10 s") as refused:
        await ada.write("general", "two")
    assert (refused.value.code, refused.value.retry_after) == ("slow_mode", 10)
    with pytest.raises(CallRefused) as other:
        await ada.write("genral", "two")
    assert other.value.retry_after is None
