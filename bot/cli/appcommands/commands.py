"""`slipway commands`: the same as `/commands-sync`, for pipelines and when Discord is down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bot.cli.appcommands import change
from bot.cli.appcommands import output as shapes
from bot.cli.appcommands.group import ENVIRONMENTS, application_argument, command, commands, print_json
from bot.cli.appcommands.service import OpenedService, opened
from bot.cli.exits import EXIT_DIFFERENT, EXIT_FAILED, tell
from bot.domain.formatting import counted
from bot.engine.appcommands.api import Comparison, Validation

__all__ = ["change", "commands"]

_file = click.option(
    "--file", type=click.Path(path_type=Path), help="Use this manifest instead of the catalog's."
)
_exit = click.option("--exit-code", "exits", is_flag=True, help="Exit with 10 if there are differences.")


@command("detect")
@click.argument("application", required=False)
@_exit
async def detect(*, application: str | None, exits: bool, as_json: bool, server: str | None) -> int:
    """Show whether there is anything to apply, from checksums in the database. Discord is not called."""
    async with opened(application, server) as service:
        names = service.names(application)
        found = [await service.commands.detect(service.guild_id, name) for name in names]
    if as_json:
        print_json(shapes.detection(found))
    for one in found if not as_json else ():
        todo = f"to apply: {', '.join(one.pending)}" if one.pending else "nothing to do"
        tell(f"{one.application}  {one.wanted.version} ({one.wanted.where})  {todo}")
    return EXIT_DIFFERENT if exits and any(one.pending for one in found) else 0


@command("validate")
@application_argument
@_file
async def validate(*, application: str, file: Path | None, as_json: bool, server: str | None) -> int:
    """List all mistakes of a manifest, each with its JSON path. With --file, no database is needed."""
    if file is not None:
        from bot.cli.appcommands.file import checked

        found = checked(application, file)
    else:
        async with opened(application, server) as service:
            found = await service.commands.validate(service.guild_id, application)
    if as_json:
        print_json(shapes.validation(found))
    else:
        _tell_validation(found)
    return 0 if found.ok else EXIT_FAILED


def _tell_validation(found: Validation) -> None:
    for one in found.mistakes:
        tell(str(one), err=True)
    if found.manifest is None:
        tell(f"✗ {found.where}: {counted(len(found.mistakes), 'mistake')}", err=True)
    else:
        many = counted(len(found.manifest.commands), "command")
        tell(f"✓ {found.where}: {many}, version {found.manifest.version}")


@command("diff")
@application_argument
@click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Only this environment (default: both).")
@_file
@_exit
async def diff(
    *,
    application: str,
    environment: str | None,
    file: Path | None,
    exits: bool,
    as_json: bool,
    server: str | None,
) -> int:
    """Show what an apply would change, compared with Discord now. With --file, no database is needed."""
    wanted = (environment,) if environment else ENVIRONMENTS
    if file is not None:
        from bot.cli.appcommands.file import compared

        found = await compared(application, wanted, file)
        names: dict[int, str] = {}
    else:
        async with opened(application, server) as service:
            found = [await service.commands.diff(service.guild_id, application, one) for one in wanted]
            names = _servers(service)
    text = _whole(found, names)
    if as_json:
        print_json(shapes.difference(found, text))
    else:
        tell(text, nl=False)
    if any(one.mistakes for one in found):
        return EXIT_FAILED
    return EXIT_DIFFERENT if exits and any(one.different for one in found) else 0


def _servers(service: OpenedService) -> dict[int, str]:
    return {guild.id: guild.name for guild in service.catalog.guilds.values()}


def _whole(found: Sequence[Comparison], names: dict[int, str]) -> str:
    from bot.ui.appcommands.wording import place_of, whole_text

    return "\n".join(whole_text(one, place_of(names)) for one in found)


@command("backups")
@application_argument
@click.option("--environment", type=click.Choice(ENVIRONMENTS))
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True)
@click.option("--before", type=click.IntRange(min=1), help="Only backups older than this one.")
async def backups(
    *,
    application: str,
    environment: str | None,
    limit: int,
    before: int | None,
    as_json: bool,
    server: str | None,
) -> int:
    """List the commands from before each change, newest first."""
    async with opened(application, server) as service:
        found = await service.commands.backups(
            service.guild_id, application, environment, before=before, limit=limit
        )
    if as_json:
        print_json(shapes.backups(application, found))
        return 0
    if not found:
        tell("· no backups yet: nothing has been changed")
    for one in found:
        tell(
            f"{one.id:>6}  {one.at:%Y-%m-%d %H:%M}  {one.environment:<10}  {one.scope!s:<19}  "
            f"{counted(one.count, 'command'):<12}  {one.version:<12}  {one.who}{f': {one.why}' if one.why else ''}"
        )
    return 0


@command("health")
@click.argument("application", required=False)
async def health(*, application: str | None, as_json: bool, server: str | None) -> int:
    """Show what Discord serves, and findings of the monitor. Exit code 1 if there are any."""
    async with opened(application, server) as service:
        service.names(application)
        found = await service.commands.status(service.guild_id, application)
    troubles = shapes.troubles(found)
    if as_json:
        print_json(shapes.health(found))
        return EXIT_FAILED if troubles else 0
    for application_status in found:
        for one in application_status.environments:
            served = one.served_version or "not checked yet"
            tell(f"{application_status.application}/{one.environment}  {served}")
    for line in troubles:
        tell(f"✗ {line}")
    tell("✓ everything is healthy" if not troubles else f"✗ {counted(len(troubles), 'finding')}")
    return EXIT_FAILED if troubles else 0
