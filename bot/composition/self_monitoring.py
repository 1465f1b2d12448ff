"""Self-monitoring: vitals of this process from the parts that it is made of, alerts about it, and its heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from bot.adapters.heartbeat import Heartbeat
from bot.adapters.process_usage import ProcessUsage
from bot.adapters.telemetry import Telemetry
from bot.domain.watch.self_monitoring.vitals import Vitals
from bot.engine.loops.loops import Loop, Rounds
from bot.engine.loops.worker import Role
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.self_monitoring.direct_delivery import DirectDelivery
from bot.engine.watch.self_monitoring.self_watch import SelfWatch
from bot.ports.coordination import Clock, Waker
from bot.ports.errors import Unreachable
from bot.ports.watch.findings import Findings
from bot.ports.watch.vitals import VitalsSource
from bot.settings import Settings

_ANSWER_S = 2.0
_LOOK_EVERY_S = 5.0


class StatementCounter:
    """Counts statements of the database, and passes them on: implements `observed` of `Database`."""

    def __init__(self, then: Callable[[float, bool], None]) -> None:
        self._then = then
        self.all = self.failed = 0

    def __call__(self, seconds: float, failed: bool = False) -> None:
        self.all += 1
        self.failed += failed
        self._then(seconds, failed)


class AnswersAndQueue(Protocol):
    async def ping(self) -> None: ...

    async def queue(self) -> tuple[int, float]: ...


class ProcessVitals:
    """Implements `bot.ports.watch.vitals.VitalsSource`.

    gateway: whether this process is connected, None where another one has to be. redis: as of `/health`. late: loops
    without a round.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        gateway: Callable[[], bool | None],
        database: AnswersAndQueue,
        statements: StatementCounter,
        redis: Callable[[], Awaitable[str]],
        late: Callable[[], Mapping[str, float]],
        usage: ProcessUsage,
    ) -> None:
        self._clock, self._gateway, self._database = clock, gateway, database
        self._statements, self._redis, self._late, self._usage = statements, redis, late, usage

    async def read(self) -> Vitals:
        database, redis = await asyncio.gather(self._asked(), self._redis_up())
        answers, oldest_s = database
        return Vitals(
            at=self._clock.now().timestamp(),
            gateway=self._gateway(),
            database=answers,
            statements=self._statements.all,
            failed=self._statements.failed,
            redis=redis,
            oldest_effect_s=oldest_s,
            late=self._late(),
            memory=self._usage.memory(),
            cpu_s=self._usage.cpu_s(),
        )

    async def _asked(self) -> tuple[bool, float | None]:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._database.ping()
                _, oldest_s = await self._database.queue()
        except (Unreachable, TimeoutError):
            return False, None
        return True, oldest_s

    async def _redis_up(self) -> bool | None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                word = (await self._redis()).partition(":")[0]
        except TimeoutError:
            return False
        return None if word == "memory" else word == "ok"


class SelfMonitoring:
    """What runs beside the worker in every process. `parts` run until cancelled; `ready` has the schema."""

    def __init__(
        self,
        settings: Settings,
        role: Role,
        vitals: VitalsSource,
        *,
        alerts: Findings,
        sinks: Sinks | None,
        session: aiohttp.ClientSession,
        telemetry: Telemetry,
        waker: Waker,
        rounds: Rounds,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._watch = SelfWatch(
            vitals,
            alerts,
            _name(settings, role),
            directly=DirectDelivery(sinks) if sinks else None,
            meter=telemetry,
        )
        self._waker, self._rounds, self._ready = waker, rounds, ready
        url = settings.heartbeat.url
        self._heartbeat = (
            Heartbeat(session, url.get_secret_value(), lambda: not rounds.late(), telemetry.heartbeat)
            if url
            else None
        )

    @property
    def parts(self) -> Sequence[Callable[[], Coroutine[Any, Any, None]]]:
        return (self._look, self._beat) if self._heartbeat else (self._look,)

    async def _look(self) -> None:
        await self._ready()
        try:
            await Loop("itself", self._watch.once, _LOOK_EVERY_S).run(self._waker, self._rounds)
        finally:
            await self._watch.stop()

    async def _beat(self) -> None:
        await self._ready()
        assert self._heartbeat is not None
        await self._heartbeat.run()


def _name(settings: Settings, role: Role) -> str:
    """What findings about this process are named by: its role, and of several locations which."""
    return f"{role}:{settings.location}" if role == "location" else role
