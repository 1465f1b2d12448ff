"""A server with one of everything that a route of Discord can name, for generated requests."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from discord_sandbox.api.calls.emojis import SMILE
from discord_sandbox.discord.state.clock import iso
from support.client import Answer, Client
from support.commands import command
from support.good_requests import good_query, made_good

JSON = dict[str, Any]
_BODIES = (dict, list, str, int, float, bool, type(None), bytes)


class Scene:
    """Made again before each request that may change it.

    In turns, the channel is one of the server and a thread, the webhook that of an interaction and of a channel. Of
    three good requests, two are made to name what is there.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = 0
        self._ids: dict[str, str] = {}
        self._hook: dict[str, str] = {}
        self._within: dict[str, dict[str, str]] = {}  # other ids for paths with that part

    def begin(self) -> None:
        """Take the turns from the start, so that a route's requests do not depend on those before."""
        self._turn = 0

    async def send(self, route: str, case: Any, *, good: bool) -> Answer:
        """Send what was generated for a route."""
        path, body, query = case.path, case.body, case.query or {}
        await self._renew(path)
        there = self._there(path)
        if good and self._turn % 3:
            query = good_query(route, query)
            body = made_good(route, body, there)
        options: JSON = {"params": list(_pairs(query))}
        if isinstance(body, _BODIES):
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            options |= {"data": raw, "headers": {"Content-Type": "application/json"}}
        given = {key: there.get(key, str(value)) for key, value in (case.path_parameters or {}).items()}
        filled = path.format_map({key: quote(value, safe="") for key, value in given.items()})
        return await self._client.rest(case.method, filled, **options)

    def _there(self, template: str) -> dict[str, str]:
        """What is there for a path, by the names of its parameters."""
        ids = self._ids | (self._hook if template.startswith("/webhooks") else {})
        for part, others in self._within.items():
            ids |= others if part in template else {}
        return ids

    async def _renew(self, path: str) -> None:
        client, sandbox = self._client, self._client.sandbox
        await client.api("POST", "reset", {"commands": True})
        await client.commands(command("ping", description="Answers"))
        application, guild = sandbox.application_id(), sandbox.guild_id()
        channel, role = sandbox.channel_id("general"), sandbox.role_id("helper")
        message = (await client.send({"content": "x"})).body["id"]
        await client.rest("PUT", f"/channels/{channel}/messages/{message}/reactions/{quote('👀')}/@me")
        await client.rest("PUT", f"/channels/{channel}/permissions/{role}", {"type": 0, "allow": "0"})
        self._ids = {
            "application_id": application,
            "command_id": next(iter(sandbox.core.state.applications[application].commands)),
            "emoji_name": "👀",
            "guild_id": guild,
            "overwrite_id": role,
            "role_id": role,
            "user_id": sandbox.person_id("ada"),
        }
        self._within = {}
        await self._of_server(guild, channel)
        await self._of_route(path)
        answered = await self._interactions()
        self._turn += 1
        if self._turn % 2:
            self._ids |= {"channel_id": channel, "message_id": message}
            self._hook = answered
        else:
            self._ids |= await self._thread(channel, message)
            self._hook = await self._webhook(channel)

    async def _of_server(self, guild: str, channel: str) -> None:
        client, application = self._client, self._client.sandbox.application_id()
        banned = client.sandbox.person_id("max")
        await client.rest("PUT", f"/guilds/{guild}/bans/{banned}", {})
        commands = f"/applications/{application}/guilds/{guild}/commands"
        local = (await client.rest("POST", commands, command("local", description="Here"))).body["id"]
        allowed = {"id": "helper", "type": 1, "permission": True}
        await client.api("PUT", "applications/robot/commands/local/permissions", {"permissions": [allowed]})
        invite = (await client.rest("POST", f"/channels/{channel}/invites", {})).body["code"]
        self._within |= {
            "/guilds/{guild_id}/bans/": {"user_id": banned},
            "/guilds/{guild_id}/commands": {"command_id": local},
            "/invites/{code}": {"code": invite},
        }
        for owner in (f"/guilds/{guild}", f"/applications/{application}"):
            blob = (await client.rest("POST", f"{owner}/emojis", {"name": "blob", "image": SMILE})).body["id"]
            template = owner.replace(guild, "{guild_id}").replace(application, "{application_id}")
            self._within[f"{template}/emojis/"] = {"emoji_id": blob}
        self._ids |= await self._event(guild)

    async def _event(self, guild: str) -> dict[str, str]:
        now = self._client.sandbox.core.clock.now()
        soon, later = iso(now + 3600), iso(now + 7200)
        body: JSON = {"name": "Feast", "entity_type": 3, "privacy_level": 2}
        body |= {"scheduled_start_time": soon, "scheduled_end_time": later}
        body["entity_metadata"] = {"location": "Kitchen"}
        found = await self._client.rest("POST", f"/guilds/{guild}/scheduled-events", body)
        return {"soon": soon, "later": later, "guild_scheduled_event_id": found.body["id"]}

    async def _interactions(self) -> dict[str, str]:
        """One that is open, and the webhook of one that is answered."""
        client = self._client
        answered = await client.begin(user="ada", channel="general", command="ping")
        await client.callback(answered, {"type": 4, "data": {"content": "y"}})
        original = await client.rest("GET", client.webhook(answered, "@original"), token="")
        fresh = await client.begin(user="ada", channel="general", command="ping")
        self._ids |= {"interaction_id": fresh["id"], "interaction_token": fresh["token"]}
        found = {"webhook_id": answered["application_id"], "webhook_token": answered["token"]}
        return found | {"message_id": original.body["id"]}

    async def _of_route(self, path: str) -> None:
        """What few routes name."""
        channel = self._client.sandbox.channel_id("general")
        if "stage-instances" in path or "voice-status" in path or path.endswith("/scheduled-events"):
            await self._stages()
        if "voice-states" in path or path.endswith("/members/{user_id}"):
            await self._on_stage()
        if "/polls/" in path:
            poll = {"question": {"text": "Soup?"}, "answers": [{"poll_media": {"text": "Yes"}}]}
            asked = (await self._client.send({"poll": poll})).body["id"]
            self._within["/polls/"] = {"channel_id": channel, "message_id": asked, "answer_id": "1"}
        if path.endswith("/crosspost"):
            place = await self._channel("announcement")
            said = await self._client.rest("POST", f"/channels/{place}/messages", {"content": "new"})
            self._within["/crosspost"] = {"channel_id": place, "message_id": said.body["id"]}

    async def _channel(self, kind: str, name: str = "") -> str:
        body = {"name": name or kind, "type": kind}
        made: str = (await self._client.api("POST", "channels", body)).body["id"]
        return made

    async def _stages(self) -> None:
        """A live one, one that is not, and a voice channel."""
        live, silent, voice = (
            await self._channel("stage"),
            await self._channel("stage", "silent"),
            await self._channel("voice"),
        )
        body = {"channel_id": live, "topic": "Soup"}
        assert (await self._client.rest("POST", "/stage-instances", body)).status == 200
        self._ids |= {"stage": live, "silent_stage": silent, "voice": voice}
        self._within |= {"/stage-instances/": {"channel_id": live}, "/voice-status": {"channel_id": voice}}

    async def _on_stage(self) -> None:
        """The bot and a person."""
        sandbox = self._client.sandbox
        hall = await self._channel("stage", "Hall")
        await self._client.api("POST", "voice", {"user": "ada", "channel": "Hall"})
        guild = sandbox.core.state.guilds[sandbox.guild_id()]
        sandbox.core.voice.connect(guild.members[sandbox.application_id()], guild.channels[hall])

    async def _thread(self, channel: str, message: str) -> dict[str, str]:
        client = self._client
        path = f"/channels/{channel}/messages/{message}/threads"
        thread = (await client.rest("POST", path, {"name": "log"})).body["id"]
        said = await client.rest("POST", f"/channels/{thread}/messages", {"content": "z"})
        await client.rest("PUT", f"/channels/{thread}/thread-members/{client.sandbox.person_id('ada')}")
        return {"channel_id": thread, "message_id": said.body["id"]}

    async def _webhook(self, channel: str) -> dict[str, str]:
        client = self._client
        made = (await client.rest("POST", f"/channels/{channel}/webhooks", {"name": "feed"})).body
        path = f"/webhooks/{made['id']}/{made['token']}?wait=true"
        said = await client.rest("POST", path, {"content": "w"}, token="")
        found = {"webhook_id": made["id"], "webhook_token": made["token"]}
        return found | {"message_id": said.body["id"]}


def _pairs(query: JSON) -> Iterator[tuple[str, str]]:
    for key, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            yield key, one if isinstance(one, str) else json.dumps(one)
