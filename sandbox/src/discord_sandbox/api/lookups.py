"""Calls that show: state, messages, interactions, requests, events."""

import asyncio
import json
from typing import Any

from aiohttp import web

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.registry import SERVICES
from discord_sandbox.api.views import Views, time
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.feed import Entry
from discord_sandbox.discord.model import JSON, Role
from discord_sandbox.discord.rest.messages import page

KEEPALIVE = 15.0


def processes(core: Core) -> list[Any]:
    """What the launcher wrote; empty while there is no readable file."""
    if core.processes_file is None:
        return []
    try:
        found = json.loads(core.processes_file.read_text())
    except (OSError, ValueError):
        return []
    if isinstance(found, dict):
        found = found.get("processes", [])
    return found if isinstance(found, list) else []


async def state(call: ApiCall) -> JSON:
    core, views = call.core, Views(call.core)
    return {
        "now": time(core.clock.now()),
        "clock_offset": core.clock.offset,
        "event_id": core.feed.last,
        "guilds": [views.guild(one) for one in core.state.guilds.values()],
        "people": [
            views.person(one)
            for guild in core.state.guilds.values()
            for one in guild.members.values()
            if not one.user.bot
        ],
        "channels": [views.channel(one) for one in core.state.channels.values()],
        "applications": [views.application(one) for one in core.state.applications.values()],
        "sessions": [
            {
                "id": one.id,
                "application": one.application.name,
                "connected": one.connected,
                "intents": one.intents,
                "shard": list(one.shard),
                "since": time(one.since),
                "seq": one.seq,
            }
            for one in core.gateway.sessions.values()
        ],
        "services": call.request.app[SERVICES].listed(),
        "processes": await asyncio.to_thread(processes, core),
    }


async def messages(call: ApiCall) -> JSON:
    channel = call.channel(call.params["name"])
    views = Views(call.core)
    viewer = call.get("as")
    person = call.member(viewer, channel.guild).user.id if viewer is not None else None
    query = {
        key: call.request.query[key]
        for key in ("before", "after", "around", "limit")
        if key in call.request.query
    }
    query.setdefault("limit", "100")
    found = page(channel, query, person=person)
    return {"channel": views.channel(channel), "messages": [views.message(one) for one in reversed(found)]}


async def message(call: ApiCall) -> JSON:
    return Views(call.core).message(call.message(call.params["id"], also_deleted=True))


async def interaction(call: ApiCall) -> JSON:
    found = call.interaction(call.params["id"])
    await call.core.conversations.settled(found, min(call.number("wait", 0), 600))
    return Views(call.core).interaction(found)


async def requests(call: ApiCall) -> JSON:
    views = Views(call.core)
    since, limit = int(call.number("since", 0)), int(call.number("limit", 5000))
    wanted = {key: call.get(key) for key in ("application", "route", "method") if call.get(key) is not None}
    found = [
        one for one in call.core.log.since(since) if all(wanted[key] == getattr(one, key) for key in wanted)
    ]
    return {"last": call.core.log.last, "requests": [views.call(one) for one in found[:limit]]}


class EventRenderer:
    """Turns the feed's entries into server-sent events."""

    def __init__(self, core: Core, services: "Any") -> None:
        self._core = core
        self._views = Views(core)
        self._services = services

    def __call__(self, entry: Entry) -> str:
        data = json.dumps(self._data(entry.kind, entry.subject), ensure_ascii=False)
        return f"id: {entry.id}\nevent: {entry.kind}\ndata: {data}\n\n"

    def _data(self, kind: str, subject: Any) -> JSON:  # noqa: PLR0911
        views = self._views
        if kind.startswith("message_"):
            person = self._core.state.users.get(subject.ephemeral_to or "")
            common = {"channel_id": subject.channel.id, "ephemeral_to": person.name if person else None}
            if kind == "message_delete":
                return {"id": subject.id, **common}
            return {"message": views.message(subject), **common}
        if kind.startswith("interaction_"):
            return {"interaction": views.interaction(subject)}
        if kind in ("channel_delete", "thread_delete"):
            parent = subject.thread.parent.id if subject.thread is not None else None
            return {"id": subject.id, "parent_id": parent}
        if kind.startswith(("channel_", "thread_")):
            return {"channel": views.channel(subject)}
        if kind == "people_update":
            return {"person": views.person(subject)}
        if kind == "role_update":
            role: Role = subject
            return {"guild_id": role.guild_id, "role": views.role(role)}
        if kind in ("commands_update", "session_update"):
            return {"application": views.application(subject)}
        return self._other(kind, subject)

    def _other(self, kind: str, subject: Any) -> JSON:
        if kind == "typing":
            channel, member = subject
            return {"channel_id": channel.id, "user": member.user.name}
        if kind == "faults_update":
            return {"faults": [self._views.fault(one) for one in self._core.faults.all.values()]}
        if kind == "services_update":
            return {"services": self._services.listed()}
        if kind == "clock_update":
            return {"now": time(self._core.clock.now()), "clock_offset": self._core.clock.offset}
        return {}


async def events(call: ApiCall) -> web.StreamResponse:
    """Server-sent events from Last-Event-ID (or `since`) on; without either, from now on."""
    feed = call.core.feed
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    given = call.request.headers.get("Last-Event-ID") or call.get("since")
    queue = feed.listen()
    try:
        await response.prepare(call.request)
        await response.write(b"retry: 500\n: welcome\n\n")
        if given is not None and str(given).isdigit():
            missed = feed.since(int(given))
            if missed is None:
                await response.write(f"id: {feed.last}\nevent: resync\ndata: {{}}\n\n".encode())
            else:
                await response.write("".join(feed.render(one) for one in missed).encode())
        while True:
            try:
                text = await asyncio.wait_for(queue.get(), KEEPALIVE)
            except TimeoutError:
                text = ": still here\n\n"
            if text is None:
                break
            await response.write(text.encode())
    except ConnectionError:
        pass  # whoever listened went away, which is theirs to do
    finally:
        feed.leave(queue)
    return response
