"""Commands that act on lanes without the bot: abort, bootstrap, status."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import click

from bot.catalog import load
from bot.cli.exits import sentence, settings, tell
from bot.domain.config import Catalog, unknown
from bot.domain.errors import Refused
from bot.domain.rollout.model import Desired, Lane, Observed, Release, Running, RunState
from bot.ports.errors import TargetRefused, Unreachable
from bot.ports.targets import CatalogTarget, DeployTarget
from bot.settings import Settings, SettingsError

_LOOK_S = 0.1


@click.command()
@click.argument("service")
@click.argument("environment")
@click.option("--reason", default="", help="Why; recorded in the audit log.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Overrides SLIPWAY_DATA_DIR.")
def abort(service: str, environment: str, reason: str, data_dir: Path | None) -> None:
    """Send all traffic of SERVICE in ENVIRONMENT to its stable release, now.

    Needs only the process host on this machine, neither Discord nor the database. The bot adds it to the audit log as
    soon as it notices.
    """
    from bot.adapters.targets.hosted.target import abort_lane, host_dir

    folder = host_dir(data_dir or _data_dir())
    observed = asyncio.run(abort_lane(folder, Lane(service, environment), _me(), reason))
    tell(f"✓ {service}/{environment}: all traffic goes to stable (generation {observed.generation})")
    _print_running(observed)


@click.command()
@click.argument("service")
@click.argument("environment")
@click.argument("version")
@click.option("--wait", "wait_s", default=60.0, show_default=True, help="Seconds to wait until it is ready.")
def bootstrap(service: str, environment: str, version: str, wait_s: float) -> None:
    """Start VERSION of SERVICE in ENVIRONMENT as its first stable release.

    Use it before the bot first sees the lane; it adopts what runs. Fails if something already runs, or if the database
    owns the lane already.
    """
    given = settings()
    catalog = _catalog(given)
    lane = _known_lane(catalog, service, environment)
    asyncio.run(_bootstrap(catalog, given, lane, version, wait_s))


@click.command()
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(service: str | None, as_json: bool) -> None:
    """Show what runs where, as the targets see it. Works without the bot."""
    given = settings()
    catalog = _catalog(given)
    lanes = [lane for lane in catalog.lanes if service in (None, lane.service)]
    if not lanes and service is not None:
        raise unknown("service", service, {lane.service for lane in catalog.lanes})
    commands = {application.service for application in catalog.applications.values()}
    if service in commands:
        raise Refused(
            f"{service} are slash commands: no target on this machine runs them.",
            rule="slash_commands",
            remedy="`slipway commands status` shows them.",
        )
    lanes = [lane for lane in lanes if lane.service not in commands]
    found = asyncio.run(_observe(catalog, given.data_dir, lanes))
    if as_json:
        click.echo(json.dumps({str(lane): _as_json(seen) for lane, seen in found.items()}, indent=2))
        return
    for lane, seen in found.items():
        tell(f"{lane}" + (f": ✗ {seen}" if isinstance(seen, str) else ""))
        if not isinstance(seen, str):
            _print_running(seen)


def _catalog(given: Settings) -> Catalog:
    from bot.composition.registry import KINDS

    return load(given.config_dir, KINDS)


async def _bootstrap(catalog: Catalog, given: Settings, lane: Lane, version: str, wait_s: float) -> None:
    from bot.composition.adapters import make_targets

    target = make_targets(catalog, given.data_dir).get(catalog.lanes[lane].target)
    if target is None:
        raise Refused(f"{lane} has nothing to start.", rule="nothing_to_start", remedy="Use /commands-sync.")
    if await _owned(given, lane):
        raise Refused(
            f"Slipway's database already owns {lane}, and the bot would undo what is started beside it.",
            rule="lane_owned",
            remedy="Use /deploy.",
        )
    release = await _release(catalog, lane, version)
    observed = await target.observe(lane)
    if observed.running:
        runs = ", ".join(r.version for r in observed.running)
        raise Refused(f"{lane} already runs {runs}.", rule="already_running", remedy="Use /deploy.")
    generation = observed.generation + 1
    await target.apply(lane, Desired(generation, stable=release))
    await _wait_ready(target, lane, release, wait_s)
    await _print_address(target, lane, release)


async def _owned(given: Settings, lane: Lane) -> bool:
    """Whether a bot has looked at the lane before. Raises `Unreachable` if the configured database is away."""
    import asyncpg

    from bot.adapters.embedded import database

    if given.database.dsn is None and not (given.data_dir / "postgres").exists():
        return False  # no bot has run here
    async with database(given.database.dsn, given.data_dir) as dsn:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unreachable(f"the database does not answer ({type(error).__name__})") from None
        try:
            query = "SELECT EXISTS (SELECT FROM lanes WHERE service = $1 AND environment = $2)"
            return bool(await connection.fetchval(query, lane.service, lane.environment))
        except asyncpg.UndefinedTableError:
            return False
        finally:
            await connection.close()


async def _release(catalog: Catalog, lane: Lane, version: str) -> Release:
    from bot import references
    from bot.composition.adapters import Given, make_releases

    releases = make_releases(lambda: catalog)
    known = {r.version: r for r in await releases.releases(lane.service, lane.environment)}
    if version not in known:
        raise unknown("version", version, known, where=f"of {lane.service}")
    found = await releases.pinned(known[version], lane.environment)
    return replace(found, spec=references.resolved(found.spec, Given(lambda: catalog)))


async def _wait_ready(target: DeployTarget, lane: Lane, release: Release, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        seen = (await target.observe(lane)).of(release.digest)
        if seen is not None and seen.state is RunState.READY:
            return
        if seen is not None and seen.state is RunState.CRASHED:
            raise TargetRefused(f"{lane}: {release.version} did not start: {seen.detail or 'it exited'}")
        if time.monotonic() > deadline:
            state = seen.state if seen else "not running"
            raise Unreachable(f"{lane}: {release.version} is {state} after {wait_s:g} s.")
        await asyncio.sleep(_LOOK_S)


async def _print_address(target: CatalogTarget, lane: Lane, release: Release) -> None:
    address = await target.router_address(lane)
    tell(f"✓ {lane} runs {release.version}" + (f" at {address}" if address else ""))


async def _observe(catalog: Catalog, data_dir: Path, lanes: list[Lane]) -> dict[Lane, Observed | str]:
    from bot.composition.adapters import make_targets

    targets = make_targets(catalog, data_dir, start=False)

    async def look(lane: Lane) -> Observed | str:
        try:
            return await targets[catalog.lanes[lane].target].observe(lane)
        except (Unreachable, TargetRefused) as error:
            return sentence(error)

    return dict(zip(lanes, await asyncio.gather(*map(look, lanes)), strict=True))


def _known_lane(catalog: Catalog, service: str, environment: str) -> Lane:
    lane = Lane(service, environment)
    services = {known.service for known in catalog.lanes}
    if service not in services:
        raise unknown("service", service, services)
    if lane not in catalog.lanes:
        known = {k.environment for k in catalog.lanes if k.service == service}
        raise unknown("environment", environment, known, where=f"of {service}")
    return lane


def _data_dir() -> Path:
    """The data folder, even if another setting is invalid: the emergency brake must not fail because of it."""
    try:
        return settings().data_dir
    except SettingsError as error:
        tell(f"! {error}", err=True)
        return Path(os.environ.get("SLIPWAY_DATA_DIR") or ".slipway")


def _me() -> str:
    name = f"uid {os.getuid()}"
    with contextlib.suppress(OSError, KeyError):
        name = getpass.getuser()
    return f"{name}@{socket.gethostname()}"


def _print_running(observed: Observed) -> None:
    if not observed.running:
        tell("  nothing runs")
    for running in sorted(observed.running, key=lambda r: -r.weight):
        tell(f"  {_line(running)}")


def _line(running: Running) -> str:
    detail = f"  {running.detail}" if running.detail else ""
    return f"{running.version:<12} {running.weight:>3}%  {running.state}{detail}"


def _as_json(seen: Observed | str) -> dict[str, object]:
    if isinstance(seen, str):
        return {"problem": seen}
    running = [
        {
            "version": r.version,
            "digest": r.digest,
            "weight": r.weight,
            "state": str(r.state),
            "detail": r.detail,
        }
        for r in seen.running
    ]
    return {"generation": seen.generation, "running": running}


COMMANDS: tuple[click.Command, ...] = (abort, bootstrap, status)
