"""Managers of one swarm, asked like one engine: the one that answered last, and when it fails the next.

A manager answers for the swarm only while the swarm has a leader. Between the loss of one and the election of the next,
requests wait for 20 s at the manager, or are refused with one of a few sentences. None of them says anything about a
service: they are an outage, as when no connection can be made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from bot.adapters.runtimes.docker.engine import DockerApi, EngineApi, EngineError, Json
from bot.adapters.runtimes.swarm.settings import ManagerSettings
from bot.ports.errors import Unreachable

log = logging.getLogger(__name__)

# What the swarm answers; the rest of the API is the engine's own.
_OF_THE_SWARM = re.compile(r"/(services|tasks|nodes|secrets)\b(?!.*/logs$)")
# Words of engines (daemon/cluster) and of swarmkit (manager/state/raft), which gRPC hands on as an unknown error.
_NOT_NOW = (
    "does not have a leader",
    "no elected cluster leader",
    "node lost leader status",
    "node is stopped",
    "not yet part of a raft cluster",
    "failed to get connection to leader",
    "context deadline exceeded",
    "context canceled",
    "connection is closing",
    "transport is closing",
    "connection error",
)
_WRAPPED = re.compile(r"^rpc error: code = \w+ desc = ")


def cannot_answer(path: str, error: EngineError) -> bool:
    """Whether a manager could not answer for the swarm, as opposed to having refused this request."""
    if not _OF_THE_SWARM.match(path):
        return False
    return error.status == 503 or (error.status == 500 and any(words in str(error) for words in _NOT_NOW))


class Managers(EngineApi):
    """The managers of `settings`. folder: private, for sockets that ssh connections forward.

    A request goes to one of them; a read goes on to the next until one answers. What changes something is not sent
    again: it may have been done, and those who order it look first.
    """

    def __init__(self, settings: ManagerSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._made = 0
        self._all = [self._manager(address) for address in settings.addresses.values()]
        self._now = self._all[0]

    @property
    def name(self) -> str:
        return self._now.name

    async def follow(self, settings: ManagerSettings) -> bool:
        """Ask those of `settings` from now on; False, and nothing is done, when more than `managers` has changed."""
        if _without_managers(settings) != _without_managers(self._settings):
            return False
        former = {manager.address: manager for manager in self._all}
        addresses = settings.addresses.values()
        self._all = [former.pop(a) if a in former else self._manager(a) for a in addresses]
        self._settings = settings
        if self._now not in self._all:
            self._now = self._all[0]
        for manager in former.values():
            await manager.close()
        return True

    async def close(self) -> None:
        for manager in self._all:
            await manager.close()

    async def get(self, path: str, **more: Any) -> Json:
        """As `EngineApi.get`. Raises `Unreachable` when none of the managers answers, with what is known of each."""
        problems: dict[str, None] = {}
        for _ in range(len(self._all)):
            try:
                return await super().get(path, **more)
            except Unreachable as problem:
                problems[str(problem)] = None
        raise Unreachable(". ".join(problems))

    @contextlib.asynccontextmanager
    async def request(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        asked = self._now
        try:
            async with asked.request(method, path, **more) as answer:
                yield answer
        except EngineError as error:
            if not cannot_answer(path, error):
                raise
            await self._pass_on(asked)
            said = _WRAPPED.sub("", str(error))
            raise Unreachable(f"{asked.name} cannot answer for the swarm: {said}") from None
        except Unreachable:
            await self._pass_on(asked)
            raise

    async def probe(self) -> None:
        asked = self._now
        before = asked.outages
        await asked.probe()
        self.outages += asked.outages - before

    # ---- helpers -----------------------------------------------------------------------------------------------

    def _manager(self, address: str) -> DockerApi:
        folder = self._folder / f"m{self._made}" if self._made else self._folder
        self._made += 1
        return DockerApi(self._settings.model_copy(update={"engine": address}), folder)

    async def _pass_on(self, failed: DockerApi) -> None:
        """Count an outage, and ask the next manager from now on, unless another request has seen to that."""
        self.outages += 1
        if failed is not self._now:
            return
        self._now = self._all[(self._all.index(failed) + 1) % len(self._all)]
        if self._now is failed:
            return
        log.warning("%s does not answer: %s is asked from now on", failed.name, self._now.name)
        # A stream of events would wait for ever on a machine that is gone.
        await asyncio.shield(failed.close())


def _without_managers(settings: ManagerSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ManagerSettings.model_fields if name != "managers"}
