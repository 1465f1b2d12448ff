"""Worlds that people and bots make by doing something many times, and everything that can be read of one."""

import itertools
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from discord_sandbox.api.calls.emojis import SMILE
from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import Channel, Interaction, Message
from discord_sandbox.discord.state.webhook import Webhook
from discord_sandbox.server import ENDPOINTS
from support.client import Client
from support.commands import command, option

JSON = dict[str, Any]
T = TypeVar("T")
PEOPLE = ("ada", "ben", "mia", "kim", "owner")
ROW: JSON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}
LABEL: JSON = {"type": 18, "label": "l", "component": {"type": 4, "custom_id": "f", "style": 1}}
RESPONSES: tuple[JSON, ...] = (
    {"type": 4, "data": {"content": "done", "components": [ROW]}},
    {"type": 4, "data": {"content": "for you", "flags": 64}},
    {"type": 5},
    {"type": 9, "data": {"custom_id": "m", "title": "t", "components": [LABEL]}},
)
# What differs from one process, or one moment, to the next.
PASSING = ("event_id", "sessions")

Act = Callable[["Play", int, int], Awaitable[Any]]


class Play:
    """Does what its numbers say; what Discord refuses is no failure, only an answer of 500 is."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.state = client.sandbox.core.state

    async def begin(self) -> None:
        """What the rest needs: a bot that may do everything, commands, a forum."""
        await self.client.grant("ADMINISTRATOR")
        await self.client.commands(command(options=[option()]), command("ping"))
        await self.api("POST", "channels", name="ideas", type="forum", tags=["soup", "bread"])

    async def act(self, which: int, a: int, b: int) -> None:
        await ACTS[which % len(ACTS)](self, a, b)

    async def api(self, method: str, path: str, **body: Any) -> Any:
        got = await self.client.api(method, path, body or None)
        assert got.status < 500, (method, path, body, got.body)
        return got.body

    async def rest(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        got = await self.client.rest(method, path, body, **more)
        assert got.status < 500, (method, path, body, got.body)
        return got.body

    def channels(self, *, threads: bool = True) -> list[Channel]:
        return [one for one in self.state.channels.values() if threads or not one.is_thread]

    def channel(self, number: int) -> Channel:
        return chosen([one for one in self.channels() if one.holds_messages and not one.is_direct], number)

    def message(self, number: int) -> Message | None:
        found = list(self.state.messages.values())
        return chosen(found, number) if found else None

    async def write(self, a: int, b: int) -> None:
        more: JSON = (
            {"files": [{"filename": "a.txt", "text": f"{a}", "description": "x"}]} if b % 3 == 0 else {}
        )
        if b % 3 == 1:
            more["poll"] = {
                "question": "Soup?",
                "answers": ["yes", "no"],
                "hours": 1 + a % 3,
                "multiple": b % 2 == 0,
            }
        channel = "@robot" if b % 7 == 0 else self.channel(a).id
        found = {
            "user": chosen(PEOPLE, b),
            "channel": channel,
            "content": f"hello <@{self.someone(a)}> \u2028 {b}",
        }
        await self.api("POST", "messages", **found, **more)

    async def answer_with_card(self, a: int, b: int) -> None:
        body: JSON = {"content": f"card {a}", "embeds": [{"title": "t", "color": b}], "components": [ROW]}
        if b % 2:
            body = {
                "flags": 1 << 15,
                "components": [{"type": 17, "components": [{"type": 10, "content": f"# {a}"}, ROW]}],
            }
        await self.rest(
            "POST",
            f"/channels/{self.channel(a).id}/messages",
            body | {"nonce": str(b), "enforce_nonce": True},
        )

    async def change_message(self, a: int, b: int) -> None:
        message = self.message(a)
        if message is None:
            return
        path = f"/channels/{message.channel.id}/messages/{message.id}"
        if b % 5 == 0:
            await self.rest("DELETE", path)
        elif b % 5 == 1:
            await self.rest("PATCH", path, {"content": f"edited {b}"})
        elif b % 5 == 2:
            await self.rest("PUT", f"/channels/{message.channel.id}/messages/pins/{message.id}")
        elif message.poll is not None:
            await self.api("POST", "votes", user=chosen(PEOPLE, b), message=message.id, answers=["yes"])
        else:
            await self.api("POST", "messages", user="ada", channel="news", forward=message.id)

    async def react(self, a: int, b: int) -> None:
        message = self.message(a)
        if message is not None:
            body = {"user": chosen(PEOPLE, b), "message": message.id, "emoji": chosen("👀🍲✅", a + b)}
            await self.api("DELETE" if b % 4 == 0 else "POST", "reactions", **body)

    async def use_emoji(self, a: int, b: int) -> None:
        guild, application = self.client.sandbox.guild_id(), self.client.sandbox.application_id()
        owner = f"/applications/{application}" if a % 2 else f"/guilds/{guild}"
        known = list((self.state.applications[application] if a % 2 else self.state.guilds[guild]).emojis)
        message = self.message(a)
        if not known or b % 4 == 0:
            await self.rest("POST", f"{owner}/emojis", {"name": f"e{a}_", "image": SMILE})
        elif b % 4 == 1:
            await self.rest("PATCH", f"{owner}/emojis/{chosen(known, a)}", {"name": f"f{b}_"})
        elif b % 4 == 2:
            await self.rest("DELETE", f"{owner}/emojis/{chosen(known, a)}")
        elif message is not None:
            path = f"/channels/{message.channel.id}/messages/{message.id}/reactions"
            await self.rest("PUT", f"{path}/e:{chosen(known, b)}/@me")

    async def use_invite(self, a: int, b: int) -> None:
        known = list(self.state.guilds[self.client.sandbox.guild_id()].invites)
        if not known or b % 3 == 0:
            body = {"max_age": 60 * (a % 3), "max_uses": b % 3, "unique": a % 2 == 0}
            await self.rest("POST", f"/channels/{self.channel(a).id}/invites", body)
        elif b % 3 == 1:
            await self.rest("DELETE", f"/invites/{chosen(known, a)}")
        else:
            await self.api("POST", "people", name=f"p{a % 3}", invite=chosen(known, a))

    async def use_event(self, a: int, b: int) -> None:
        guild = self.client.sandbox.guild_id()
        known, path = list(self.state.guilds[guild].events), f"/guilds/{guild}/scheduled-events"
        if not known or b % 4 == 0:
            now = self.client.sandbox.core.clock.now()
            body: JSON = {
                "name": f"e{a}",
                "entity_type": 3,
                "privacy_level": 2,
                "image": SMILE if a % 2 else None,
            }
            body |= {"scheduled_start_time": iso(now + 60), "scheduled_end_time": iso(now + 120)}
            await self.rest("POST", path, body | {"entity_metadata": {"location": "x"}})
        elif b % 4 == 1:
            await self.rest("PATCH", f"{path}/{chosen(known, a)}", {"status": 2 + a % 3})
        elif b % 4 == 2:
            await self.rest("DELETE", f"{path}/{chosen(known, a)}")
        else:
            place = f"scheduled-events/{chosen(known, a)}/users"
            await self.api("PUT", place, user=chosen(PEOPLE, b))

    async def start_thread(self, a: int, b: int) -> None:
        body: JSON = {"user": chosen(PEOPLE, b), "name": f"t{a}", "content": "first", "channel": "ideas"}
        if b % 3 == 0:
            body["tags"] = ["soup"]
        elif b % 3 == 1:
            body |= {"channel": "general", "private": a % 2 == 0}
        else:
            body["channel"] = self.channel(a).id
            if self.channel(a).messages:
                body["message"] = next(iter(self.channel(a).messages))
        await self.api("POST", "threads", **body)

    async def change_thread(self, a: int, b: int) -> None:
        threads = [one for one in self.channels() if one.is_thread]
        if threads:
            await self.api(
                "PATCH", f"channels/{chosen(threads, a).id}", archived=b % 2 == 0, locked=b % 3 == 0
            )

    async def change_channel(self, a: int, b: int) -> None:
        target = {"role": "member"} if a % 2 else {"user": "ben"}
        if b % 4 == 0:
            await self.api(
                "POST", "channels", name=f"c{a}", type=chosen(("text", "category", "announcement"), a)
            )
        elif b % 4 == 1:
            await self.api("PATCH", "channels/support", topic=f"about {a}", slowmode=a % 60, nsfw=a % 2 == 0)
        elif b % 4 == 2:
            await self.api("PATCH", "channels/news", permissions={"ADD_REACTIONS": a % 3 == 0}, **target)
        elif spare := [one for one in self.channels(threads=False) if one.name.startswith("c")]:
            await self.api("DELETE", f"channels/{chosen(spare, a).id}")

    async def change_server(self, a: int, b: int) -> None:
        if b % 3 == 0:
            await self.api("POST", "roles", name=f"r{a}", color=a, hoist=a % 2 == 0)
        elif b % 3 == 1:
            await self.api("PATCH", "roles/helper", permissions={"MENTION_EVERYONE": a % 2 == 0})
        else:
            verb = chosen(("PUT", "DELETE"), a)
            await self.api(verb, "applications/echo/guilds/workshop")

    async def change_person(self, a: int, b: int) -> None:
        if b % 4 == 0:
            await self.api(
                "PATCH", f"people/{chosen(PEOPLE, a)}", nick=f"n{a}", roles=["helper"], timeout=60 * (a % 3)
            )
        elif b % 4 == 1:
            await self.api("POST", "people", name=f"p{a % 3}", roles=["member"])
        elif b % 4 == 2:
            await self.api("PUT", f"bans/p{a % 3}", reason="spam")
        else:
            await self.api("DELETE", f"people/p{a % 3}")

    async def interact(self, a: int, b: int) -> None:
        buttons = [one for one in self.state.messages.values() if one.components and one.ephemeral_to is None]
        if b % 3 == 0 and buttons:
            body: JSON = {"message": chosen(buttons, a).id, "custom_id": "go"}
            begun = await self.api("POST", "presses", user=chosen(PEOPLE, b), **body)
        else:
            name = chosen(("order", "ping"), a)
            options = {"options": {"dish": "soup"}} if name == "order" else {}
            begun = await self.api(
                "POST", "commands", user=chosen(PEOPLE, b), channel="general", command=name, **options
            )
        if "interaction" in begun and a % 3:
            made = self.state.interactions[begun["interaction"]]
            path = f"/interactions/{made.id}/{made.token}/callback"
            await self.rest("POST", path, chosen(RESPONSES, a + b), token="")
            if b % 2:
                hook = f"/webhooks/{made.application.id}/{made.token}"
                await self.rest("POST", hook, {"content": "more", "flags": 64 * (a % 2)}, token="")

    async def use_webhook(self, a: int, b: int) -> None:
        if b % 2 == 0 or not self.state.webhooks:
            body = {"name": f"w{a}", "avatar": SMILE if a % 2 else None}
            await self.rest("POST", f"/channels/{self.channel(0).id}/webhooks", body)
        else:
            hook = chosen(list(self.state.webhooks.values()), a)
            await self.rest("POST", f"/webhooks/{hook.id}/{hook.token}", {"content": f"{b}"}, token="")

    async def administer(self, a: int, b: int) -> None:
        if b % 4 == 0:
            await self.api("POST", "clock", advance=a * 40)
        elif b % 4 == 1:
            await self.client.commands(*(command(f"c{number}") for number in range(a % 3)), command("ping"))
        elif b % 4 == 2:
            rule = {"id": "helper", "type": 1, "permission": a % 2 == 0}
            await self.api("PUT", "applications/robot/commands/ping/permissions", permissions=[rule])
        else:
            await self.api("POST", "applications/echo/token")

    def someone(self, number: int) -> str:
        return chosen(list(self.state.users), number)


ACTS: tuple[Act, ...] = (
    Play.write,
    Play.write,
    Play.answer_with_card,
    Play.change_message,
    Play.react,
    Play.use_emoji,
    Play.start_thread,
    Play.change_thread,
    Play.change_channel,
    Play.change_server,
    Play.change_person,
    Play.interact,
    Play.interact,
    Play.use_webhook,
    Play.use_invite,
    Play.use_event,
    Play.administer,
)


def chosen(among: Sequence[T], number: int) -> T:
    return among[number % len(among)]


async def everything(client: Client) -> JSON:
    """Every read, by what was asked: the state, what each person sees, each GET route of Discord's, each file."""
    state = client.sandbox.core.state
    here = client.sandbox.url
    found: JSON = {}

    async def ask(path: str, **query: Any) -> None:
        found[f"{path} {query}"] = (await client.api("GET", path, **query)).body

    await ask("state")
    found["state {}"] = {key: one for key, one in found["state {}"].items() if key not in PASSING}
    for path in ("bans", "webhooks", *(f"interactions/{one}" for one in state.interactions)):
        await ask(path)
    for message in (*state.messages, *state.deleted):
        await ask(f"messages/{message}")
    for channel, person in itertools.product(state.channels.values(), PEOPLE):
        if not channel.is_direct and any(one.user.name == person for one in channel.guild.members.values()):
            await ask(f"channels/{channel.id}/messages", **{"as": person})
    for path in paths(client):
        got = await client.rest("GET", path)
        found[path] = (got.status, got.body)
    for path in state.attachments:
        async with client.http.get(f"{here}/cdn/{path}") as file:
            found[path] = (await file.text(), file.content_type)
    text: JSON = placed(found, here)
    return text


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two values differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for n, (a, b) in pairs for line in differences(a, b, f"{where}.{n}")]
    return [] if one == other else [f"{where}: {one!r} != {other!r}"]


def placed(value: Any, here: str) -> Any:
    """The same without the address of the sandbox."""
    if isinstance(value, str):
        return value.replace(here, "").replace(f"ws{here.removeprefix('http')}", "")
    if isinstance(value, dict):
        return {key: placed(one, here) for key, one in value.items()}
    return [placed(one, here) for one in value] if isinstance(value, list | tuple) else value


def paths(client: Client) -> Iterator[str]:
    """Each modelled GET route of Discord's with all that is there in the place of its parameters."""
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            yield from _filled(client, endpoint.path, {})


def _filled(client: Client, path: str, known: JSON) -> Iterator[str]:
    parameter = re.search(r"{(\w+)}", path)
    if parameter is None:
        yield path
        return
    for value in _values(client, parameter[1], known):
        yield from _filled(client, path.replace(parameter[0], value, 1), known | {parameter[1]: value})


def _values(client: Client, name: str, known: JSON) -> list[str]:
    state = client.sandbox.core.state
    application = state.applications[client.sandbox.application_id()]
    guild = state.guilds[client.sandbox.guild_id()]
    message: Message | None = state.messages.get(known.get("message", ""))
    interactions: list[Interaction] = list(state.interactions.values())[-3:]
    webhooks: list[Webhook] = list(state.webhooks.values())
    given = {
        "application": [application.id],
        "guild": [guild.id],
        "channel": list(state.channels),
        "role": list(guild.roles),
        "user": [client.sandbox.person_id("ada"), client.sandbox.person_id("ben")],
        "command": list(application.commands),
        "message": [one for one, it in state.messages.items() if it.channel.id == known.get("channel")],
        "emoji": [f"e:{one}" if one.isdecimal() else one for one in message.reactions]
        if message is not None
        else list((guild if "guild" in known else application).emojis),
        "code": list(guild.invites),
        "event": list(guild.events),
        "answer": ["1", "2"] if message is not None and message.poll is not None else [],
        "webhook": [one.id for one in webhooks],
        "token": [one.token for one in interactions],
    }
    if name == "message" and "token" in known:
        return ["@original"]
    return given.get(name, ["1"])
