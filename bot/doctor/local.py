"""Checks of `slipway doctor` on this machine: data folder, database, Redis, targets, metric and release sources."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
from redis.exceptions import RedisError

from bot import __version__, catalog
from bot.adapters.embedded_postgres import database
from bot.adapters.postgres.connection.migrate import revisions
from bot.adapters.redis.waker import ping
from bot.composition import registry
from bot.composition.adapters import make_metrics, make_releases, make_targets
from bot.doctor.lines import CheckLine, bad, ok, warn
from bot.domain.config import Catalog
from bot.domain.errors import UserError
from bot.domain.formatting import counted
from bot.domain.rollout.model import Lane, Observed
from bot.kinds import TargetSettings
from bot.ports.data_plane.metrics import MetricSource
from bot.ports.data_plane.targets import CatalogTarget
from bot.ports.errors import TargetRefused, Unreachable
from bot.settings import Settings

_OLDEST_PYTHON = (3, 11)
_OLDEST_POSTGRES = 14


def examine_program() -> CheckLine:
    found = f"Slipway {__version__} on Python {platform.python_version()}"
    if sys.version_info < _OLDEST_PYTHON:
        return bad("program", found, "install Python 3.11 or newer")
    return ok("program", found)


def examine_env_file(file: Path) -> CheckLine:
    if file.is_file() and file.stat().st_mode & 0o077:
        return warn("settings", f"{file} is open to other users of this machine", f"chmod 600 {file}")
    return ok(
        "settings",
        f"{file} and the environment" if file.is_file() else f"the environment only; {file} does not exist",
    )


def examine_catalog(folder: Path) -> tuple[Catalog | None, list[CheckLine]]:
    """The catalog if it is valid, and a line per mistake."""
    found, mistakes = catalog.check(folder, registry.KINDS, asking=True)
    if mistakes:
        return None, [bad("catalog", str(m), "") for m in mistakes]
    services = {lane.service for lane in found.lanes}
    lines = [ok("catalog", f"{folder}: {', '.join(sorted(services)) or 'no services'}")]
    if not services:
        lines = [warn("catalog", f"{folder} has no services", "add services: (config/examples shows how)")]
    return found, lines


def examine_data_dir(folder: Path) -> CheckLine:
    fix = "make it writable for this user, or set SLIPWAY_DATA_DIR"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
        free = os.statvfs(folder)
    except OSError as error:
        return bad("data folder", f"{folder} is not writable ({error.strerror})", fix)
    free_mb = free.f_bavail * free.f_frsize // 2**20
    if free_mb < 500:
        return warn("data folder", f"{folder} has only {free_mb} MB free", "free some space")
    return ok("data folder", f"{folder}, {free_mb // 1024} GB free")


async def examine_database(settings: Settings) -> AsyncIterator[CheckLine]:
    ours = settings.database.dsn is None
    what = "database"
    fix = "check the log in the data folder" if ours else "check SLIPWAY_DATABASE_URL and the server"
    try:
        async with database(settings.database.dsn, settings.data_dir) as dsn:
            connection = await asyncpg.connect(dsn, timeout=5)
            try:
                major = connection.get_server_version().major
            finally:
                await connection.close()
            where = "embedded" if ours else "yours"
            if major < _OLDEST_POSTGRES:
                yield bad(what, f"PostgreSQL {major}", f"use PostgreSQL {_OLDEST_POSTGRES} or newer")
            else:
                yield ok(what, f"PostgreSQL {major}, {where}")
            found, head = await revisions(dsn)
    except (Unreachable, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield bad(what, f"no answer ({type(error).__name__})", fix)
        return
    except UserError as error:
        yield bad(what, error.sentence, error.remedy)
        return
    if found == head:
        yield ok("schema", f"at {head}")
    else:
        found_text = f"at {found}" if found else "no schema yet"
        yield warn("schema", f"{found_text}, {head} is needed", "run `slipway run` or `slipway migrate`")


async def examine_redis(settings: Settings) -> CheckLine:
    if settings.redis.dsn is None:
        return ok(
            "Redis", "not configured; limits and wake-ups are kept in memory, which is enough for one process"
        )
    try:
        await ping(settings.redis.dsn)
    except (RedisError, OSError, TimeoutError) as error:
        fix = "check SLIPWAY_REDIS_URL and the server; Slipway works without it until then"
        return bad("Redis", f"no answer ({type(error).__name__})", fix)
    return ok("Redis", "answers")


async def examine_targets(found: Catalog, data_dir: Path) -> AsyncIterator[CheckLine]:
    """Targets, and metric sources for what runs there. Starts nothing."""
    targets = make_targets(found, data_dir, start=False)
    observed: dict[Lane, Observed] = {}
    for name, target in targets.items():
        lanes = [lane for lane, config in found.lanes.items() if config.target == name]
        settings = found.targets[name].settings
        assert isinstance(settings, TargetSettings)
        line, seen = await _target(name, target, settings, lanes)
        observed |= seen
        yield line
    async with aiohttp.ClientSession() as session:
        sources = make_metrics(lambda: found, targets, session)
        for name, source in sources.items():
            yield await _source(found, name, source, observed)


async def examine_releases(found: Catalog) -> AsyncIterator[CheckLine]:
    """Release sources: a line for those that list releases, and one for each that does not."""
    source = make_releases(lambda: found)

    async def look(service: str) -> CheckLine | None:
        what, fix = f"releases of {service}", f"check services.{service}.releases in the catalog"
        try:
            known = await source.releases(service, "")
        except Unreachable as error:
            return bad(what, str(error), fix)
        return None if known else warn(what, "there are none", fix)

    lines = await asyncio.gather(*(look(service) for service in found.releases))
    if listed := lines.count(None):
        yield ok("releases", f"listed for {counted(listed, 'service')}")
    for line in lines:
        if line is not None:
            yield line


async def _target(
    name: str, target: CatalogTarget, settings: TargetSettings, lanes: list[Lane]
) -> tuple[CheckLine, dict[Lane, Observed]]:
    what = f"target {name}"
    trust = f"; {settings.trust}" if settings.trust else ""
    try:
        seen = {lane: await target.observe(lane) for lane in lanes}
    except (Unreachable, TargetRefused) as error:
        return warn(what, f"does not answer ({error}){trust}", settings.when_away), {}
    empty = [str(lane) for lane, o in seen.items() if not o.running]
    if empty:
        fix = "`slipway bootstrap SERVICE ENVIRONMENT VERSION` starts a first release"
        return warn(what, f"answers; nothing runs in {', '.join(empty)}{trust}", fix), seen
    return ok(what, f"answers; {counted(len(seen), 'lane')} running{trust}"), seen


async def _source(
    found: Catalog, name: str, source: MetricSource, observed: dict[Lane, Observed]
) -> CheckLine:
    what = f"metrics {name}"
    users = [lane for lane, config in found.lanes.items() if name in config.metrics]
    asked = [(lane, [r.digest for r in observed[lane].running]) for lane in users if lane in observed]
    asked = [(lane, digests) for lane, digests in asked if digests]
    if not asked:
        return warn(what, "nothing runs that it measures", "check again when something does")
    for lane, digests in asked:
        for sample in await source.sample(lane, digests):
            if sample.error is not None:
                return bad(what, f"{lane}: {sample.error}", f"check metrics.{name} in the catalog")
    return ok(what, f"read for {', '.join(str(lane) for lane, _ in asked)}")
