"""Spec of a release in containers: as written in the catalog, and as checked before a start."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from bot.domain.rollout.model import Release
from bot.kinds import SpecSettings
from bot.ports.errors import TargetRefused
from bot.redaction import is_sensitive
from bot.values import Duration, Part, RelativePath, Text, UrlPath, shaped

StopSignal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]

_ADDRESSES = ("_URL", "_URI")  # often with a password, or secret themselves, such as webhooks
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?) ?([KMG]?)i?B?$", re.IGNORECASE)
_PINNED = re.compile(r"(^|@)sha256:[0-9a-f]{64}$")
_MOUNT = re.compile(r"^([^:]+):(/[^:]*)(:ro|:rw)?$")
_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# A release with the engine's socket could start any container on its machine.
_ENGINE_SOCKETS = ("docker.sock", "containerd.sock")

Size = Annotated[str, *shaped(_SIZE.pattern, 'a size such as "512MB" or "2GB"')]
Mount = Annotated[
    str, *shaped(_MOUNT.pattern, '"VOLUME:/PATH" or "/HOST/PATH:/PATH", with ":ro" for read-only')
]


class ReadySettings(Part):
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

    @model_serializer(mode="wrap")
    def _with_no_path(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep an empty path, which means "no path" here; elsewhere empty values are left out."""
        no_path = {"path": None} if "path" in self.model_fields_set and self.path is None else {}
        return {**handler(self), **no_path}


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


class LimitsSettings(Part):
    """What one container may use."""

    memory: Size | None = Field(
        default=None, description='Such as "512MB"; a container that needs more is killed.'
    )
    cpus: float | None = Field(default=None, gt=0, description="Number of processors, such as 0.5.")
    pids: int | None = Field(default=None, ge=1, description="Number of processes and threads.")


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
    ready: ReadySettings | None = None
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


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ready(_Frozen):
    """See `ReadySettings`; times in seconds."""

    path: str | None = Field(default=None, pattern=r"^/")
    timeout_s: float = Field(default=30.0, gt=0)
    alive_s: float = Field(default=1.0, ge=0)


class Health(_Frozen):
    """See `HealthSettings`; times in seconds."""

    command: tuple[str, ...] = Field(min_length=1)
    interval_s: float = Field(default=10.0, gt=0)
    timeout_s: float = Field(default=5.0, gt=0)
    start_period_s: float = Field(default=0.0, ge=0)
    retries: int = Field(default=3, ge=1)


class Limits(_Frozen):
    """memory: as text, such as `512MB`, in powers of 1024."""

    memory: str | None = Field(default=None, pattern=_SIZE)
    cpus: float | None = Field(default=None, gt=0)
    pids: int | None = Field(default=None, ge=1)

    @property
    def memory_bytes(self) -> int:
        """0 for no limit."""
        found = _SIZE.match(self.memory or "")
        return int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0


class DockerSpec(_Frozen):
    """`Release.spec` of a Docker target; times in seconds.

    image: pinned by digest once the rollout has started; see `images.resolve`.
    env_file, secret_files: stay out of the database: the host reads them at each start. `env` overrides `env_file`.
    secrets: values that the catalog took from its environment, by place (`env.STRIPE_KEY`, `command`).
    """

    image: str = Field(min_length=1)
    command: tuple[str, ...] | None = None
    env: Mapping[str, str] = Field(default_factory=dict)
    env_file: Path | None = None
    secret_files: Mapping[Annotated[str, Field(pattern=_FILE_NAME)], Path] = Field(default_factory=dict)
    secrets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)
    port: int | None = Field(default=None, ge=1, le=65535)
    ready: Ready = Ready()
    health: Health | None = None
    volumes: tuple[Annotated[str, Field(pattern=_MOUNT)], ...] = ()
    networks: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    user: str | None = None
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    limits: Limits = Limits()
    drain_s: float = Field(default=5.0, ge=0)
    stop_s: float = Field(default=10.0, ge=0)
    instances: int = Field(default=1, ge=1, le=64)
    stop_signal: StopSignal | None = None

    @field_validator("env_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

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
        """Variables of the release. Raises OSError when `env_file` cannot be read."""
        port = {"PORT": str(self.port)} if self.port else {}
        return {**port, **self._from_file(), **{key: fill(value, places) for key, value in self.env.items()}}

    def _from_file(self) -> dict[str, str]:
        if self.env_file is None:
            return {}
        with self.env_file.open(encoding="utf-8") as file:
            return {key: value or "" for key, value in dotenv_values(stream=file, interpolate=False).items()}

    def private(self, places: Mapping[str, str] | None = None) -> set[str]:
        """Values to redact from the release's output: from files, references, and variables with secret names."""
        found = {value for values in self.secrets.values() for value in values}
        named = (name for name in self.env if is_sensitive(name) or name.endswith(_ADDRESSES))
        found |= {fill(self.env[name], places or {}) for name in named}
        with contextlib.suppress(OSError):
            found |= set(self._from_file().values())
        for path in self.secret_files.values():
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found.add(path.read_text(encoding="utf-8").strip())
        return found


def parse_spec(release: Release, *, exclusive: bool = False) -> DockerSpec:
    """Parse a spec. Raises `TargetRefused` with every mistake in one sentence, without values, which may be secret."""
    try:
        spec = DockerSpec.model_validate(dict(release.spec))
    except ValidationError as bad:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}"
            for e in bad.errors(include_input=False, include_url=False, include_context=False)
        )
        raise TargetRefused(
            f"{release.service} {release.version} cannot run in a container: {mistakes}"
        ) from None
    if exclusive and spec.instances != 1:
        raise TargetRefused(
            f"{release.service} is exclusive, so {release.version} cannot have {spec.instances} instances"
        )
    return spec


def fill(word: str, places: Mapping[str, str]) -> str:
    """`word` with its placeholders filled in."""
    for name, value in places.items():
        word = word.replace("{" + name + "}", value)
    return word
