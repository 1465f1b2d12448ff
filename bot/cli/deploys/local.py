"""Commands that look at lanes and stop rollouts on the machine, without the bot: abort, status."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import socket
from pathlib import Path

import click

from bot.cli.exits import sentence, settings, tell
from bot.domain import phrasebook
from bot.domain.config import Catalog, unknown
from bot.domain.rollout.model import Lane, Observed, Running
from bot.ports.errors import TargetRefused, Unreachable
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
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--local", is_flag=True, help="Ask the targets even if SLIPWAY_URL is set.")
def status(service: str | None, as_json: bool, local: bool) -> None:
    """Show what runs where, as the targets see it. Works without the bot.

    With SLIPWAY_URL and SLIPWAY_TOKEN it asks the bot's HTTP API instead.
    """
    if os.environ.get("SLIPWAY_URL") and not local:
        from bot.cli.deploys.lists import print_status

        print_status(service, as_json)
        return
    given = settings()
    catalog = _catalog(given)
    lanes = [lane for lane in catalog.lanes if service in (None, lane.service)]
    if not lanes and service is not None:
        raise unknown("service", service, {lane.service for lane in catalog.lanes})
    commands = {application.service for application in catalog.applications.values()}
    if service in commands:
        raise phrasebook.slash_commands(service or "")
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
    from bot.catalog import load
    from bot.composition.registry import KINDS

    return load(given.config_dir, KINDS)


async def _observe(catalog: Catalog, data_dir: Path, lanes: list[Lane]) -> dict[Lane, Observed | str]:
    from bot.composition.adapters import make_targets

    targets = make_targets(catalog, data_dir, start=False)

    async def look(lane: Lane) -> Observed | str:
        try:
            return await targets[catalog.lanes[lane].target].observe(lane)
        except (Unreachable, TargetRefused) as error:
            return sentence(error)

    return dict(zip(lanes, await asyncio.gather(*map(look, lanes)), strict=True))


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
