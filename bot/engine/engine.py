"""The engine as people's requests meet it: every answer within two seconds, or `Unreachable`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bot.domain.config import Catalog
from bot.domain.model import Actor, Lane, Release, Rollout
from bot.engine import api
from bot.engine.acting import Acting
from bot.engine.locking import Locking
from bot.engine.places import Places
from bot.engine.reading import Reading
from bot.engine.starting import Starting
from bot.engine.stepping import Contended, Stepping
from bot.ports import Clock, DeployTarget, ReleaseSource, Store, Unreachable, Waker

T = TypeVar("T")

# A press is answered within 3 s; what is left of them is for the way to Discord and back.
ANSWER_S = 2.0


class Engine:
    """Implements `bot.engine.api.Engine`.

    targets: by the name that the catalog gives them; may be changed while the engine runs. releases: knows every
    service. What is asked is recorded here and done by `bot.engine.worker.Worker`, in this process or another.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        *,
        targets: Mapping[str, DeployTarget],
        releases: ReleaseSource,
        clock: Clock,
        waker: Waker,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._catalog = catalog
        self._answer_s = answer_s
        places = Places(store, catalog, targets, releases, clock)
        stepping = Stepping(store, clock, waker)
        self._acting = Acting(store, stepping, clock)
        self._starting = Starting(store, places, stepping, self._acting)
        self._reading = Reading(store, places)
        self._locking = Locking(store, places)

    async def deploy(self, request: api.DeployRequest) -> Rollout | api.DryRun:
        return await self._soon(self._starting.deploy(request))

    async def roll_back(self, request: api.RollbackRequest) -> Rollout:
        return await self._soon(self._starting.roll_back(request))

    async def act(self, request: api.ActRequest) -> api.Acted:
        return await self._soon(self._acting.act(request))

    async def panic(self, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        # Bounded by the number of rollouts, each of which gives up by itself.
        return await self._acting.panic(self._catalog(), guild_id, actor, reason, on)

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> api.Lock:
        return await self._soon(self._locking.lock(guild_id, actor, lane, reason, expires))

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane) -> None:
        await self._soon(self._locking.unlock(guild_id, actor, lane))

    async def status(
        self, guild_id: int, service: str | None = None, environment: str | None = None
    ) -> Sequence[api.LaneStatus]:
        return await self._soon(self._reading.status(guild_id, service, environment))

    async def history(
        self,
        guild_id: int,
        service: str | None = None,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> Sequence[api.RolloutSummary]:
        return await self._soon(self._reading.history(guild_id, service, environment, before, limit))

    async def view(self, rollout_id: int, guild_id: int | None = None) -> api.RolloutView:
        return await self._soon(self._reading.view(rollout_id, guild_id))

    async def releases(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        return await self._soon(self._reading.releases(guild_id, service, environment))

    async def known_good(self, guild_id: int, service: str, environment: str) -> Sequence[Release]:
        return await self._soon(self._reading.known_good(guild_id, service, environment))

    async def _soon(self, asked: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._answer_s):
                return await asked
        except TimeoutError:
            raise Unreachable(f"no answer within {self._answer_s:g} s") from None
        except Contended as error:
            raise Unreachable(f"too many at once: {error}") from None
