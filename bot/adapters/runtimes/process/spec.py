"""Spec of a local process: as written in the catalog, and as checked before a start."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from bot.adapters.runtimes.limits import Limits, LimitsSettings
from bot.adapters.runtimes.spec import AbsolutePath, Frozen, ReadyPart, RuntimeSpec, StopSignal, fill, parsed
from bot.domain.rollout.model import Release
from bot.kinds import SpecSettings
from bot.values import Duration, RelativePath, Text, UrlPath


class ReadySettings(ReadyPart):
    """A release is ready when `path` answers; without a path (`null`), after running for `alive`."""

    path: UrlPath | None = Field(
        default=None, description="Ready when it answers below 400: /healthz by default, null for none."
    )
    timeout: Duration | None = Field(
        default=None,
        serialization_alias="timeout_s",
        description="How long a release may take to become ready; 10s by default.",
    )
    alive: Duration | None = Field(
        default=None,
        serialization_alias="alive_s",
        description="Without a path: ready after running for this long.",
    )


class ProcessSpecSettings(SpecSettings):
    """How a release runs as a local process. `{port}`, `{version}`, `{environment}`, `{instance}` are filled in

    and (for directories) `{path}` when it starts, `{service}` and `{python}` when the rollout does.
    """

    needed: ClassVar[tuple[str, ...]] = ("command",)
    keeps_files: ClassVar[bool] = True
    private: ClassVar[tuple[str, ...]] = ("command", "env")

    command: tuple[Text, ...] | None = Field(default=None, description="The program and its arguments.")
    env: dict[str, Text] | None = Field(
        default=None, description="Variables of the release, which inherits none of Slipway's secrets."
    )
    env_file: RelativePath | None = Field(
        default=None,
        description="File with the service's secrets, relative to this file; read at each start.",
    )
    cwd: RelativePath | None = Field(default=None, description="Working directory, relative to this file.")
    ready: ReadySettings | None = None
    limits: LimitsSettings | None = None
    drain: Duration | None = Field(
        default=None, serialization_alias="drain_s", description="How long requests in flight may finish."
    )
    stop: Duration | None = Field(
        default=None, serialization_alias="stop_s", description="How long it may take to exit."
    )
    instances: int | None = Field(default=None, ge=1, le=64, description="Number of instances; 1 by default.")
    stop_signal: StopSignal | None = Field(
        default=None, description="The signal that asks it to exit; SIGTERM by default."
    )


class Ready(Frozen):
    """A release is ready when `path` answers below 400 within `timeout_s`.

    Without a path (nothing listens) it is ready after running for `alive_s`.
    """

    path: str | None = Field(default="/healthz", pattern=r"^/")
    timeout_s: float = Field(default=10.0, gt=0)
    alive_s: float = Field(default=1.0, ge=0)


class Artifact(Frozen):
    """Files of a release: where they were found, and their digest. It runs from a copy with this digest."""

    folder: AbsolutePath
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class ProcessSpec(RuntimeSpec):
    """`Release.spec` of a process target; times in seconds.

    command: argv; `{port}`, `{service}`, `{version}`, `{environment}`, `{instance}`, `{python}` (Slipway's) and, where
        there is an artifact, `{path}` are filled in, here and in `env`.
    """

    command: tuple[str, ...] = Field(min_length=1)
    artifact: Artifact | None = None
    cwd: AbsolutePath | None = None
    ready: Ready = Ready()
    limits: Limits = Limits()
    stop_signal: StopSignal = "SIGTERM"

    @property
    def stop_signal_number(self) -> signal.Signals:
        return signal.Signals[self.stop_signal]

    def argv(self, places: Mapping[str, str]) -> list[str]:
        return [fill(word, places) for word in self.command]


def parse_spec(release: Release, *, exclusive: bool = False) -> ProcessSpec:
    """Raises `TargetRefused` as `parsed` does."""
    return parsed(ProcessSpec, release, "as a process", exclusive=exclusive)
