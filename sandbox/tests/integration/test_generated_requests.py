"""Requests generated from Discord's description, good and bad, to every modelled route.

Answers have the described shapes, wrong bodies are refused in Discord's form, and nothing is an HTTP 500.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode

from discord_sandbox import ApplicationSpec, Sandbox, World
from discord_sandbox.api.calls.emojis import SMILE
from discord_sandbox.discord.state.clock import iso
from support import discord_specs
from support.client import Answer, Client
from support.commands import command

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("same_examples")]

JSON = dict[str, Any]
ROUTES = discord_specs.modelled()
EXAMPLES = 15
MODES = {"good": GenerationMode.POSITIVE, "bad": GenerationMode.NEGATIVE}


_BODIES = (dict, list, str, int, float, bool, type(None), bytes)


class Scene:
    """A server with one of everything that a path can name, made again before each request that may change it.

    In turns, the channel is one of the server and a thread, the webhook that of an interaction and of a channel.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = 0
        self.ids: dict[str, str] = {}
        self.hook: dict[str, str] = {}
        self.within: dict[str, dict[str, str]] = {}  # other ids for paths with that part

    async def renew(self, *, stage: bool) -> None:
        """stage: with a live one, and a voice channel."""
        client, sandbox = self._client, self._client.sandbox
        await client.api("POST", "reset", {"commands": True})
        await client.commands(command("ping", description="Answers"))
        channel = sandbox.channel_id("general")
        message = (await client.send({"content": "x"})).body["id"]
        await client.rest("PUT", f"/channels/{channel}/messages/{message}/reactions/{quote('👀')}/@me")
        answered = await client.begin(user="ada", channel="general", command="ping")
        await client.callback(answered, {"type": 4, "data": {"content": "y"}})
        original = await client.rest("GET", client.webhook(answered, "@original"), token="")
        fresh = await client.begin(user="ada", channel="general", command="ping")
        application = sandbox.application_id()
        known = [*sandbox.core.state.applications[application].commands]
        self.ids = {
            "application_id": application,
            "command_id": known[0],
            "emoji_name": "👀",
            "guild_id": sandbox.guild_id(),
            "interaction_id": fresh["id"],
            "interaction_token": fresh["token"],
            "overwrite_id": sandbox.role_id("helper"),
            "role_id": sandbox.role_id("helper"),
            "user_id": sandbox.person_id("ada"),
        }
        guild, role, banned = self.ids["guild_id"], self.ids["role_id"], sandbox.person_id("max")
        path = f"/applications/{application}/guilds/{guild}/commands"
        local = (await client.rest("POST", path, command("local", description="Here"))).body["id"]
        await client.rest("PUT", f"/guilds/{guild}/bans/{banned}", {})
        await client.rest("PUT", f"/channels/{channel}/permissions/{role}", {"type": 0, "allow": "0"})
        self.within = {
            "/guilds/{guild_id}/bans/": {"user_id": banned},
            "/guilds/{guild_id}/commands": {"command_id": local},
        }
        self.ids["guild_scheduled_event_id"] = await self._event(guild)
        invite = (await client.rest("POST", f"/channels/{channel}/invites", {})).body["code"]
        self.within["/invites/{code}"] = {"code": invite}
        for owner in (f"/guilds/{guild}", f"/applications/{application}"):
            blob = (await client.rest("POST", f"{owner}/emojis", {"name": "blob", "image": SMILE})).body["id"]
            template = owner.replace(guild, "{guild_id}").replace(application, "{application_id}")
            self.within[f"{template}/emojis/"] = {"emoji_id": blob}
        if stage:
            self.within |= await self._stages()
        self._turn += 1
        if self._turn % 2:
            self.ids |= {"channel_id": channel, "message_id": message}
            self.hook = {"webhook_id": application, "webhook_token": answered["token"]}
            self.hook["message_id"] = original.body["id"]
        else:
            self.ids |= await self._thread(channel, message)
            self.hook = await self._webhook(channel)

    async def _event(self, guild: str) -> str:
        now = self._client.sandbox.core.clock.now()
        body: JSON = {"name": "Feast", "entity_type": 3, "privacy_level": 2}
        body |= {"scheduled_start_time": iso(now + 3600), "scheduled_end_time": iso(now + 7200)}
        body["entity_metadata"] = {"location": "Kitchen"}
        found: str = (await self._client.rest("POST", f"/guilds/{guild}/scheduled-events", body)).body["id"]
        return found

    async def _thread(self, channel: str, message: str) -> dict[str, str]:
        client = self._client
        path = f"/channels/{channel}/messages/{message}/threads"
        thread = (await client.rest("POST", path, {"name": "log"})).body["id"]
        said = await client.rest("POST", f"/channels/{thread}/messages", {"content": "z"})
        await client.rest("PUT", f"/channels/{thread}/thread-members/{client.sandbox.person_id('ada')}")
        return {"channel_id": thread, "message_id": said.body["id"]}

    async def _stage(self) -> None:
        """The bot and a person on a stage."""
        sandbox = self._client.sandbox
        await self._client.api("POST", "channels", {"name": "Hall", "type": "stage"})
        await self._client.api("POST", "voice", {"user": "ada", "channel": "Hall"})
        core = sandbox.core
        guild = core.state.guilds[sandbox.guild_id()]
        hall = next(one for one in guild.channels.values() if one.name == "Hall")
        core.voice.connect(guild.members[sandbox.application_id()], hall)

    async def _stages(self) -> dict[str, dict[str, str]]:
        made = {
            kind: (await self._client.api("POST", "channels", {"name": kind, "type": kind})).body["id"]
            for kind in ("stage", "voice")
        }
        body = {"channel_id": made["stage"], "topic": "Soup"}
        assert (await self._client.rest("POST", "/stage-instances", body)).status == 200
        return {
            "/stage-instances/": {"channel_id": made["stage"]},
            "/voice-status": {"channel_id": made["voice"]},
        }

    async def _webhook(self, channel: str) -> dict[str, str]:
        client = self._client
        made = (await client.rest("POST", f"/channels/{channel}/webhooks", {"name": "feed"})).body
        path = f"/webhooks/{made['id']}/{made['token']}?wait=true"
        said = await client.rest("POST", path, {"content": "w"}, token="")
        found = {"webhook_id": made["id"], "webhook_token": made["token"]}
        return found | {"message_id": said.body["id"]}

    def path(self, template: str, generated: JSON) -> str:
        """The path with what is there; for other parameters, what was generated."""
        ids = self.ids | (self.hook if template.startswith("/webhooks") else {})
        for part, others in self.within.items():
            ids |= others if part in template else {}
        known = {key: ids.get(key, str(value)) for key, value in generated.items()}
        return template.format_map({key: quote(value, safe="") for key, value in known.items()})

    async def send(self, case: Any) -> Answer:
        await self.renew(stage="stage-instances" in case.path or "voice-status" in case.path)
        if "voice-states" in case.path or case.path.endswith("/members/{user_id}"):
            await self._stage()
        options: JSON = {"params": list(_pairs(case.query or {}))}
        if isinstance(case.body, _BODIES):
            raw = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
            options |= {"data": raw, "headers": {"Content-Type": "application/json"}}
        path = self.path(case.path, case.path_parameters or {})
        return await self._client.rest(case.method, path, **options)


def _pairs(query: JSON) -> Iterator[tuple[str, str]]:
    for key, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            yield key, one if isinstance(one, str) else json.dumps(one)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def scene(runner: asyncio.Runner) -> Iterator[Scene]:
    robot = ApplicationSpec("robot", permissions=("ADMINISTRATOR",))
    sandbox = Sandbox(World(applications=(robot,), rate_limits=False))
    runner.run(sandbox.start())
    client = Client(sandbox)
    runner.run(client.__aenter__())
    yield Scene(client)
    runner.run(client.__aexit__(None, None, None))
    runner.run(sandbox.stop())


# Routes that no generated request got past: bodies that name what is there, and what the scene has not.
NEVER = frozenset(
    {
        "GET /applications/{application_id}/guilds/{guild_id}/commands/{command_id}/permissions",
        "GET /channels/{channel_id}/polls/{message_id}/answers/{answer_id}",
        "GET /guilds/{guild_id}/stickers/{sticker_id}",
        "POST /applications/{application_id}/commands",
        "POST /applications/{application_id}/emojis",
        "POST /applications/{application_id}/guilds/{guild_id}/commands",
        "POST /channels/{channel_id}/messages",
        "POST /channels/{channel_id}/messages/{message_id}/crosspost",
        "POST /channels/{channel_id}/polls/{message_id}/expire",
        "POST /guilds/{guild_id}/bulk-ban",
        "POST /guilds/{guild_id}/emojis",
        "POST /guilds/{guild_id}/scheduled-events",
        "POST /stage-instances",
        "POST /users/@me/channels",
        "POST /webhooks/{webhook_id}/{webhook_token}",
        "PUT /applications/{application_id}/guilds/{guild_id}/commands/{command_id}/permissions",
    }
)
SCHEMA = schemathesis.openapi.from_dict(discord_specs.only(ROUTES))


def _deferral(case: Any) -> bool:
    """Whether it defers an interaction: of its data, the flags alone are read."""
    return case.path.endswith("/callback") and case.body.get("type") in (5, 6)


def check_error(body: Any) -> None:
    """Assert Discord's form: a code, a message, and where fields are at fault a tree of them."""
    assert set(body) <= {"code", "message", "errors"}, body
    assert isinstance(body["code"], int)
    assert isinstance(body["message"], str)
    assert body["message"]
    if "errors" in body:
        check_tree(body["errors"])


def check_tree(node: Any) -> None:
    assert isinstance(node, dict)
    assert node
    for key, value in node.items():
        if key == "_errors":
            assert [set(one) for one in value] == [{"code", "message"}] * len(value)
        else:
            check_tree(value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_as_described(route: str, mode: str, scene: Scene, runner: asyncio.Runner) -> None:
    method, path = route.split(" ")
    operation = SCHEMA[path][method]
    if mode == "bad" and not operation.body and not operation.query:
        return

    met: set[int] = set()

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=MODES[mode]))
    def request(case: Any) -> None:
        answer = runner.run(scene.send(case))
        met.add(answer.status)
        assert answer.status < 500
        if answer.status >= 400:
            check_error(answer.body)
        elif mode == "bad" and operation.body and method != "DELETE" and not _deferral(case):
            assert discord_specs.is_valid(route, case.body), f"{answer.status} for {case.body}"

    request()
    if mode == "good" and route not in NEVER:
        assert any(status < 400 for status in met), f"never answered: {met}"
