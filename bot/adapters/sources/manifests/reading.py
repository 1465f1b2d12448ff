"""Reading of manifests: bounded, UTF-8, JSON; and the contract of a kind of source."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bot.domain.rollout.model import Release
from bot.kinds import Kind, ManifestSettings
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable
from bot.ports.releases import ReleaseSource

A = TypeVar("A", bound=ManifestSettings)
LARGEST = 1024 * 1024  # bytes
_DEEPEST = 32  # the deepest value in a command is at 10


@dataclass(frozen=True, slots=True)
class ManifestContext:
    """Argument of every manifest source's factory.

    releases: those of every service. folder: of a service's release, by service and version, if it has one.
    """

    releases: ReleaseSource
    folder: Callable[[str, str], Path | None]


class ManifestReader(Protocol):
    """Reader of one application's manifest, one class for each kind of `manifest:`."""

    async def read(self, release: Release | None) -> SourcedManifest:
        """The present manifest, or that of `release` where releases contain it. Bounded in time and size.

        Raises `ManifestUnavailable`.
        """
        ...


async def read_file(path: Path) -> SourcedManifest:
    return SourcedManifest(parsed(await asyncio.to_thread(_bounded, path), str(path)), path.name)


def parsed(text: str, where: str) -> Any:
    """The JSON value. Raises `ManifestUnavailable`."""
    if len(text) > LARGEST:
        raise _too_large(where)
    try:
        found = json.loads(text, parse_constant=_no_constant)
        if _deeper_than(_DEEPEST, found):
            raise RecursionError
        return found
    except RecursionError:  # the parser's own, from about a thousand levels on, or the one below
        why = f"it nests deeper than {_DEEPEST}"
    except ValueError as error:
        why = str(error)
    began = " ".join(text[:60].split())
    raise ManifestUnavailable(f"{where} is not JSON: {why}. It begins with “{began}”.")


def _deeper_than(limit: int, value: Any) -> bool:
    """Whether the value nests deeper. Goes level by level, so that the stack does not grow."""
    level = [value]
    for _ in range(limit + 1):
        nested = [found for found in level if isinstance(found, dict | list)]
        if not nested:
            return False
        level = [each for found in nested for each in (found.values() if isinstance(found, dict) else found)]
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _bounded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ManifestUnavailable(f"{path} cannot be read: {error.strerror}.") from None
    return decoded(content, str(path))


def decoded(content: bytes, where: str) -> str:
    if len(content) > LARGEST:
        raise _too_large(where)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ManifestUnavailable(f"{where} is not UTF-8 text.") from None


def _too_large(where: str) -> ManifestUnavailable:
    return ManifestUnavailable(f"{where} is larger than {LARGEST // 1024} KiB.")


def manifest_kind(settings: type[A], make: Callable[[A, ManifestContext], ManifestReader]) -> Kind:
    """What `manifest:` of an application may be."""
    return Kind(settings, make)
