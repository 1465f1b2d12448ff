"""Lists that come in pages: clients reach the end of each, and bad parameters are refused."""

from typing import Any

import pytest

from discord_sandbox import GuildSpec, ManualClock, Sandbox, World
from support.client import Client

JSON = dict[str, Any]


async def test_guilds(clock: ManualClock) -> None:
    world = World(guilds=tuple(GuildSpec(f"g{i}") for i in range(5)), rate_limits=False)
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox) as client:

        async def ids(query: str = "") -> list[str]:
            return [one["id"] for one in (await client.rest("GET", f"/users/@me/guilds{query}")).body]

        listed = await ids()
        assert listed == sorted(listed, key=int)
        assert len(listed) == 5
        assert await ids(f"?limit=2&after={listed[1]}") == listed[2:4]
        assert await ids(f"?limit=2&before={listed[3]}") == listed[1:3]
        assert await ids(f"?after={listed[4]}") == []
        assert await ids(f"?before={listed[0]}") == []
        counted = (await client.rest("GET", "/users/@me/guilds?with_counts=true&limit=1")).body[0]
        assert counted["approximate_member_count"] == (len(world.guilds[0].people) + 3)
        assert "approximate_member_count" not in (await client.rest("GET", "/users/@me/guilds")).body[0]


async def archive(client: Client, clock: ManualClock, channel: str, kind: int, number: int) -> list[str]:
    """Make and archive threads, a second apart; their ids, the last archived first."""
    made: list[str] = []
    for i in range(number):
        body = {"name": f"t{i}", "type": kind}
        thread = (await client.rest("POST", f"{channel}/threads", body)).body["id"]
        clock.advance(1)
        assert (await client.rest("PATCH", f"/channels/{thread}", {"archived": True})).status == 200
        made.insert(0, thread)
    return made


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_archived_threads(client: Client, clock: ManualClock, kind: str) -> None:
    allowed = dict.fromkeys(("CREATE_PRIVATE_THREADS", "MANAGE_THREADS"), True)
    await client.api("PATCH", "channels/general", {"permissions": allowed})
    channel = f"/channels/{client.sandbox.channel_id('general')}"
    made = await archive(client, clock, channel, 11 if kind == "public" else 12, 5)
    found: list[str] = []
    query = ""
    for more in (True, True, False):
        page = (await client.rest("GET", f"{channel}/threads/archived/{kind}?limit=2{query}")).body
        assert page["has_more"] is more
        assert [one["id"] for one in page["members"]] == [one["id"] for one in page["threads"]]
        found += [one["id"] for one in page["threads"]]
        before = page["threads"][-1]["thread_metadata"]["archive_timestamp"].replace("+", "%2B")
        query = f"&before={before}"
    assert found == made


async def test_own_archived_private_threads(client: Client, clock: ManualClock) -> None:
    await client.api("PATCH", "channels/general", {"permissions": {"CREATE_PRIVATE_THREADS": True}})
    channel = f"/channels/{client.sandbox.channel_id('general')}"
    made = await archive(client, clock, channel, 12, 3)
    path = f"{channel}/users/@me/threads/archived/private"
    page = (await client.rest("GET", f"{path}?limit=2")).body
    assert ([one["id"] for one in page["threads"]], page["has_more"]) == (made[:2], True)
    page = (await client.rest("GET", f"{path}?before={made[1]}")).body
    assert ([one["id"] for one in page["threads"]], page["has_more"]) == (made[2:], False)


async def test_members_of_a_guild_and_of_a_thread(client: Client) -> None:
    guild = f"/guilds/{client.sandbox.guild_id()}/members"
    everyone = [one["user"]["id"] for one in (await client.rest("GET", f"{guild}?limit=1000")).body]
    rest = (await client.rest("GET", f"{guild}?limit=3&after={everyone[1]}")).body
    assert [one["user"]["id"] for one in rest] == everyone[2:5]
    body = {"name": "t", "type": 11}
    made = await client.rest("POST", f"/channels/{client.sandbox.channel_id('general')}/threads", body)
    thread = f"/channels/{made.body['id']}/thread-members"
    for person in everyone:
        await client.rest("PUT", f"{thread}/{person}")
    assert len((await client.rest("GET", thread)).body) == len(everyone)
    page = (await client.rest("GET", f"{thread}?with_member=true&limit=2&after={everyone[0]}")).body
    assert [one["member"]["user"]["id"] for one in page] == everyone[1:3]


async def test_pins(client: Client, clock: ManualClock) -> None:
    await client.api("PATCH", "channels/general", {"permissions": {"PIN_MESSAGES": True}})
    channel = f"/channels/{client.sandbox.channel_id('general')}/messages"
    for i in range(3):
        message = (await client.send({"content": str(i)})).body["id"]
        await client.rest("PUT", f"{channel}/pins/{message}")
        clock.advance(1)
    page = (await client.rest("GET", f"{channel}/pins?limit=2")).body
    assert ([one["message"]["content"] for one in page["items"]], page["has_more"]) == (["2", "1"], True)
    before = page["items"][-1]["pinned_at"].replace("+", "%2B")
    page = (await client.rest("GET", f"{channel}/pins?before={before}")).body
    assert ([one["message"]["content"] for one in page["items"]], page["has_more"]) == (["0"], False)


@pytest.mark.parametrize("bad", ["abc", "²", "-1", "9" * 5000, "1.5", "1e3"])
async def test_bad_parameters_are_refused_by_name(client: Client, bad: str) -> None:
    guild, channel = client.sandbox.guild_id(), client.sandbox.channel_id("general")
    message = (await client.send({"content": "x"})).body["id"]
    for path, keys in (
        ("/users/@me/guilds", ("before", "after", "limit")),
        (f"/guilds/{guild}/members", ("after", "limit")),
        (f"/guilds/{guild}/members/search", ("limit",)),
        (f"/channels/{channel}/messages", ("before", "after", "around", "limit")),
        (f"/channels/{channel}/messages/pins", ("before", "limit")),
        (f"/channels/{channel}/messages/{message}/reactions/✅", ("after", "limit")),
        (f"/channels/{channel}/threads/archived/public", ("before", "limit")),
        (f"/channels/{channel}/users/@me/threads/archived/private", ("before", "limit")),
    ):
        for key in keys:
            refused = await client.rest("GET", f"{path}?query=a&{key}={bad}")
            assert (refused.status, refused.code, set(refused.body["errors"])) == (400, 50035, {key}), path
