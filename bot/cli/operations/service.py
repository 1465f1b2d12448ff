"""Commands that run and maintain Slipway: run, doctor, migrate, and the process host."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from bot import logs
from bot.cli.exits import EXIT_FAILED, settings, tell
from bot.domain import phrasebook
from bot.domain.formatting import counted
from bot.redaction import Redactor
from bot.settings import Settings, SettingsError

_RESTARTS_S = 120.0


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "gateway", "worker", "location"]),
    default="all",
    show_default=True,
    help="gateway: only the Discord side. worker: everything else; needs no token. location: only asks the checks "
    "that name its SLIPWAY_LOCATION.",
)
def run(role: Literal["all", "gateway", "worker", "location"]) -> None:
    """Run the bot until it is stopped. SIGHUP reloads the catalog.

    Several can share a database: one holds the Discord gateway, the others stand by and do the other work.
    """
    given = settings()
    if given.discord.token is None and role in ("all", "gateway"):
        raise SettingsError([phrasebook.LOGIN_MISSING])
    if role == "location" and (given.location is None or given.database.url is None):
        raise SettingsError([phrasebook.LOCATION_MISSING])
    redact = Redactor(given.secrets())
    logs.configure(given.log.level, given.log.format, redact)
    from bot.composition import wiring

    result: Any = wiring.run(given, role=role, redact=redact)
    if inspect.isawaitable(result):
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            result = runner.run(_awaited(result))
    sys.exit(result if isinstance(result, int) else 0)


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed: a press costs about a tenth less. None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make


async def _awaited(result: Any) -> Any:
    return await result


@click.command()
@click.option("--no-discord", is_flag=True, help="Skip the checks that need Discord.")
def doctor(no_discord: bool) -> None:
    """Check token, server, channels, roles, permissions, database, Redis, targets and metric sources.

    One line each, with a fix for what fails. Exit code 1 if any check fails.
    """
    from bot.doctor import examine

    well = asyncio.run(examine(tell, discord=not no_discord))
    sys.exit(0 if well else EXIT_FAILED)


@click.command()
def migrate() -> None:
    """Upgrade the database to the newest schema. `slipway run` does this too."""
    asyncio.run(_migrate(settings()))


async def _migrate(given: Settings) -> None:
    from bot.adapters.embedded_postgres import database
    from bot.adapters.postgres.connection.migrate import revisions, upgrade

    async with database(given.database.dsn, given.data_dir) as dsn:
        before, head = await revisions(dsn)
        await upgrade(dsn)
    tell(f"✓ the schema is at {head}" + ("" if before == head else f" (was {before or 'empty'})"))


@click.group(invoke_without_command=True)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Overrides SLIPWAY_DATA_DIR.")
@click.pass_context
def host(context: click.Context, data_dir: Path | None) -> None:
    """Process host: the program that runs releases and routers, independent of the bot.

    With --data-dir it needs no settings, and therefore no secrets.
    """
    context.obj = data_dir
    if context.invoked_subcommand is None:
        context.invoke(host_run)


@host.command("run")
@click.pass_obj
def host_run(data_dir: Path | None) -> None:
    """Run the host under its watchdog. The bot starts one if none is running."""
    from bot.adapters.targets.hosted.host.client import host_command, host_environment

    # In place of this program: its environment may have the bot's secrets.
    os.execve(sys.executable, host_command(_host_dir(data_dir)), host_environment())  # noqa: S606 - no shell


@host.command("stop")
@click.pass_obj
def host_stop(data_dir: Path | None) -> None:
    """Stop the host and all releases that it runs."""
    from bot.adapters.targets.hosted.host.client import HostClient

    asyncio.run(HostClient(_host_dir(data_dir), start=False).stop())
    tell("✓ the host and its releases are stopped")


@host.command("restart-routers")
@click.pass_obj
def host_restart_routers(data_dir: Path | None) -> None:
    """Replace Envoy or HAProxy by the version that is installed now, without losing a request."""
    from bot.adapters.targets.hosted.host.client import HostClient

    client = HostClient(_host_dir(data_dir), start=False)
    done = asyncio.run(client.call({"do": "restart_routers"}, _RESTARTS_S))
    tell(f"✓ routers of {', '.join(done['places']) or 'no target'} are restarted")


@host.command("status")
@click.pass_obj
def host_status(data_dir: Path | None) -> None:
    """Show whether the host runs, and the address of each lane."""
    from bot.adapters.targets.hosted.host.client import HostClient

    described = asyncio.run(HostClient(_host_dir(data_dir), start=False).call({"do": "describe"}))
    for lane in described["lanes"]:
        service, environment = lane["lane"]
        where = f"http://{lane['host']}:{lane['port']}" if lane["port"] is not None else "no router"
        tell(f"{service}/{environment}  {where}")
    tell(f"✓ the host answers, {counted(len(described['lanes']), 'lane')}")


def _host_dir(data_dir: Path | None) -> Path:
    from bot.adapters.targets.hosted.target import host_dir

    return host_dir(data_dir or settings().data_dir)
