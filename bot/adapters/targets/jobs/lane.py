"""State of one lane of a command target: the newest order, the job that carries it out, and what is known to run.

The state is a file, changed under a lock: every process of Slipway that has the data folder sees the same.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bot.adapters.commands import supervisor
from bot.adapters.commands.jobs import Job, JobEnd, JobState
from bot.adapters.lane_files import write_atomically
from bot.adapters.typed_json import typed
from bot.domain.rollout.model import (
    VERSION_ALONE,
    Desired,
    HostAbort,
    Observed,
    Release,
    Running,
    RunState,
)
from bot.ports.errors import StaleGeneration, Unreachable

_LOCK_S = 1.5
_LOOK_S = 0.02

Action = Literal["apply", "rollback"]


@dataclass(frozen=True, slots=True)
class Named:
    """A release without its spec, which may hold secrets."""

    digest: str
    version: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A desired state, as far as it is kept. `weights`: whether it is carried out by weight."""

    generation: int
    stable: Named | None
    candidate: Named | None = None
    weight: int = 0
    warm: tuple[str, ...] = ()
    weights: bool = False

    @property
    def brings(self) -> Named | None:
        """The release that the command is to bring in."""
        forward = self.candidate is not None and (self.weights or self.weight == 100)
        return self.candidate if forward else self.stable

    @property
    def split(self) -> dict[str, int]:
        """Share of each release, in per cent, once it is carried out."""
        if not self.weights:
            return {self.brings.digest: 100} if self.brings else {}
        shares = {self.candidate.digest: self.weight} if self.candidate else {}
        return shares | ({self.stable.digest: 100 - sum(shares.values())} if self.stable else {})


def order_of(desired: Desired, *, weights: bool) -> JobOrder:
    warm = tuple(release.digest for release in desired.warm)
    stable, candidate = named(desired.stable), named(desired.candidate)
    return JobOrder(desired.generation, stable, candidate, desired.weight, warm, weights)


def named(release: Release | None) -> Named | None:
    return Named(release.digest, release.version, release.commit) if release else None


@dataclass(frozen=True, slots=True)
class LaneState:
    """What is on disk.

    job: the folder of the order's job; empty where it needs none. serving: the share of each release, by its digest,
    when a command last succeeded. unsure: a command was begun since.
    """

    order: JobOrder
    action: Action = "apply"
    job: str = ""
    serving: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    unsure: bool = False
    abort: HostAbort | None = None

    def check_newer(self, order: JobOrder) -> bool:
        """Whether the order is new; False when it is this one. Raises `StaleGeneration`."""
        newest = self.order.generation
        if order.generation < newest or (order.generation == newest and order != self.order):
            raise StaleGeneration(f"it has seen generation {newest}")
        return order.generation > newest

    def settled(self, *, passed: bool) -> LaneState:
        """The state after its job ended. The failure of one that had no traffic to move leaves it as it is."""
        return replace(self, serving=self.order.split, unsure=False) if passed and self.unsure else self

    def followed_by(self, order: JobOrder, abort: HostAbort | None = None) -> LaneState:
        """The state with the next order; it needs a command where `needs_command` says so."""
        known = (self.order.stable, self.order.candidate, order.stable, order.candidate)
        versions = {**self.versions, **{one.digest: one.version for one in known if one}}
        kept = {*self.serving, *(one.digest for one in (order.stable, order.candidate) if one)}
        return replace(
            self,
            order=order,
            action=self._action(order, abort),
            versions={digest: version for digest, version in versions.items() if digest in kept},
            abort=abort,
        )

    @property
    def serves_as_ordered(self) -> bool:
        """Whether traffic is known to be where the order wants it, and nothing else has any."""
        wanted = self.order.split
        others = any(share for digest, share in self.serving.items() if digest not in wanted)
        as_ordered = all(self.serving.get(digest) == share for digest, share in wanted.items())
        return as_ordered and not others and not self.unsure

    @property
    def needs_command(self) -> bool:
        """Without weights, an order that changes nothing needs none; with them, every command is told its order."""
        return self.order.brings is not None and (self.order.weights or not self.serves_as_ordered)

    def _action(self, order: JobOrder, abort: HostAbort | None) -> Action:
        """Whether the candidate loses its share, without having become the stable release."""
        before, candidate = self.order, self.order.candidate
        if abort is not None:
            return "rollback"
        if candidate is None:  # the way back again, when it failed
            again = (
                self.action == "rollback"
                and self.unsure
                and order == replace(before, generation=order.generation)
            )
            return "rollback" if again else "apply"
        if order.candidate is None and order.stable == candidate:
            return "apply"
        return "rollback" if order.candidate != candidate or order.weight < before.weight else "apply"


@dataclass(frozen=True, slots=True)
class LaneLook:
    """A lane at one moment: its state, brought up to date with its job, and that."""

    state: LaneState
    job: Job | None = None
    job_state: JobState = JobState.ENDED
    end: JobEnd | None = None


class LaneFolder:
    """The folder of one lane."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> LaneLook | None:
        """The lane now; None for one without orders."""
        try:
            state = typed(LaneState).validate_json((self._folder / "state.json").read_bytes())
        except FileNotFoundError:
            return None
        if not state.job:
            return LaneLook(state)
        job = self.job(state)
        job_state = job.state
        end = job.end if job_state is JobState.ENDED else None
        return LaneLook(state.settled(passed=end is not None and end.passed), job, job_state, end)

    def write(self, state: LaneState) -> None:
        """Save the state, with the job that may run from now on."""
        write_atomically(self._folder / "state.json", typed(LaneState).dump_json(state))
        write_atomically(self.newest, state.job.encode())

    @property
    def newest(self) -> Path:
        return self._folder / "newest"

    @property
    def jobs(self) -> Path:
        return self._folder / "jobs"

    def job(self, state: LaneState) -> Job:
        """The job of a state that has one."""
        return Job(self.jobs / state.job)

    def unfinished(self) -> Job | None:
        """The job that runs, or else was lost; the state may name a newer one that was not started."""
        begun = sorted(self.jobs.glob("*/begun"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        jobs = [(job, job.state) for job in (Job(path.parent) for path in begun)]
        for wanted in (JobState.RUNNING, JobState.LOST):
            if found := next((job for job, state in jobs if state is wanted), None):
                return found
        return None

    def new_job(self, generation: int) -> str:
        """A name for the folder of an order's job."""
        return f"{generation}-{secrets.token_hex(6)}"

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Only one process changes the state at a time. Raises `Unreachable`, also when the disk is full."""
        try:
            self.jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = await self._lock()
            try:
                yield
            finally:
                os.close(fd)
        except OSError as problem:
            raise Unreachable(f"the order cannot be recorded: {problem.strerror}") from None

    async def _lock(self) -> int:
        ends = time.monotonic() + _LOCK_S
        while (fd := supervisor.lock(self._folder, 0.0)) is None:
            if time.monotonic() > ends:
                raise Unreachable("another process is changing the lane")
            await asyncio.sleep(_LOOK_S)
        return fd


# ---- what is observed --------------------------------------------------------------------------------------


def observed(look: LaneLook, why: str = "", seen: Mapping[str, int] | None = None) -> Observed:
    """What is known of the lane. `why`: how its job failed. `seen`: shares by version, as the observe command says.

    A job with an unknown end is reported as an older generation, so that the order is repeated.
    """
    state, order, job_state = look.state, look.state.order, look.job_state
    generation = order.generation
    if job_state in (JobState.ABSENT, JobState.LOST):
        generation -= 1
    failed = job_state is JobState.ENDED and state.unsure
    under_way = state.unsure and not failed
    shares = _shares(state, seen)
    mentioned = [one for one in (order.stable, order.candidate) if one]
    running = []
    for one in dict.fromkeys(mentioned):
        share = shares.pop(one.digest, None)
        found, detail = (RunState.STOPPED if share is None else RunState.READY), ""
        if one == order.brings and (failed or under_way):
            found, detail = (RunState.CRASHED, why) if failed else (RunState.STARTING, "")
        elif one == order.brings and share != order.split.get(one.digest):
            found = RunState.STARTING
            detail = "the observe command does not report it" if share is None else f"it has {share}%"
        running.append(Running(one.digest, one.version, found, share or 0, detail=detail))
    for digest, share in shares.items():
        version = state.versions.get(digest, digest.removeprefix(VERSION_ALONE))
        running.append(Running(digest, version, RunState.READY, share))
    return Observed(generation, tuple(running), state.abort)


def differs(state: LaneState, seen: Mapping[str, int]) -> bool:
    """Whether something else runs than the order wants: it was changed by hand, say."""
    found = {digest: share for digest, share in _shares(state, seen).items() if share}
    return found != {digest: share for digest, share in state.order.split.items() if share}


def _shares(state: LaneState, seen: Mapping[str, int] | None) -> dict[str, int]:
    if seen is None:
        return dict(state.serving)
    digests = {version: digest for digest, version in state.versions.items()}
    for one in (state.order.stable, state.order.candidate):
        if one:
            digests[one.version] = one.digest
    return {digests.get(version, f"{VERSION_ALONE}{version}"): share for version, share in seen.items()}
