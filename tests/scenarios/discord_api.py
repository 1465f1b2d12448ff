"""Discord's routes for application commands, as a session that `CommandsApi` takes instead of aiohttp's."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

Json = dict[str, Any]

CALL_S = 0.05  # there, and back

_PATH = re.compile(
    r".*/applications/(?P<application>\d+)(?:/guilds/(?P<guild>\d+))?/commands(?:/(?P<id>\w+))?(?:\?.*)?"
)
# What Discord adds to a command that it is given.
_FILLED_IN = {"default_member_permissions": None, "nsfw": False, "contexts": None, "integration_types": [0]}


class CommandsSession:
    """Commands by application and guild; `""` is everywhere. `tell` hears of every call that changes something."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._have: dict[tuple[str, str], dict[str, Json]] = {}
        self._ids = itertools.count(9000)

    def names(self, application: int, guild: int | None = None) -> list[str]:
        return sorted(self.commands(str(application), str(guild or "")))

    def commands(self, application: str, guild: str) -> dict[str, Json]:
        """By name."""
        return self._have.setdefault((application, guild), {})

    def put(self, application: int, *commands: Json) -> None:
        """What is there before the story begins."""
        for one in commands:
            self._keep(self.commands(str(application), ""), one)

    @asynccontextmanager
    async def request(self, method: str, url: str, *, json: Any = None, **_: Any) -> AsyncIterator[Any]:
        found = _PATH.fullmatch(url)
        assert found is not None, url
        here = self.commands(found["application"], found["guild"] or "")
        await asyncio.sleep(CALL_S)
        body = self._answer(method, found["id"] or "", here, json)
        if method != "GET":
            where = "in the server" if found["guild"] else "everywhere"
            self._tell("discord", f"{method} {where}: now {', '.join(sorted(here)) or 'no commands'}")
        await asyncio.sleep(CALL_S)
        yield _answered(body)

    def _answer(self, method: str, id_: str, here: dict[str, Json], given: Any) -> Any:
        if id_ == "permissions":
            return []
        match method:
            case "PUT":
                kept = {name: one["id"] for name, one in here.items()}
                here.clear()
                return [self._keep(here, one, kept.get(one["name"])) for one in given]
            case "POST":
                return self._keep(here, given)
            case "PATCH":
                old = next(name for name, one in here.items() if one["id"] == id_)
                return self._keep(here, {**here.pop(old), **given}, id_)
            case "DELETE":
                here.pop(next(name for name, one in here.items() if one["id"] == id_))
                return None
        return list(here.values())

    def _keep(self, here: dict[str, Json], given: Json, id_: str | None = None) -> Json:
        made = {**_FILLED_IN, "type": 1, **given, "id": id_ or str(next(self._ids)), "version": "1"}
        here[given["name"]] = made
        return made


def _answered(body: Any) -> Any:
    text = json.dumps(body) if body is not None else ""

    async def read() -> str:
        return text

    return SimpleNamespace(status=200 if text else 204, headers={}, text=read)
