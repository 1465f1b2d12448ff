"""A manifest file on its own, for pull requests: no database, nothing stored or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.catalog import load
from bot.cli.exits import settings
from bot.domain import phrasebook
from bot.domain.appcommands.applications import Application, Scope
from bot.domain.appcommands.diff import compare
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.records import Manifest
from bot.domain.appcommands.validation import validate
from bot.domain.config import unknown
from bot.domain.errors import UserError
from bot.engine.appcommands.api import Comparison, ManifestView, ScopeDiff, Validation
from bot.ports.errors import ManifestUnavailable, TargetRefused


def checked(application: str, file: Path) -> Validation:
    """All mistakes of the manifest in `file`. Raises `UserError` when it cannot be read."""
    content = _content(file)
    mistakes = tuple(validate(content))
    return Validation(application, None if mistakes else _viewed(content, file), mistakes, str(file))


async def compared(application: str, environments: Sequence[str], file: Path) -> list[Comparison]:
    """The manifest in `file` compared with Discord now. Raises `UserError`, `Unreachable`."""
    import aiohttp

    from bot.adapters.targets.appcommands import CommandsApi

    known = _of_catalog(application)
    found = checked(application, file)
    async with aiohttp.ClientSession() as session:
        api = CommandsApi(session, settings().discord.api_base)

        async def one(scope: Scope, view: ManifestView) -> ScopeDiff:
            try:
                served = (await api.listed(known, scope)).commands
            except TargetRefused as error:
                raise UserError(str(error), rule="discord_refuses") from None
            guild = not scope.is_global
            diff = await asyncio.to_thread(compare, served, view.commands, guild=guild)
            return ScopeDiff(scope, digest(served, guild=guild), len(served), diff)

        comparisons = []
        for environment in environments:
            view = found.manifest or ManifestView("", "", (), str(file))
            scopes = known.scopes(environment) if found.ok else ()
            diffs = await asyncio.gather(*(one(scope, view) for scope in scopes))
            comparisons.append(Comparison(application, environment, view, tuple(diffs), found.mistakes))
    return comparisons


def _of_catalog(application: str) -> Application:
    from bot.composition.registry import KINDS

    catalog = load(settings().config_dir, KINDS)
    if application not in catalog.applications:
        raise unknown("application", application, catalog.applications)
    return catalog.applications[application]


def _viewed(content: Any, file: Path) -> ManifestView:
    manifest = Manifest.of(content)
    return ManifestView(manifest.digest, manifest.version, manifest.commands, str(file))


def _content(file: Path) -> Any:
    from bot.adapters.sources.manifests.reading import decoded, parsed

    try:
        return parsed(decoded(file.read_bytes(), str(file)), str(file))
    except OSError as error:
        raise phrasebook.file_unreadable(str(file), error.strerror or "") from None
    except ManifestUnavailable as error:
        raise UserError(str(error), rule="manifest_source") from None
