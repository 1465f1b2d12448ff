"""Rate limits: buckets, the global limit, exemptions, the shape of a 429."""

from discord_sandbox import ManualClock
from support.client import PING, Client


async def test_five_sends_in_five_seconds_and_channel(limited: Client, clock: ManualClock) -> None:
    answers = [await limited.send({"content": str(i)}) for i in range(6)]
    assert [one.status for one in answers] == [200] * 5 + [429]
    assert [one.headers["X-RateLimit-Remaining"] for one in answers] == ["4", "3", "2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.body["retry_after"] == 5.0
    assert refused.body["global"] is False
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert refused.headers["Via"]
    assert (await limited.send({"content": "elsewhere"}, "news")).status == 200
    clock.advance(5)
    assert (await limited.send({"content": "again"})).status == 200


async def test_sends_and_edits_have_buckets_of_their_own(limited: Client) -> None:
    sent = [await limited.send({"content": str(i)}) for i in range(5)]
    path = f"/channels/{sent[0].body['channel_id']}/messages/{sent[0].body['id']}"
    edits = [await limited.rest("PATCH", path, {"content": str(i)}) for i in range(6)]
    assert [one.status for one in edits] == [200] * 5 + [429]
    assert edits[0].headers["X-RateLimit-Bucket"] != sent[0].headers["X-RateLimit-Bucket"]


async def test_fifty_a_second_over_all_routes(limited: Client, clock: ManualClock) -> None:
    guild = limited.sandbox.guild_id()
    paths = ["/users/@me", f"/guilds/{guild}"]
    statuses = [(await limited.rest("GET", paths[i % 2])).status for i in range(51)]
    assert statuses == [200] * 50 + [429]
    refused = await limited.rest("GET", "/users/@me")
    assert (refused.body["global"], refused.headers["X-RateLimit-Global"]) == (True, "true")
    clock.advance(1)
    assert (await limited.rest("GET", "/users/@me/guilds")).status == 200


async def test_callbacks_are_exempt(limited: Client) -> None:
    await limited.commands(PING)
    for _ in range(60):
        it = await limited.begin(user="ada", channel="general", command="ping")
        assert (await limited.callback(it, {"type": 4, "data": {"content": "x"}})).status == 204


async def test_the_log_has_the_bodies_of_refused_calls(limited: Client) -> None:
    for number in range(6):
        await limited.send({"content": str(number)})
    await limited.api("POST", "faults", {"kind": "429", "count": 1})
    await limited.send({"content": "faulty"}, "news")
    await limited.rest("POST", f"/channels/{limited.sandbox.channel_id('news')}/messages", {}, token="bad")
    path = f"/channels/{limited.sandbox.channel_id('general')}/messages"
    headers = {"Content-Type": "application/json"}
    assert (await limited.rest("POST", path, data=b"{", headers=headers)).status == 429
    logged = [(one["status"], one["body"]) for one in (await limited.api("GET", "requests")).body["requests"]]
    refused = [(429, {"content": "5"}), (429, {"content": "faulty"}), (401, {}), (429, None)]
    assert logged[-4:] == refused


async def test_ten_thousand_refusals_are_a_ban(limited: Client, clock: ManualClock) -> None:
    application = limited.sandbox.core.state.applications[limited.sandbox.application_id()]
    application.refused = [clock.now()] * 10_000
    banned = await limited.rest("GET", "/users/@me")
    assert (banned.status, "Via" in banned.headers) == (429, False)
    clock.advance(601)
    assert (await limited.rest("GET", "/users/@me")).status == 200
