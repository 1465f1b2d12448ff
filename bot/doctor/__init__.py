"""`slipway doctor`: check everything a deploy needs, with a fix for each problem."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from bot.doctor import local
from bot.doctor.applications import examine_applications, examine_manifests
from bot.doctor.discord import examine_discord
from bot.doctor.lines import CheckLine, bad, warn
from bot.doctor.traces import examine_traces
from bot.redaction import Redactor
from bot.settings import SettingsError, load_settings

__all__ = ["CheckLine", "examinations", "examine"]


async def examine(tell: Callable[[str], None], *, discord: bool = True) -> bool:
    """Print one line per check. Returns whether none of them failed."""
    redact, well, warnings = Redactor(), True, 0
    async for line in examinations(discord=discord):
        tell(redact(str(line)))
        well = well and line.mark != "bad"
        warnings += line.mark == "warn"
    tell(
        "All checks passed."
        if well and not warnings
        else "No check failed. Review the warnings (!)."
        if well
        else "Fix the failed checks (✗) first."
    )
    return well


async def examinations(*, discord: bool = True) -> AsyncIterator[CheckLine]:
    """All checks, in the order in which to fix them."""
    yield local.examine_program()
    try:
        settings = load_settings()
    except SettingsError as error:
        for mistake in error.sentences:
            yield bad("settings", mistake, "docs/configuration.md describes every setting")
        return
    yield local.examine_env_file(Path(".env"))
    catalog, lines = local.examine_catalog(settings.config_dir)
    for line in lines:
        yield line
    yield local.examine_data_dir(settings.data_dir)
    if settings.web.admin_token is None:
        yield warn("admin", "SLIPWAY_WEB_ADMIN_TOKEN is not set: admin calls are off", "set it to use them")
    async for line in local.examine_database(settings):
        yield line
    yield await local.examine_redis(settings)
    yield await examine_traces(settings)
    if catalog is not None:
        for part in (
            local.examine_targets(catalog, settings.data_dir),
            local.examine_releases(catalog),
            examine_manifests(catalog),
        ):
            async for line in part:
                yield line
    if discord:
        async for line in examine_discord(settings.discord, catalog):
            yield line
        if catalog is not None:
            async for line in examine_applications(catalog, settings.discord.api_base):
                yield line
