"""Spec of a local process: as written in the catalog, and as checked before a start."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

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
from bot.values import Duration, Part, RelativePath, Text, UrlPath

_StopSignal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]

_ADDRESSES = ("_URL", "_URI")  # often with a password, or secret themselves, such as webhooks


class ReadySettings(Part):
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

    @model_serializer(mode="wrap")
    def _with_no_path(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep an empty path, which means "no path" here; elsewhere empty values are left out."""
        no_path = {"path": None} if "path" in self.model_fields_set and self.path is None else {}
        return {**handler(self), **no_path}


class ProcessSpecSettings(SpecSettings):
    """How a release runs as a local process. `{port}`, `{version}`, `{environment}`, `{instance}` are filled in

    when it starts, `{service}`, `{python}` and (for directories) `{path}` when the rollout does.
    """

    needed: ClassVar[tuple[str, ...]] = ("command",)
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
    drain: Duration | None = Field(
        default=None, serialization_alias="drain_s", description="How long requests in flight may finish."
    )
    stop: Duration | None = Field(
        default=None, serialization_alias="stop_s", description="How long it may take to exit."
    )
    instances: int | None = Field(default=None, ge=1, le=64, description="Number of instances; 1 by default.")
    stop_signal: _StopSignal | None = Field(
        default=None, description="The signal that asks it to exit; SIGTERM by default."
    )


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ready(_Frozen):
    """A release is ready when `path` answers below 400 within `timeout_s`.

    Without a path (nothing listens) it is ready after running for `alive_s`.
    """

    path: str | None = Field(default="/healthz", pattern=r"^/")
    timeout_s: float = Field(default=10.0, gt=0)
    alive_s: float = Field(default=1.0, ge=0)


class ProcessSpec(_Frozen):
    """`Release.spec` of a process target; times in seconds.

    command: argv; `{port}`, `{service}`, `{version}`, `{environment}`, `{instance}` and `{python}` (Slipway's) are
        filled in, here and in `env`.
        env_file: variables that stay out of the database: the host reads it at each start, and only its path is known
        elsewhere. `env` overrides it.
        secrets: values that the catalog took from its environment, by place (`env.STRIPE_KEY`, `command`).
    drain_s: how long requests in flight may finish before the release is stopped.
    stop_s: how long it may take to exit after `stop_signal`, before its process group is killed.
    """

    command: tuple[str, ...] = Field(min_length=1)
    env: Mapping[str, str] = Field(default_factory=dict)
    env_file: Path | None = None
    secrets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)
    cwd: Path | None = None
    ready: Ready = Ready()
    drain_s: float = Field(default=5.0, ge=0)
    stop_s: float = Field(default=10.0, ge=0)
    instances: int = Field(default=1, ge=1, le=64)
    stop_signal: _StopSignal = "SIGTERM"

    @field_validator("cwd", "env_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @property
    def stop_signal_number(self) -> signal.Signals:
        return signal.Signals[self.stop_signal]

    def argv(self, places: Mapping[str, str]) -> list[str]:
        return [_fill(word, places) for word in self.command]

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """Variables of the process. Raises OSError when `env_file` cannot be read."""
        return {**self._from_file(), **{key: _fill(value, places) for key, value in self.env.items()}}

    def _from_file(self) -> dict[str, str]:
        if self.env_file is None:
            return {}
        with self.env_file.open(encoding="utf-8") as file:
            return {key: value or "" for key, value in dotenv_values(stream=file, interpolate=False).items()}

    def private(self, places: Mapping[str, str] | None = None) -> set[str]:
        """Values to redact from the release's output: from `env_file`, references, and variables with secret names."""
        found = {value for values in self.secrets.values() for value in values}
        named = (name for name in self.env if is_sensitive(name) or name.endswith(_ADDRESSES))
        found |= {_fill(self.env[name], places or {}) for name in named}
        with contextlib.suppress(OSError):
            found |= set(self._from_file().values())
        return found


def parse_spec(release: Release, *, exclusive: bool = False) -> ProcessSpec:
    """Parse a spec. Raises `TargetRefused` with every mistake in one sentence, without values, which may be secret."""
    try:
        spec = ProcessSpec.model_validate(dict(release.spec))
    except ValidationError as bad:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}"
            for e in bad.errors(include_input=False, include_url=False, include_context=False)
        )
        raise TargetRefused(
            f"{release.service} {release.version} cannot run as a process: {mistakes}"
        ) from None
    if exclusive and spec.instances != 1:
        raise TargetRefused(
            f"{release.service} is exclusive, so {release.version} cannot have {spec.instances} instances"
        )
    return spec


def _fill(word: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        word = word.replace("{" + name + "}", value)
    return word
