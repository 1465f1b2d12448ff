"""What the specs of all runtimes share: variables and their secrets, times, mistakes in one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from bot.domain.rollout.model import Release
from bot.ports.errors import TargetRefused
from bot.redaction import is_sensitive
from bot.values import Part, UrlPath

S = TypeVar("S", bound="RuntimeSpec")

StopSignal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"]

_ADDRESSES = ("_URL", "_URI")  # often with a password, or secret themselves, such as webhooks


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class ReadyPart(Part):
    """When a release is ready, as written in the catalog. A path of `null` is one that was left out on purpose."""

    path: UrlPath | None = None

    @model_serializer(mode="wrap")
    def _with_no_path(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep an empty path, which means "no path" here; elsewhere empty values are left out."""
        no_path = {"path": None} if "path" in self.model_fields_set and self.path is None else {}
        return {**handler(self), **no_path}


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuntimeSpec(Frozen):
    """`Release.spec` of a runtime, as far as all have it; times in seconds.

    env_file: variables that stay out of the database: the host reads it at each start, and only its path is known
        elsewhere. `env` overrides it.
    secrets: values that the catalog took from its environment, by place (`env.STRIPE_KEY`, `command`).
    drain_s: how long requests in flight may finish before the release is stopped.
    stop_s: how long it may take to exit after its stop signal, before it is killed.
    """

    env: Mapping[str, str] = Field(default_factory=dict)
    env_file: AbsolutePath | None = None
    secrets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)
    drain_s: float = Field(default=5.0, ge=0)
    stop_s: float = Field(default=10.0, ge=0)
    instances: int = Field(default=1, ge=1, le=64)

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """Variables of the release. Raises OSError when `env_file` cannot be read."""
        return {**self._from_file(), **{key: fill(value, places) for key, value in self.env.items()}}

    def private(self, places: Mapping[str, str] | None = None) -> set[str]:
        """Values to redact from the release's output: from `env_file`, references, and variables with secret names."""
        found = {value for values in self.secrets.values() for value in values}
        found |= {fill(self.env[name], places or {}) for name in filter(_is_private, self.env)}
        with contextlib.suppress(OSError):
            found |= set(self._from_file().values())
        return found

    def private_of(self, environment: Mapping[str, str]) -> set[str]:
        """Values to redact that a running instance was started with, by its variables."""
        with contextlib.suppress(OSError):
            names = {*self._from_file(), *filter(_is_private, environment)}
            return {environment[name] for name in names if name in environment}
        return {value for name, value in environment.items() if _is_private(name)}

    def _from_file(self) -> dict[str, str]:
        if self.env_file is None:
            return {}
        with self.env_file.open(encoding="utf-8") as file:
            return {key: value or "" for key, value in dotenv_values(stream=file, interpolate=False).items()}


def _is_private(name: str) -> bool:
    return is_sensitive(name) or name.endswith(_ADDRESSES)


def parsed(model: type[S], release: Release, where: str, *, exclusive: bool) -> S:
    """The spec of a release. `where` it is to run, such as "as a process".

    Raises `TargetRefused` with every mistake in one sentence, without values, which may be secret.
    """
    try:
        spec = model.model_validate(dict(release.spec))
    except ValidationError as bad:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}"
            for e in bad.errors(include_input=False, include_url=False, include_context=False)
        )
        raise TargetRefused(f"{release.service} {release.version} cannot run {where}: {mistakes}") from None
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
