"""Interactions by HTTP: signatures, the PING, first responses, and endpoints that fail."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from discord_sandbox import Sandbox, World
from discord_sandbox.discord.state.ed25519 import public_key, seed_of, sign
from support.client import PING, Client, Wire

JSON = dict[str, Any]
HELLO: JSON = {"type": 4, "data": {"content": "hello"}}

# Test vectors 1 to 3 of RFC 8032, section 7.1.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_signatures_are_those_of_the_standard(secret: str, public: str, message: str, signature: str) -> None:
    seed = bytes.fromhex(secret)
    assert public_key(seed).hex() == public
    assert sign(seed, bytes.fromhex(message)).hex() == signature


Answer = Callable[[JSON], web.Response]


class BotServer:
    """A bot behind an HTTP address. `checks` False: it takes any signature."""

    def __init__(self, application_id: str, answer: Answer, *, checks: bool = True) -> None:
        self.seed = seed_of(application_id)
        self.answer = answer
        self.checks = checks
        self.got: list[JSON] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        message = request.headers["X-Signature-Timestamp"].encode() + raw
        if self.checks and request.headers["X-Signature-Ed25519"] != sign(self.seed, message).hex():
            return web.Response(status=401)
        body = await request.json()
        self.got.append(body)
        return web.json_response({"type": 1}) if body["type"] == 1 else self.answer(body)


@contextlib.asynccontextmanager
async def served(client: Client, answer: Answer, **options: Any) -> AsyncIterator[BotServer]:
    bot = BotServer(client.sandbox.application_id(), answer, **options)
    app = web.Application()
    app.router.add_post("/", bot.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    bot.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield bot
    finally:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Sandbox(World(rate_limits=False)) as sandbox, Client(sandbox) as it:
        await it.commands(PING)
        yield it


async def ping(client: Client) -> JSON:
    it = await client.begin(user="ada", channel="general", command="ping")
    found: JSON = (await client.api("GET", f"interactions/{it['id']}", wait=60)).body
    return found


async def use(client: Client, url: str | None) -> Any:
    return await client.rest("PATCH", "/applications/@me", {"interactions_endpoint_url": url})


async def test_interactions_go_to_the_endpoint_and_back_to_the_gateway(client: Client) -> None:
    async with served(client, lambda body: web.json_response(HELLO)) as bot, Wire(client) as wire:
        await wire.identify()
        got = await use(client, bot.url)
        assert (got.status, got.body["interactions_endpoint_url"]) == (200, bot.url)
        assert got.body["verify_key"] == public_key(bot.seed).hex()
        assert [one["type"] for one in bot.got] == [1], "the forged PING was refused before it was read"
        shown = await ping(client)
        assert (shown["state"], shown["message"]["text"], shown["callback"]) == ("answered", "hello", 4)
        sent = bot.got[-1]
        assert (sent["type"], sent["data"]["name"], sent["member"]["user"]["username"]) == (2, "ping", "ada")
        await client.rest("POST", client.webhook(sent), {"content": "more"}, token="")
        assert (await client.api("GET", f"interactions/{sent['id']}")).body["followups"][0]["text"] == "more"
        assert (await use(client, None)).body["interactions_endpoint_url"] is None
        begun = await client.begin(user="ada", channel="general", command="ping")
        assert (await wire.dispatch("INTERACTION_CREATE"))["id"] == begun["id"], "none came by both ways"


async def test_an_endpoint_may_answer_later_by_the_callback_route(client: Client) -> None:
    async with served(client, lambda body: web.Response(status=202)) as bot:
        await use(client, bot.url)
        it = await client.begin(user="ada", channel="general", command="ping")
        assert (await client.callback(it, HELLO)).status == 204
        assert (await client.api("GET", f"interactions/{it['id']}")).body["state"] == "answered"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda body: web.Response(status=500), "answered 500"),
        (lambda body: web.Response(text="hello"), "answered 200, not 200 with JSON or 202"),
        (lambda body: web.json_response({"type": 4}), "refused: Invalid Form Body (50035)"),
        (lambda body: web.json_response({"type": 7, "data": {}}), "refused: Invalid Form Body (50035)"),
    ],
)
async def test_what_an_endpoint_does_wrong_is_the_reason(client: Client, answer: Answer, reason: str) -> None:
    async with served(client, answer) as bot:
        await use(client, bot.url)
        shown = await ping(client)
        assert shown["state"] == "failed"
        assert reason in shown["reason"]
    shown = await ping(client)
    assert "does not answer" in shown["reason"]


async def test_an_endpoint_must_answer_pings_and_check_signatures(client: Client) -> None:
    path = "interactions_endpoint_url"
    async with served(client, lambda body: web.json_response(HELLO), checks=False) as careless:
        got = await use(client, careless.url)
        problem = got.body["errors"][path]["_errors"][0]
        assert (got.code, "wrong signature with 401" in problem["message"]) == (50035, True)
    for wrong in ("http://example.com/", "ftp://127.0.0.1/", "nonsense", careless.url):
        assert (await use(client, wrong)).body["errors"][path]
        refused = await client.api("PATCH", "applications/robot", {path: wrong})
        assert (refused.status, refused.body["error"]["code"]) == (422, "endpoint_invalid")
    async with served(client, lambda body: web.json_response(HELLO)) as bot:
        shown = (await client.api("PATCH", "applications/robot", {path: bot.url})).body
        assert (shown[path], shown["public_key"]) == (bot.url, public_key(bot.seed).hex())
        assert (await ping(client))["state"] == "answered"
        await client.api("POST", "reset", {})
        assert (await ping(client))["state"] == "answered", "settings of the application outlive a reset"


async def test_an_application_describes_itself(client: Client) -> None:
    own = f"/applications/{client.sandbox.application_id()}"
    body = {"description": "x" * 400, "tags": ["fun", "x" * 20]}
    assert (await client.rest("PATCH", own, body)).body["tags"] == body["tags"]
    assert (await client.rest("GET", own)).body["description"] == body["description"]
    for bad in ({"description": "x" * 401}, {"tags": ["x" * 21]}, {"tags": ["x"] * 6}, {"tags": [5]}):
        assert (await client.rest("PATCH", "/applications/@me", bad)).code == 50035
    other = f"/applications/{client.sandbox.application_id('echo')}"
    assert (await client.rest("GET", other)).code == 20012
    assert (await client.rest("PATCH", other, {})).code == 20012
