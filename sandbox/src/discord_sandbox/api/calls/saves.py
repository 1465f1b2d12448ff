"""Saved worlds under names, and the way back to one."""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import web

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
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


class Saves:
    """What is saved, by name: at most so many worlds, and so many bytes of them together."""

    def __init__(self, most: int = 1000, most_bytes: int = 256 << 20) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self._kept: dict[str, Kept] = {}

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._kept.values())

    def get(self, name: str) -> Kept:
        """Raises ApiError 404."""
        if name not in self._kept:
            raise unknown("save", name, self._kept)
        return self._kept[name]

    def free_name(self) -> str:
        return next(name for name in map("save-{}".format, itertools.count(1)) if name not in self._kept)

    def keep(self, name: str, new: Kept) -> None:
        """In place of one of the same name. Raises ApiError 409 if it does not fit."""
        others = [one for key, one in self._kept.items() if key != name]
        size = sum(len(one.saved.text) for one in others) + len(new.saved.text)
        if len(others) >= self.most or size > self.most_bytes:
            raise ApiError(
                409,
                "full",
                f"The sandbox keeps {self.most:,} saved worlds, of {self.most_bytes >> 20} MiB together.",
                "DELETE saves/{name} forgets one, and saving under its name replaces it.",
            )
        self._kept[name] = new

    def forget(self, name: str) -> Kept:
        """Raises ApiError 404."""
        found = self.get(name)
        del self._kept[name]
        return found


SAVES: web.AppKey[Saves] = web.AppKey("saves", Saves)


def _keep(call: ApiCall, name: str, saved: SavedWorld) -> JSON:
    if _NAME.fullmatch(name) is None:
        raise invalid(
            f'A save cannot be called "{name}".',
            "Letters, digits, dots, dashes and underscores; 100 at most.",
        )
    document = saved.document
    messages = len(document["roots"]["messages"])
    shown = {"name": name, "now": time(document["now"]), "messages": messages, "size": len(saved.text)}
    call.request.app[SAVES].keep(name, Kept(saved, shown))
    return shown


async def create(call: ApiCall) -> JSON:
    """POST saves: the world as it is now; under a new name if the call has none."""
    name = call.body.get("name") or call.request.app[SAVES].free_name()
    return _keep(call, str(name), save(call.core))


async def listed(call: ApiCall) -> JSON:
    return {"saves": [one.shown for one in call.request.app[SAVES]]}


async def get(call: ApiCall) -> web.StreamResponse:
    """GET saves/{name}: the whole document, as a file has it."""
    text = call.request.app[SAVES].get(call.params["name"]).saved.text
    return web.Response(body=text.encode(), headers={"Content-Type": "application/json"})


async def put(call: ApiCall) -> JSON:
    """PUT saves/{name}: keep a document."""
    try:
        saved = SavedWorld.parse(SavedWorld.of(call.body).text)
    except NotASavedWorldError as error:
        raise invalid(f"This is no saved world: {error}.") from None
    return _keep(call, call.params["name"], saved)


async def delete(call: ApiCall) -> JSON:
    return call.request.app[SAVES].forget(call.params["name"]).shown


async def restore(call: ApiCall) -> JSON:
    """POST restore: the world is as it was saved; bots identify again."""
    put_back(call.core, call.request.app[SAVES].get(call.text("name")).saved)
    return {"event_id": call.core.feed.last}
