"""Server-sent events: everything that happens, as it happens."""

import asyncio
import json
from typing import Any

from aiohttp import web

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.services import Services
from discord_sandbox.api.message_views import time
from discord_sandbox.api.views import Views
from discord_sandbox.discord.actions.feed import Entry
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.state.model import JSON, Role

KEEPALIVE = 15.0


class EventRenderer:
    """Feed entries as server-sent events."""

    def __init__(self, core: Core, services: Services) -> None:
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
        if kind in ("people_create", "people_update"):
            return {"person": views.person(subject)}
        if kind == "people_delete":
            return {"id": subject.user.id, "name": subject.user.name, "guild_id": subject.guild.id}
        if kind == "role_delete":
            return {"guild_id": subject.guild_id, "id": subject.id}
        if kind in ("role_create", "role_update"):
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
    """GET events: from Last-Event-ID or `since`; without either, from now on."""
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
                async with asyncio.timeout(KEEPALIVE):
                    text = await queue.get()
            except TimeoutError:
                text = ": still here\n\n"
            if text is None:
                break
            await response.write(text.encode())
    except ConnectionError:
        pass  # the listener left
    finally:
        feed.leave(queue)
    return response
