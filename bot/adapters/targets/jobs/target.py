"""The `DeployTarget` that carries out each order by a job, under a supervisor that outlives Slipway."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from bot.adapters.commands.jobs import Command, Job, JobState, tidy
from bot.adapters.commands.output import Output, framed
from bot.adapters.lane_files import folder_name
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.jobs.lane import (
    JobOrder,
    LaneFolder,
    LaneLook,
    LaneState,
    differs,
    observed,
    order_of,
)
from bot.adapters.targets.jobs.observe_commands import Observations
from bot.adapters.targets.jobs.settings import JobTargetSettings, LaneAddressSettings
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release, Running, RunState
from bot.ports.data_plane.targets import Capabilities, Printed
from bot.ports.errors import TargetRefused
from bot.redaction import Redactor

_ABORT_S = 60.0
_LOOK_S = 0.05


def commands_dir(data_dir: Path) -> Path:
    """Folder of what Slipway runs for lanes and plans, below its data folder."""
    return data_dir / "commands"


def lanes_dir(data_dir: Path) -> Path:
    return commands_dir(data_dir) / "lanes"


S = TypeVar("S", bound=JobTargetSettings)


class JobTarget(ABC, Generic[S]):
    """Runs a job for each order that changes something.

    Implements `CatalogTarget` and `PrintingTarget`. Orders are carried out one at a time in each lane: a newer one ends
    the job of the former, and begins when that is gone.
    """

    def __init__(self, settings: S, lanes: Mapping[Lane, ServedLane], context: TargetContext) -> None:
        self.settings = settings
        self._lanes = dict(lanes)
        self._folder = lanes_dir(context.data_dir)
        self._observations = Observations(settings.observe_every)
        self._private: dict[Lane, set[str]] = {}
        self._spec: dict[Lane, Mapping[str, object]] = {}

    # ---- for each kind -------------------------------------------------------------------------------------

    @abstractmethod
    def check(self, release: Release) -> None:
        """Raises `TargetRefused` for a release that cannot be deployed."""

    @abstractmethod
    def private(self, release: Release) -> set[str]:
        """Values to redact from what jobs print for a release."""

    @abstractmethod
    def order_command(self, lane: Lane, state: LaneState, job: Job) -> Command:
        """The command that carries out the lane's order."""

    @abstractmethod
    def question(self, lane: Lane, order: JobOrder) -> Command | None:
        """The command that prints what runs; None where there is none."""

    @abstractmethod
    def name(self, action: str) -> str:
        """What carries out an order, to begin a sentence on how it failed."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where orders go, for people."""

    # ---- capabilities --------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(weights=self.settings.weights, warm=False, prints=True)

    async def reload(self, settings: S, lanes: Mapping[Lane, ServedLane]) -> None:
        self.settings, self._lanes = settings, dict(lanes)
        self._observations.every_s = settings.observe_every

    async def close(self) -> None:
        """Stop asking observe commands. Orders are carried out all the same."""
        await self._observations.close()

    # ---- DeployTarget --------------------------------------------------------------------------------------

    async def observe(self, lane: Lane) -> Observed:
        look = await asyncio.to_thread(self._files(lane).read)
        if look is None:
            return await self._first_look(lane)
        seen = None
        if not look.state.unsure:
            seen = await self._seen(lane, look)
        why = await asyncio.to_thread(self._why, lane, look)
        return self._addressed(lane, look.state.order, observed(look, why, seen))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        order = self._checked(lane, desired)
        files = self._files(lane)
        async with files.locked():
            look = files.read()
            newer = look is None or look.state.check_newer(order)
            self._learn(lane, desired, order)
            if newer:
                await self._begin(lane, files, look, order)
            elif look is not None:
                await self._again(lane, files, look)

    async def abort(self, lane: Lane, by: str, why: str) -> Observed:
        files = self._files(lane)
        async with files.locked():
            look = files.read()
            if look is None or look.state.order.stable is None:
                raise TargetRefused(f"{lane} has no stable release to bring back")
            order = replace(look.state.order, generation=look.state.order.generation + 1, weight=0)
            abort = HostAbort(order.generation, datetime.now(UTC), by, why)
            await self._begin(lane, files, look, order, abort)
        try:
            async with asyncio.timeout(_ABORT_S):
                while (look := files.read()) and look.job_state is JobState.RUNNING:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            pass  # it goes on, and `observe` tells how
        return await self.observe(lane)

    # ---- PrintingTarget ------------------------------------------------------------------------------------

    async def printed(self, lane: Lane) -> Printed | None:
        look = await asyncio.to_thread(self._files(lane).read)
        if look is None or look.job is None:
            return None
        found = await asyncio.to_thread(Output(look.job, self._redactor(lane)).next)
        if found is None:
            return None
        return Printed(f"{look.state.job}.{found.number}", framed(f"`{look.state.action}`", found.text))

    async def passed_on(self, lane: Lane, printed: Printed) -> None:
        name = printed.key.rpartition(".")[0]
        output = Output(Job(self._files(lane).jobs / name), self._redactor(lane))
        await asyncio.to_thread(output.passed_on)

    # ---- CatalogTarget -------------------------------------------------------------------------------------

    async def describe(self) -> Mapping[str, Any]:
        lanes = {str(lane): str(self._files(lane).jobs) for lane in self._lanes}
        return {"orders": self.where, "output": lanes}

    async def router_address(self, lane: Lane) -> str | None:
        reached = self._reached(lane)
        return reached.address if reached else None

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        running = (await self.observe(lane)).of(digest)
        ready = running is not None and running.state is RunState.READY and running.address
        return {"lane": str(running.address)} if running is not None and ready else {}

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        return {"routed": False, "releases": {}}

    # ---- orders --------------------------------------------------------------------------------------------

    async def _begin(
        self,
        lane: Lane,
        files: LaneFolder,
        before: LaneLook | None,
        order: JobOrder,
        abort: HostAbort | None = None,
    ) -> None:
        """Save a new order, and start its command if it needs one."""
        former = before.job if before else None
        state = (before.state if before else LaneState(order)).followed_by(order, abort)
        seen = self._observations.last(lane, former.ended_at if former else 0.0)
        changed = state.order.brings is not None and seen is not None and differs(state, seen)
        if state.needs_command or changed:
            name = files.new_job(order.generation)
            state = replace(state, job=name, unsure=changed or not state.serves_as_ordered)
        else:
            state = replace(state, job="")
        await asyncio.to_thread(files.write, state)
        if state.job:
            await self._start(lane, files, state)
            await asyncio.to_thread(tidy, files.jobs, state.job)
        elif (unfinished := await asyncio.to_thread(files.unfinished)) is not None:
            unfinished.stop()

    async def _again(self, lane: Lane, files: LaneFolder, look: LaneLook) -> None:
        """The same order once more: start what was not started, and say what failed."""
        state = look.state
        if look.job is None:
            return
        if look.job_state is JobState.LOST:
            await asyncio.to_thread(look.job.sweep)
            state = replace(state, job=files.new_job(state.order.generation))
        if look.job_state in (JobState.ABSENT, JobState.LOST):
            # Also what is written already: its writer may have died before it was done.
            await asyncio.to_thread(files.write, state)
            await self._start(lane, files, state)
        elif look.job_state is JobState.ENDED and state.unsure:
            raise TargetRefused(await asyncio.to_thread(self._why, lane, look))

    async def _start(self, lane: Lane, files: LaneFolder, state: LaneState) -> None:
        """Start the job of a state, which first ends the one before it."""
        job = files.job(state)
        command = self.order_command(lane, state, job)
        await job.start(command, after=await asyncio.to_thread(files.unfinished), newest=files.newest)

    def _checked(self, lane: Lane, desired: Desired) -> JobOrder:
        weights = self._splits(lane)
        if not 0 <= desired.weight <= 100 or (desired.weight and desired.candidate is None):
            raise TargetRefused(f"{lane}: a weight of {desired.weight}% needs a candidate")
        if not weights and desired.weight not in (0, 100):
            raise TargetRefused(f"{lane} has no weights but 0 and 100, so not {desired.weight}")
        for release in (desired.stable, desired.candidate, *desired.warm):
            if release is not None:
                self.check(release)
        return order_of(desired, weights=weights)

    def _learn(self, lane: Lane, desired: Desired, order: JobOrder) -> None:
        """Keep what a job may need of the releases' specs: in memory, since it may be secret."""
        named = [release for release in (desired.stable, desired.candidate) if release is not None]
        self._private.setdefault(lane, set()).update(*map(self.private, named))
        if order.brings is not None:
            self._spec[lane] = next(r.spec for r in named if r.digest == order.brings.digest)

    def spec(self, lane: Lane) -> Mapping[str, object]:
        """The spec of the release that the lane's order brings in; empty where it is not known."""
        return self._spec.get(lane, {})

    # ---- what is known -------------------------------------------------------------------------------------

    async def _first_look(self, lane: Lane) -> Observed:
        """A lane without orders: what runs there already, if the commands can tell."""
        nothing = LaneLook(LaneState(JobOrder(0, None)))
        return observed(nothing, seen=await self._seen(lane, nothing))

    async def _seen(self, lane: Lane, look: LaneLook) -> Mapping[str, int] | None:
        """Shares by version, where they can be asked for."""
        question = self.question(lane, look.state.order)
        if question is None:
            return None
        since = look.job.ended_at if look.job else 0.0
        return await self._observations.shares(lane, question, since=since, redact=self._redactor(lane))

    def _why(self, lane: Lane, look: LaneLook) -> str:
        """How the job failed, with its last words."""
        if look.job is None or look.end is None or look.end.passed:
            return ""
        said = look.job.last_words(self._redactor(lane))
        how = f"{self.name(look.state.action)} {look.end.phrase(self.settings.timeout)}"
        return f"{how}; last words: {said}" if said else how

    def _addressed(self, lane: Lane, order: JobOrder, found: Observed) -> Observed:
        """With the addresses at which releases answer: a candidate may have one of its own."""
        reached = self._reached(lane)
        if reached is None:
            return found

        def address(running: Running) -> str | None:
            if running.state is not RunState.READY:
                return None
            waits = order.weights and order.candidate is not None and running.digest == order.candidate.digest
            return (reached.candidate or reached.address) if waits else reached.address

        return replace(
            found, running=tuple(replace(running, address=address(running)) for running in found.running)
        )

    def _redactor(self, lane: Lane) -> Redactor:
        return Redactor(self._private.get(lane, ()), scanning=True)

    def _files(self, lane: Lane) -> LaneFolder:
        return LaneFolder(self._folder / folder_name(lane))

    def _splits(self, lane: Lane) -> bool:
        served = self._lanes.get(lane)
        return self.settings.weights and not (served and served.exclusive)

    def _reached(self, lane: Lane) -> LaneAddressSettings | None:
        served = self._lanes.get(lane)
        return served.router if served and isinstance(served.router, LaneAddressSettings) else None
