"""Routes that the sandbox does not model, and versions of the API."""

import pytest

from support.client import PING, Client


async def test_a_route_that_is_not_modelled_says_so_and_is_recorded(client: Client) -> None:
    guild = client.sandbox.guild_id()
    since = (await client.api("GET", "requests")).body["last"]
    refused = await client.rest("PUT", f"/guilds/{guild}/onboarding?x=1", {"enabled": True})
    assert (refused.status, refused.code) == (404, 0)
    assert refused.body["message"].endswith("discord-sandbox does not model PUT /guilds/{id}/onboarding)")
    await client.rest("GET", f"/guilds/{guild}")
    (call,) = (await client.api("GET", "requests", since=since, modelled=False)).body["requests"]
    assert (call["method"], call["route"]) == ("PUT", "/guilds/{id}/onboarding")
    assert (call["path"], call["status"]) == (f"/guilds/{guild}/onboarding", 404)
    assert (call["application"], call["body"], call["modelled"]) == ("robot", {"enabled": True}, False)
    (other,) = (await client.api("GET", "requests", since=since, modelled=True)).body["requests"]
    assert other["route"] == "/guilds/{guild}"


async def test_faults_hit_routes_that_are_not_modelled(client: Client) -> None:
    await client.api("POST", "faults", {"kind": "503", "route": "/guilds/*/onboarding"})
    path = f"/guilds/{client.sandbox.guild_id()}/onboarding"
    assert [(await client.rest("GET", path)).status for _ in range(2)] == [503, 404]


@pytest.mark.parametrize("version", [9, 10])
async def test_versions_9_and_10(client: Client, version: int) -> None:
    await client.commands(PING)
    headers = {"Authorization": f"Bot {client.sandbox.token()}"}
    async with client.http.get(
        f"{client.sandbox.url}/api/v{version}/users/@me/guilds?limit=1", headers=headers
    ) as got:
        assert got.status == 200
    last = (await client.api("GET", "requests")).body["requests"][-1]
    assert (last["path"], last["route"]) == ("/users/@me/guilds", "/users/@me/guilds")


@pytest.mark.parametrize("path", ["/api/v8/users/@me", "/api/users/@me", "/api/v100/gateway"])
async def test_other_versions_are_50041(client: Client, path: str) -> None:
    async with client.http.get(client.sandbox.url + path) as got:
        body = await got.json()
    assert (got.status, body["code"]) == (400, 50041)
    assert "/api/v9 and /api/v10" in body["message"]
    last = (await client.api("GET", "requests")).body["requests"][-1]
    assert (last["path"], last["modelled"]) == (path, False)
