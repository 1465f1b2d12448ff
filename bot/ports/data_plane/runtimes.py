"""Runtimes: run releases, and say what runs.

One runtime serves all lanes of a target. The host decides what runs, and never asks an exclusive lane's runtime for a
release while another one of the lane is there; a runtime starts, watches, restarts, and stops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from bot.domain.rollout.model import Lane, Release, RunState


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """One instance of a release, a process or a container.

    name: identity within its lane; changes when it restarts. index: which of the release's instances, from 0.
    host, port: where it takes requests; None when it takes none.
    detail: how it failed, with secrets redacted; empty when all is well. restarts: since the release was first run.
    """

    name: str
    index: int
    state: RunState
    host: str | None = None
    port: int | None = None
    detail: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class RunningRelease:
    """One release in a lane. `stopping`: it was asked to stop, and is not gone yet."""

    version: str
    instances: tuple[RunningInstance, ...]
    stopping: bool = False

    @property
    def state(self) -> RunState:
        """Ready when every instance is, crashed when one is."""
        if self.stopping:
            return RunState.DRAINING
        states = {instance.state for instance in self.instances}
        for state in (RunState.CRASHED, RunState.STARTING, RunState.STOPPED):
            if state in states:
                return state
        return RunState.READY if self.instances else RunState.STOPPED

    @property
    def ready(self) -> tuple[RunningInstance, ...]:
        """The instances that can take requests, also while the release as a whole is not ready."""
        return tuple(instance for instance in self.instances if instance.state is RunState.READY)


@dataclass(frozen=True, slots=True)
class Order:
    """The order for which a release runs. rollout: None where no rollout ordered it, such as an abort."""

    generation: int = 0
    rollout: int | None = None


UNORDERED = Order()


class Runtime(Protocol):
    """One runtime for all lanes of a target. Level-triggered: the host repeats `run` and `stop` at every look."""

    async def start(self, changed: Callable[[Lane], None]) -> None:
        """Take over what an earlier host left running, and stop what cannot be taken over. Called once, first.

        changed: to be called whenever what `observe` says about the lane has changed. Raises OSError, `Unreachable`.
        """
        ...

    async def close(self) -> None:
        """Stop every release of this target; returns when they are gone."""
        ...

    def check(self, release: Release, *, exclusive: bool) -> None:
        """Raises `TargetRefused` for a release that cannot run here, with every reason in one sentence."""
        ...

    def run(self, lane: Lane, release: Release, *, restart: bool, order: Order = UNORDERED) -> None:
        """Bring about that all instances of the release run; returns at once.

        restart: whether instances that died are started again, with growing pauses; otherwise they stay crashed.
        Takes back a `stop` as long as no instance was asked to exit. order: what newly started instances are marked
        with, where the runtime marks them.
        """
        ...

    def stop(self, lane: Lane, digest: str, *, drained: bool) -> None:
        """Bring about that the release is gone; returns at once.

        drained: no request is in flight, so that its instances may exit now; otherwise they get the release's own
        drain time first. A release that is not there is gone.
        """
        ...

    async def observe(self) -> Mapping[Lane, Mapping[str, RunningRelease]]:
        """All releases that are there, by lane and digest, in one read. One that is gone is not in it.

        Raises `Unreachable`.
        """
        ...


@runtime_checkable
class FollowsSettings(Protocol):
    """A runtime some of the settings of which may change while it runs."""

    async def follow(self, settings: Mapping[str, Any]) -> bool:
        """Work by these settings from now on; False, and nothing is done, when that takes a restart.

        settings: of the target, as they are written. Raises OSError for files that they name.
        """
        ...
