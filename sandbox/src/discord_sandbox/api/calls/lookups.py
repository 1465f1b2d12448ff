"""Read-only calls: state, messages, interactions, the request log."""

import asyncio
import json
from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.services import SERVICES
from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.message_views import time
from discord_sandbox.api.views import Views
from discord_sandbox.discord.core import Core
from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.rest.messages import page
from discord_sandbox.discord.rest.query import Query
from discord_sandbox.discord.state.model import JSON


def processes(core: Core) -> list[Any]:
    """The contents of `--processes-file`; empty while there is no readable file."""
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
                "resumes": one.resumes,
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
    found = page(channel, Query(query, Complaints()), person=person)
    return {"channel": views.channel(channel), "messages": [views.message(one) for one in reversed(found)]}


async def message(call: ApiCall) -> JSON:
    found = call.message(call.params["id"], also_deleted=True)
    if (viewer := call.get("as")) is not None:
        person = call.member(viewer, found.channel.guild).user
        if found.ephemeral_to not in (None, person.id):
            raise ApiError(404, "unknown_message", f"{person.name} cannot see this message.")
    return Views(call.core).message(found)


async def interaction(call: ApiCall) -> JSON:
    found = call.interaction(call.params["id"])
    await call.core.interactions.settled(found, min(call.number("wait", 0), 600))
    return Views(call.core).interaction(found)


async def requests(call: ApiCall) -> JSON:
    views = Views(call.core)
    since, limit = int(call.number("since", 0)), int(call.number("limit", 5000))
    wanted = {key: call.get(key) for key in ("application", "route", "method") if call.get(key) is not None}
    if (modelled := call.get("modelled")) is not None:
        wanted["modelled"] = str(modelled).lower() == "true"
    found = [
        one for one in call.core.log.since(since) if all(wanted[key] == getattr(one, key) for key in wanted)
    ]
    return {"last": call.core.log.last, "requests": [views.call(one) for one in found[:limit]]}
