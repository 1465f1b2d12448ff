"""All instances of one release in a lane, and the state of the release as a whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.adapters.routers.counts import InstanceCounts
from bot.adapters.routers.weighted import Backend
from bot.adapters.targets.process.host.lanes.instance import Instance, Record, Surroundings
from bot.adapters.targets.process.host.processes import Process
from bot.adapters.targets.process.host.store import StateStore
from bot.adapters.targets.process.spec import ProcessSpec
from bot.domain.rollout.model import Release, Running, RunState

_DRAIN_POLL_S = 0.02


@dataclass(slots=True)
class CountedInstance:
    """An instance and the router's counts of it."""

    instance: Instance
    counts: InstanceCounts


class ReleaseInstances:
    """Instances of a release. It is ready when every instance is, and crashed when one is for good."""

    def __init__(
        self,
        around: Surroundings,
        release: Release,
        spec: ProcessSpec,
        store: StateStore,
        *,
        counts: Callable[[Release, int], InstanceCounts],
        records: Sequence[Record] = (),
    ) -> None:
        self.release = release
        self.spec = spec
        self._around = around
        self._retiring: asyncio.Task[None] | None = None
        self._stopping = False
        known = {record.index: record for record in records}
        self.members = [
            CountedInstance(
                Instance(
                    around,
                    release,
                    spec,
                    known.get(index, Record(index)),
                    store.log(around.lane, release.version, release.digest, index),
                ),
                counts(release, index),
            )
            for index in range(spec.instances)
        ]

    @property
    def state(self) -> RunState:
        if self._retiring is not None:
            return RunState.DRAINING
        states = {member.instance.state for member in self.members}
        for state in (RunState.CRASHED, RunState.STARTING, RunState.STOPPED):
            if state in states:
                return state
        return RunState.READY

    @property
    def ready(self) -> bool:
        return self.state is RunState.READY

    @property
    def retiring(self) -> bool:
        return self._retiring is not None

    def adopt(self, found: Mapping[str, Process]) -> None:
        for member in self.members:
            member.instance.adopt(found)

    def start(self, *, again: bool) -> None:
        """Start idle instances; crashed ones only if `again`."""
        for member in self.members:
            instance = member.instance
            if instance.idle and (again or instance.state is not RunState.CRASHED):
                instance.start()

    def backends(self) -> tuple[Backend, ...]:
        """The instances that can take requests."""
        return tuple(
            Backend(self.release.digest, self.release.version, m.instance.address, m.counts)
            for m in self.members
            if m.instance.state is RunState.READY
        )

    def suspect(self) -> None:
        for member in self.members:
            member.instance.suspect()

    def retire(self, gone: Callable[[str], None]) -> None:
        """Let requests in flight finish, then stop; `gone` is called with the digest when nothing is left."""
        if self._retiring is None:
            self._retiring = asyncio.create_task(self._retire(gone))

    def keep(self) -> None:
        """End draining because the release is desired again, unless it is being stopped already."""
        if self._retiring is not None and not self._stopping:
            self._retiring.cancel()
            self._retiring = None

    async def drain_and_stop(self) -> None:
        """Drain and stop; returns when nothing of it is left."""
        self._around.changed()
        deadline = time.monotonic() + self.spec.drain_s
        while any(m.counts.in_flight for m in self.members) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_S)
        self._stopping = True
        await asyncio.gather(*(member.instance.stop() for member in self.members))

    async def _retire(self, gone: Callable[[str], None]) -> None:
        await self.drain_and_stop()
        gone(self.release.digest)

    def running(self, weight: int) -> Running:
        instances = [member.instance for member in self.members]
        shown = next((i for i in instances if i.state is RunState.READY), instances[0])
        return Running(
            digest=self.release.digest,
            version=self.release.version,
            state=self.state,
            weight=weight,
            address=shown.address if shown.record.port and self.spec.ready.path else None,
            detail="; ".join(
                f"{self.release.version}.{i.record.index} {i.detail}" for i in instances if i.detail
            ),
            restarts=sum(i.record.restarts for i in instances),
        )
