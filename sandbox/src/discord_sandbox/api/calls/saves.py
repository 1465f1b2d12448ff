"""Saved worlds under names, and the way back to one."""

import itertools
import re
from typing import NamedTuple

from aiohttp import web

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import invalid, unknown
from discord_sandbox.api.message_views import time
from discord_sandbox.discord.saving.restoring import restore as put_back
from discord_sandbox.discord.saving.restoring import save
from discord_sandbox.discord.saving.saved import NotASavedWorldError, SavedWorld
from discord_sandbox.discord.state.model import JSON

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Kept(NamedTuple):
    """A saved world under a name, and how the API shows it."""

    saved: SavedWorld
    shown: JSON


SAVES: web.AppKey[dict[str, Kept]] = web.AppKey("saves", dict[str, Kept])


def _named(call: ApiCall, name: str) -> Kept:
    saves = call.request.app[SAVES]
    if name not in saves:
        raise unknown("save", name, saves)
    return saves[name]


def _keep(call: ApiCall, name: str, saved: SavedWorld) -> JSON:
    if _NAME.fullmatch(name) is None:
        raise invalid(
            f'A save cannot be called "{name}".',
            "Letters, digits, dots, dashes and underscores; 100 at most.",
        )
    document = saved.document
    messages = len(document["roots"]["messages"])
    shown = {"name": name, "now": time(document["now"]), "messages": messages, "size": len(saved.text)}
    call.request.app[SAVES][name] = Kept(saved, shown)
    return shown


async def create(call: ApiCall) -> JSON:
    """POST saves: the world as it is now; under a new name if the call has none."""
    kept = call.request.app[SAVES]
    free = next(name for name in map("save-{}".format, itertools.count(1)) if name not in kept)
    return _keep(call, str(call.body.get("name") or free), save(call.core))


async def listed(call: ApiCall) -> JSON:
    return {"saves": [one.shown for one in call.request.app[SAVES].values()]}


async def get(call: ApiCall) -> web.StreamResponse:
    """GET saves/{name}: the whole document, as a file has it."""
    text = _named(call, call.params["name"]).saved.text
    return web.Response(body=text.encode(), headers={"Content-Type": "application/json"})


async def put(call: ApiCall) -> JSON:
    """PUT saves/{name}: keep a document."""
    try:
        saved = SavedWorld.parse(SavedWorld.of(call.body).text)
    except NotASavedWorldError as error:
        raise invalid(f"This is no saved world: {error}.") from None
    return _keep(call, call.params["name"], saved)


async def delete(call: ApiCall) -> JSON:
    name = call.params["name"]
    shown = _named(call, name).shown
    del call.request.app[SAVES][name]
    return shown


async def restore(call: ApiCall) -> JSON:
    """POST restore: the world is as it was saved; bots identify again."""
    put_back(call.core, _named(call, call.text("name")).saved)
    return {"event_id": call.core.feed.last}
