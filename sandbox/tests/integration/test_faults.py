"""Every kind of fault: its effect, and its count of hits."""

import time
from typing import Any

import aiohttp
import pytest

from discord_sandbox import ManualClock
from discord_sandbox.discord.traffic.faults import KINDS
from support.client import Client, Wire

JSON = dict[str, Any]


async def order(client: Client, kind: str, **more: Any) -> str:
    got = await client.api("POST", "faults", {"kind": kind, **more})
    assert got.status == 201, got.body
    return str(got.body["id"])


async def hits(client: Client, fault: str) -> int:
    return int((await client.api("GET", f"faults/{fault}")).body["hits"])


async def texts(client: Client) -> list[str]:
    return [one["text"] for one in (await client.api("GET", "channels/general/messages")).body["messages"]]


async def test_unknown_kinds_are_refused_with_the_known_ones(client: Client) -> None:
    got = await client.api("POST", "faults", {"kind": "fire"})
    assert got.status == 400
    assert all(kind in got.body["error"]["hint"] for kind in KINDS)
    assert (await client.api("POST", "faults", {"kind": "429", "scope": "moon"})).status == 400
    assert (await client.api("POST", "faults", {"kind": "slow"})).status == 400
    assert (await client.api("POST", "faults", {"kind": "503", "rout": "x"})).status == 400


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_429(client: Client, scope: str) -> None:
    fault = await order(
        client, "429", method="POST", route="/channels/*/messages", scope=scope, retry_after=0.25, count=2
    )
    refused = [await client.send({"content": "x"}) for _ in range(2)]
    assert [one.status for one in refused] == [429, 429]
    assert refused[0].body["retry_after"] == 0.25
    assert refused[0].body["global"] is (scope == "global")
    assert refused[0].headers["X-RateLimit-Scope"] == scope
    assert ("X-RateLimit-Global" in refused[0].headers) is (scope == "global")
    assert refused[0].headers["Via"]
    through = await client.send({"content": "through"})
    assert through.status == 200
    named = None if scope == "global" else through.headers["X-RateLimit-Bucket"]
    assert refused[0].headers.get("X-RateLimit-Bucket") == named
    assert await hits(client, fault) == 2
    assert await texts(client) == ["through"]


async def test_500_after_apply_takes_effect(client: Client) -> None:
    fault = await order(client, "500_after_apply", route="/channels/{channel}/messages")
    assert (await client.send({"content": "applied"})).status == 500
    assert await texts(client) == ["applied"]
    assert await hits(client, fault) == 1
    log = (await client.api("GET", "requests")).body["requests"][-1]
    assert (log["status"], log["fault"]) == (500, fault)


async def test_503_takes_none(client: Client) -> None:
    await order(client, "503", method="POST")
    assert (await client.send({"content": "lost"})).status == 503
    assert await texts(client) == []


async def test_reset_after_apply_takes_effect_without_an_answer(client: Client) -> None:
    fault = await order(client, "reset_after_apply", method="POST")
    with pytest.raises(aiohttp.ClientError):
        await client.send({"content": "applied"})
    assert await texts(client) == ["applied"]
    assert await hits(client, fault) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_slow_calls_wait(client: Client, after: bool) -> None:
    fault = await order(client, "slow", delay_ms=30, after=after, seconds=60)
    started = time.perf_counter()
    assert (await client.send({"content": "late"})).status == 200
    assert time.perf_counter() - started >= 0.03
    assert await hits(client, fault) == 1


async def test_a_fault_hits_only_what_it_names(client: Client) -> None:
    fault = await order(
        client, "503", method="PATCH", route="/channels/*/messages/*", application="echo", seconds=10
    )
    message = (await client.send({"content": "x"})).body
    path = f"/channels/{message['channel_id']}/messages/{message['id']}"
    assert (await client.rest("PATCH", path, {"content": "y"})).status == 200
    async with Client(client.sandbox, "echo") as echo:
        own = (await echo.send({"content": "x"})).body
        path = f"/channels/{own['channel_id']}/messages/{own['id']}"
        assert (await echo.rest("PATCH", path, {"content": "y"})).status == 503
    assert await hits(client, fault) == 1


async def test_faults_end_with_their_time_or_when_told(client: Client, clock: ManualClock) -> None:
    fault = await order(client, "503", seconds=10)
    clock.advance(9.9)
    assert (await client.send({"content": "x"})).status == 503
    clock.advance(0.1)
    assert (await client.send({"content": "x"})).status == 200
    assert (await client.api("GET", f"faults/{fault}")).body["active"] is False
    other = await order(client, "503", seconds=10)
    assert (await client.api("DELETE", f"faults/{other}")).status == 200
    assert (await client.send({"content": "x"})).status == 200
    assert (await client.api("DELETE", "faults")).body == {"faults": []}
    assert (await client.api("GET", f"faults/{fault}")).status == 404


async def test_a_gateway_drop_has_no_close_frame_and_can_be_resumed(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        fault = await order(client, "gateway_drop")
        assert await wire.close_code() in (None, 1006)
    assert await hits(client, fault) == 1
    async with Wire(client) as again:
        await again.resume(wire.session_id, wire.seq or 0)
        await again.dispatch("RESUMED")


async def test_a_gateway_drop_with_a_duration_refuses_new_connections(
    client: Client, clock: ManualClock
) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        await order(client, "gateway_drop", seconds=30)
        assert await wire.close_code() in (None, 1006)
    with pytest.raises(aiohttp.ClientError):
        async with Wire(client):
            pass
    clock.advance(30)
    async with Wire(client) as again:
        await again.identify()


async def test_a_drop_with_a_duration_refuses_resumes_and_one_bot_alone(
    client: Client, clock: ManualClock
) -> None:
    async with Client(client.sandbox, "echo") as echo, Wire(client) as wire, Wire(echo) as other:
        await wire.identify()
        await other.identify()
        await order(client, "gateway_drop", seconds=30, application="robot")
        assert await wire.close_code() in (None, 1006)
        with pytest.raises(aiohttp.ClientError):
            async with Wire(client, url=wire.resume_url):
                pass
        await other.ws.close(code=4000)
        async with Wire(echo, url=other.resume_url) as again:
            await again.resume(other.session_id, other.seq or 0)
            await again.dispatch("RESUMED")
        clock.advance(30)
        async with Wire(client, url=wire.resume_url) as again:
            await again.resume(wire.session_id, wire.seq or 0)
            await again.dispatch("RESUMED")


@pytest.mark.parametrize(
    ("code", "resumable"), [(4000, True), (4001, True), (4008, True), (4004, False), (4009, False)]
)
async def test_a_gateway_drop_with_a_code_closes_with_it(client: Client, code: int, resumable: bool) -> None:
    """And the code alone says whether the session stays: clients answer with 1000 whatever it is."""
    async with Wire(client) as wire:
        await wire.identify()
        await order(client, "gateway_drop", code=code)
        assert await wire.close_code() == code
    await client.send({"content": "missed"})
    async with Wire(client, url=wire.resume_url) as again:
        await again.resume(wire.session_id, wire.seq or 0)
        if resumable:
            assert (await again.dispatch("MESSAGE_CREATE"))["content"] == "missed"
            await again.dispatch("RESUMED")
        else:
            assert (await again.op(9))["d"] is False


async def test_op_7_asks_to_reconnect_and_the_session_stays(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        await order(client, "op7")
        await wire.op(7)
        await wire.ws.close(code=4000)
    async with Wire(client) as again:
        await again.resume(wire.session_id, wire.seq or 0)
        await again.dispatch("RESUMED")


async def test_op_9_ends_the_session(client: Client) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        fault = await order(client, "op9")
        assert (await wire.op(9))["d"] is False
        await wire.ws.close(code=4000)
    async with Wire(client) as again:
        await again.resume(wire.session_id, wire.seq or 0)
        assert (await again.op(9))["d"] is False
    assert await hits(client, fault) == 1


@pytest.mark.parametrize("kind", ["op7", "op9", "gateway_drop"])
async def test_gateway_faults_wait_for_a_session_when_there_is_none(client: Client, kind: str) -> None:
    fault = await order(client, kind)
    assert await hits(client, fault) == 0
    async with Wire(client) as wire:
        await wire.send(2, {"token": client.sandbox.token(), "intents": 1, "properties": {}})
        if kind == "gateway_drop":
            assert await wire.close_code() in (None, 1006)
        else:
            await wire.op(int(kind[2:]))
    assert await hits(client, fault) == 1


async def test_missed_acks(client: Client) -> None:
    fault = await order(client, "missed_acks", count=2)
    async with Wire(client) as wire:
        await wire.identify()
        for _ in range(3):
            await wire.send(1, wire.seq)
        await wire.op(11)
        assert await hits(client, fault) == 2


async def test_a_dead_resume_address(client: Client, clock: ManualClock) -> None:
    async with Wire(client) as wire:
        await wire.identify()
        resume_url = wire.resume_url
    fault = await order(client, "dead_resume", seconds=60)
    with pytest.raises(aiohttp.ClientError):
        async with Wire(client, url=resume_url):
            pass
    assert await hits(client, fault) >= 1
    async with Wire(client):
        pass
    clock.advance(60)
    async with Wire(client, url=resume_url):
        pass


async def test_duplicate_delivery(client: Client) -> None:
    fault = await order(client, "duplicate_delivery")
    async with Wire(client) as wire:
        await wire.identify()
        first = await client.begin(user="ada", channel="general", command="ping")
        twice = [await wire.dispatch("INTERACTION_CREATE") for _ in range(2)]
        assert [one["id"] for one in twice] == [first["id"]] * 2
        second = await client.begin(user="ada", channel="general", command="ping")
        assert (await wire.dispatch("INTERACTION_CREATE"))["id"] == second["id"]
    assert await hits(client, fault) == 1
