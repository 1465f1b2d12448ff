"""Spec of a release in containers: as written in the catalog, and as checked before a start."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from bot.adapters.runtimes.limits import Limits, LimitsSettings
from bot.adapters.runtimes.spec import Frozen, ReadyPart, RuntimeSpec, StopSignal, parsed
from bot.domain.rollout.model import Release
from bot.kinds import SpecSettings
from bot.values import Duration, Part, RelativePath, Text, UrlPath, shaped

_PINNED = re.compile(r"(^|@)sha256:[0-9a-f]{64}$")
_MOUNT = re.compile(r"^([^:]+):(/[^:]*)(:ro|:rw)?$")
_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
NS = 1_000_000_000  # the Engine's API has times in nanoseconds
# A release with the engine's socket could start any container on its machine.
_ENGINE_SOCKETS = ("docker.sock", "containerd.sock")

Mount = Annotated[
    str, *shaped(_MOUNT.pattern, '"VOLUME:/PATH" or "/HOST/PATH:/PATH", with ":ro" for read-only')
]


class ContainerReadySettings(ReadyPart):
    """A release is ready when `path` answers; without a path (`null`), after running for `alive`.

    A health check of the image or of `health` must pass besides.
    """

    path: UrlPath | None = Field(
        default=None,
        description="Ready when it answers below 400. By default /healthz where there is a `port` and no `health`.",
    )
    timeout: Duration | None = Field(
        default=None,
        serialization_alias="timeout_s",
        description="How long a container may take from its start until it is ready; 30s by default.",
    )
    alive: Duration | None = Field(
        default=None,
        serialization_alias="alive_s",
        description="Without a path and a health check: ready after running for this long.",
    )


class HealthSettings(Part):
    """A command that the engine runs in the container from time to time; exit code 0 is healthy."""

    command: tuple[Text, ...] = Field(min_length=1, description="The program in the image and its arguments.")
    interval: Duration | None = Field(
        default=None, serialization_alias="interval_s", description="10s by default."
    )
    timeout: Duration | None = Field(
        default=None, serialization_alias="timeout_s", description="5s by default."
    )
    start_period: Duration | None = Field(
        default=None,
        serialization_alias="start_period_s",
        description="Failures in this time after the start do not count.",
    )
    retries: int | None = Field(
        default=None, ge=1, description="Failures in a row until unhealthy; 3 by default."
    )


class DockerSpecSettings(SpecSettings):
    """How a release runs in containers. `{port}`, `{version}`, `{environment}`, `{service}` and `{instance}` are

    filled in, in `image`, `command`, `env` and `labels`.
    """

    needed: ClassVar[tuple[str, ...]] = ("image",)
    private: ClassVar[tuple[str, ...]] = ("command", "env")

    image: Text | None = Field(
        default=None,
        description="Such as `registry.example.com/shop:{version}`. A rollout runs the digest that the tag has.",
    )
    command: tuple[Text, ...] | None = Field(
        default=None, description="Arguments; the image's own by default."
    )
    env: dict[str, Text] | None = Field(
        default=None, description="Variables of the release, which inherits none of Slipway's."
    )
    env_file: RelativePath | None = Field(
        default=None, description="File with more variables, relative to this file; read at each start."
    )
    secret_files: dict[str, RelativePath] | None = Field(
        default=None, description="Files that the release finds as /run/secrets/NAME; read at each start."
    )
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port in the container that takes requests; none by default.",
    )
    ready: ContainerReadySettings | None = None
    health: HealthSettings | None = None
    volumes: tuple[Mount, ...] | None = Field(
        default=None, description="Volumes and folders of the engine's machine."
    )
    networks: tuple[Text, ...] | None = Field(default=None, description="Networks that it joins besides.")
    labels: dict[str, Text] | None = Field(default=None, description="Labels of the containers.")
    user: Text | None = Field(default=None, description="User in the container, such as `1000:1000`.")
    read_only: bool | None = Field(default=None, description="Whether the image's files are read-only.")
    tmpfs: tuple[UrlPath, ...] | None = Field(default=None, description="Folders in memory, such as /tmp.")
    limits: LimitsSettings | None = None
    drain: Duration | None = Field(
        default=None, serialization_alias="drain_s", description="How long requests in flight may finish."
    )
    stop: Duration | None = Field(
        default=None,
        serialization_alias="stop_s",
        description="How long it may take to exit; 10s by default.",
    )
    instances: int | None = Field(
        default=None, ge=1, le=64, description="Number of containers; 1 by default."
    )
    stop_signal: StopSignal | None = Field(
        default=None, description="The signal that asks it to exit; the image's own or SIGTERM by default."
    )


class ContainerReady(Frozen):
    """See `ContainerReadySettings`; times in seconds."""

    path: str | None = Field(default=None, pattern=r"^/")
    timeout_s: float = Field(default=30.0, gt=0)
    alive_s: float = Field(default=1.0, ge=0)


class ContainerHealth(Frozen):
    """See `HealthSettings`; times in seconds."""

    command: tuple[str, ...] = Field(min_length=1)
    interval_s: float = Field(default=10.0, gt=0)
    timeout_s: float = Field(default=5.0, gt=0)
    start_period_s: float = Field(default=0.0, ge=0)
    retries: int = Field(default=3, ge=1)

    def check(self) -> dict[str, Any]:
        """In the form of the Engine's API."""
        return {
            "Test": ["CMD", *self.command],
            "Interval": round(self.interval_s * NS),
            "Timeout": round(self.timeout_s * NS),
            "StartPeriod": round(self.start_period_s * NS),
            "Retries": self.retries,
        }


class DockerSpec(RuntimeSpec):
    """`Release.spec` of a Docker target; times in seconds.

    image: pinned by digest once the rollout has started; see `images.resolve`.
    secret_files: stay out of the database, as `env_file` does: the host reads them at each start.
    """

    image: str = Field(min_length=1)
    command: tuple[str, ...] | None = None
    secret_files: Mapping[Annotated[str, Field(pattern=_FILE_NAME)], Path] = Field(default_factory=dict)
    port: int | None = Field(default=None, ge=1, le=65535)
    ready: ContainerReady = ContainerReady()
    health: ContainerHealth | None = None
    volumes: tuple[Annotated[str, Field(pattern=_MOUNT)], ...] = ()
    networks: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    user: str | None = None
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    limits: Limits = Limits()
    stop_signal: StopSignal | None = None

    @field_validator("volumes")
    @classmethod
    def _no_engine(cls, volumes: tuple[str, ...]) -> tuple[str, ...]:
        if any(volume.split(":")[0].endswith(_ENGINE_SOCKETS) for volume in volumes):
            raise ValueError(
                "a release cannot have the engine's socket: it could start anything on its machine"
            )
        return volumes

    @field_validator("labels")
    @classmethod
    def _not_ours(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        if any(name.startswith("slipway.") for name in labels):
            raise ValueError("labels that begin with slipway. are Slipway's own")
        return labels

    @property
    def ready_path(self) -> str | None:
        """Path that must answer before the release is ready."""
        if "path" in self.ready.model_fields_set:
            return self.ready.path
        return "/healthz" if self.port and self.health is None else None

    @property
    def pinned(self) -> bool:
        return _PINNED.search(self.image) is not None

    def mounts(self) -> list[dict[str, Any]]:
        """In the form of the Engine's API."""
        found = [match for volume in self.volumes if (match := _MOUNT.match(volume))]
        return [
            {
                "Type": "bind" if match[1].startswith("/") else "volume",
                "Source": match[1],
                "Target": match[2],
                "ReadOnly": match[3] == ":ro",
            }
            for match in found
        ]

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        port = {"PORT": str(self.port)} if self.port else {}
        return {**port, **super().environment(places)}

    def private(self, places: Mapping[str, str] | None = None) -> set[str]:
        """The contents of `secret_files` too."""
        found = super().private(places)
        for path in self.secret_files.values():
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found.add(path.read_text(encoding="utf-8").strip())
        return found


def parse_spec(release: Release, *, exclusive: bool = False) -> DockerSpec:
    """Raises `TargetRefused` as `parsed` does."""
    return parsed(DockerSpec, release, "in a container", exclusive=exclusive)
