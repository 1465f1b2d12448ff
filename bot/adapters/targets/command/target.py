"""The `DeployTarget` of commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.adapters.commands.jobs import Command, Job, JobState, tidy
from bot.adapters.commands.output import Output, framed
from bot.adapters.commands.ssh import over_ssh
from bot.adapters.commands.told import filled, variables
from bot.adapters.inherited import base_environment
from bot.adapters.lane_files import folder_name
from bot.adapters.targets.command.lane import (
    LaneFolder,
    LaneState,
    Look,
    Named,
    Order,
    observed,
    order_of,
)
from bot.adapters.targets.command.observing import Observations
from bot.adapters.targets.command.settings import (
    CommandLaneSettings,
    CommandTargetSettings,
    parse_spec,
)
from bot.adapters.targets.context import TargetContext
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release, Running, RunState
from bot.ports.errors import TargetRefused
from bot.ports.targets import ORDERED_BY, Capabilities, Printed
from bot.redaction import Redactor

_ABORT_S = 60.0
_LOOK_S = 0.05


def commands_dir(data_dir: Path) -> Path:
    """Folder of lanes deployed by commands, below Slipway's data folder."""
    return data_dir / "commands"


class CommandTarget:
    """Runs a command for each order that changes something, under a supervisor that outlives Slipway.

    Implements `CatalogTarget` and `PrintingTarget`. Orders are carried out one at a time in each lane: a newer one ends
    the command of the former, and begins when that is gone.
    """

    def __init__(
        self, settings: CommandTargetSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
    ) -> None:
        self._settings = settings
        self._lanes = dict(lanes)
        self._folder = commands_dir(context.data_dir) / "lanes"
        self._observations = Observations(settings.observe_every)
        self._private: dict[Lane, set[str]] = {}
        self._env: dict[Lane, Mapping[str, str]] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(weights=self._settings.weights, warm=False, prints=True)

    async def reload(self, settings: CommandTargetSettings, lanes: Mapping[Lane, ServedLane]) -> None:
        self._settings, self._lanes = settings, dict(lanes)
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
        if self._settings.observe is not None and not look.state.unsure:
            seen = await self._seen(lane, look)
        why = await asyncio.to_thread(self._why, lane, look)
        return self._addressed(lane, look.state.order, observed(look, why, seen))

    async def apply(self, lane: Lane, desired: Desired) -> None:
        order = self._checked(lane, desired)
        files = self._files(lane)
        async with files.locked():
            look = files.read()
            newer = look is None or look.state.check_newer(order)
            self._learn(lane, desired)
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
        where = self._settings.ssh.host if self._settings.ssh else "this machine"
        lanes = {str(lane): str(self._files(lane).jobs) for lane in self._lanes}
        return {"commands": where, "output": lanes}

    async def router_address(self, lane: Lane) -> str | None:
        reached = self._reached(lane)
        return reached.address if reached else None

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        running = (await self.observe(lane)).of(digest)
        ready = running is not None and running.state is RunState.READY and running.address
        return {"command": str(running.address)} if running is not None and ready else {}

    async def counts(self, lane: Lane) -> Mapping[str, Any]:
        return {"routed": False, "releases": {}}

    # ---- orders --------------------------------------------------------------------------------------------

    async def _begin(
        self,
        lane: Lane,
        files: LaneFolder,
        before: Look | None,
        order: Order,
        abort: HostAbort | None = None,
    ) -> None:
        """Save a new order, and start its command if it needs one."""
        former = before.job if before else None
        state = (before.state if before else LaneState(order)).followed_by(order, abort)
        if state.needs_command:
            name = files.new_job(order.generation)
            state = replace(state, job=name, unsure=not state.serves_as_ordered)
        else:
            state = replace(state, job="")
        await asyncio.to_thread(files.write, state)
        if state.job:
            await self._start(lane, files, state, former)
            await asyncio.to_thread(tidy, files.jobs, state.job)
        elif former is not None:
            former.stop()

    async def _again(self, lane: Lane, files: LaneFolder, look: Look) -> None:
        """The same order once more: start what was not started, and say what failed."""
        state = look.state
        if look.job is None:
            return
        if look.job_state is JobState.LOST:
            await asyncio.to_thread(look.job.sweep)
            state = replace(state, job=files.new_job(state.order.generation))
            await asyncio.to_thread(files.write, state)
        if look.job_state in (JobState.ABSENT, JobState.LOST):
            await self._start(lane, files, state, None)
        elif look.job_state is JobState.ENDED and state.unsure:
            raise TargetRefused(await asyncio.to_thread(self._why, lane, look))

    async def _start(self, lane: Lane, files: LaneFolder, state: LaneState, former: Job | None) -> None:
        argv = self._settings.apply
        if state.action == "rollback":
            argv = self._settings.rollback or argv
        command = self._command(lane, argv, state.action, state.order)
        await files.job(state).start(command, after=former, newest=files.newest)

    def _command(self, lane: Lane, argv: tuple[str, ...], action: str, order: Order) -> Command:
        settings = self._settings
        facts = _facts(lane, action, order)
        if not settings.weights:
            facts.pop("weight", None)
        own = {name: filled(value, facts) for name, value in self._env.get(lane, {}).items()}
        env = {**own, **variables(facts)}
        command = Command(
            tuple(filled(word, facts) for word in argv),
            {**base_environment(), **({} if settings.ssh else env)},
            str(settings.cwd) if settings.cwd else None,
            settings.timeout if action != "observe" else settings.observe_timeout,
            settings.grace,
        )
        return over_ssh(settings.ssh, command, env) if settings.ssh else command

    def _checked(self, lane: Lane, desired: Desired) -> Order:
        weights = self._splits(lane)
        if not 0 <= desired.weight <= 100 or (desired.weight and desired.candidate is None):
            raise TargetRefused(f"{lane}: a weight of {desired.weight}% needs a candidate")
        if not weights and desired.weight not in (0, 100):
            raise TargetRefused(f"{lane} has no weights but 0 and 100, so not {desired.weight}")
        for release in _releases(desired):
            parse_spec(release)
        return order_of(desired, weights=weights)

    def _learn(self, lane: Lane, desired: Desired) -> None:
        """Keep what a command may need of the releases' specs: in memory, since it may be secret."""
        specs = {release.digest: parse_spec(release) for release in _releases(desired)}
        self._private.setdefault(lane, set()).update(*(spec.private for spec in specs.values()))
        brings = order_of(desired, weights=self._splits(lane)).brings
        if brings is not None:
            self._env[lane] = specs[brings.digest].env

    # ---- what is known -------------------------------------------------------------------------------------

    async def _first_look(self, lane: Lane) -> Observed:
        """A lane without orders: what runs there already, if the commands can tell."""
        if self._settings.observe is None:
            return Observed(0)
        nothing = Look(LaneState(Order(0, None)))
        return observed(nothing, seen=await self._seen(lane, nothing))

    async def _seen(self, lane: Lane, look: Look) -> Mapping[str, int]:
        argv = self._settings.observe
        assert argv is not None
        return await self._observations.shares(
            lane,
            lambda: self._command(lane, argv, "observe", look.state.order),
            since=look.job.ended_at if look.job else 0.0,
            redact=self._redactor(lane),
        )

    def _why(self, lane: Lane, look: Look) -> str:
        """How the job failed, with its last words."""
        if look.job is None or look.end is None or look.end.passed:
            return ""
        said = look.job.last_words(self._redactor(lane))
        how = f"the {look.state.action} command {look.end.phrase(self._settings.timeout)}"
        return f"{how}; last words: {said}" if said else how

    def _addressed(self, lane: Lane, order: Order, found: Observed) -> Observed:
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
        return self._settings.weights and not (served and served.exclusive)

    def _reached(self, lane: Lane) -> CommandLaneSettings | None:
        served = self._lanes.get(lane)
        return served.router if served and isinstance(served.router, CommandLaneSettings) else None


def make_command_target(
    settings: CommandTargetSettings, lanes: Mapping[Lane, ServedLane], context: TargetContext
) -> CommandTarget:
    return CommandTarget(settings, lanes, context)


def _releases(desired: Desired) -> list[Release]:
    return [r for r in (desired.stable, desired.candidate, *desired.warm) if r is not None]


def _facts(lane: Lane, action: str, order: Order) -> dict[str, str]:
    """What a command is told, by the name of its variable without `SLIPWAY_`, in small letters."""
    nothing = Named("", "")
    brings, stable, candidate = (one or nothing for one in (order.brings, order.stable, order.candidate))
    rollout = ORDERED_BY.get()
    return {
        "service": lane.service,
        "environment": lane.environment,
        "action": action,
        "version": brings.version,
        "digest": brings.digest,
        "commit": brings.commit,
        "generation": str(order.generation),
        "rollout": str(rollout or ""),
        "stable": stable.version,
        "stable_digest": stable.digest,
        "candidate": candidate.version,
        "candidate_digest": candidate.digest,
        "weight": str(order.weight),
    }
