"""`slipway commands apply` and `rollback`: changes, through the same gates and with the same audit as in Discord."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bot.cli import commands_json as shapes
from bot.cli.commands_desk import Desk, as_account, opened
from bot.cli.commands_group import ENVIRONMENTS, application_argument, command, print_json
from bot.cli.exits import EXIT_FAILED, EXIT_WAITING
from bot.domain.errors import UserError
from bot.domain.model import Phase, Rollout
from bot.engine.commands.api import Applied, ApplyRequest, ManualStep, Restored, RestoreRequest

_LONGEST_WAIT_S = 24 * 3600.0

_reason = click.option("--reason", default="", help="Why; on the card and in the history.")
_wait = click.option("--wait", is_flag=True, help="Until it is over: approvals are given in Discord.")
_timeout = click.option("--timeout", default=1800.0, show_default=True, help="Seconds to wait at most.")
_key = click.option("--key", default="", help="Asking again with the same key starts nothing new.")


@command("apply")
@application_argument
@click.argument("environment", type=click.Choice(ENVIRONMENTS))
@_reason
@click.option("--emergency", is_flag=True, help="Without the success in staging; needs a role and a reason.")
@_wait
@_timeout
@_key
async def apply(
    *,
    application: str,
    environment: str,
    reason: str,
    emergency: bool,
    wait: bool,
    timeout: float,
    key: str,
    as_json: bool,
    server: str | None,
) -> int:
    """Bring the catalog's manifest to ENVIRONMENT. Production opens its gate and waits for the button in Discord."""
    if emergency and not reason.strip():
        raise UserError("An emergency needs a reason.", rule="reason", remedy="Give it with --reason.")
    async with opened(application, server) as desk:
        request = ApplyRequest(
            guild_id=desk.guild_id,
            actor=desk.actor,
            application=application,
            environment=environment,
            reason=reason.strip(),
            interaction=_interaction(desk, key),
            emergency=emergency,
        )
        with as_account(desk.actor):
            done = await desk.commands.apply(request)
        return await _followed(desk, done, timeout if wait else None, as_json)


@command("rollback")
@application_argument
@click.argument("backup", type=click.IntRange(min=1))
@_reason
@_wait
@_timeout
@_key
async def rollback(
    *,
    application: str,
    backup: int,
    reason: str,
    wait: bool,
    timeout: float,
    key: str,
    as_json: bool,
    server: str | None,
) -> int:
    """Put back what BACKUP holds. It needs no approval, as any way back; what it replaces is backed up first."""
    async with opened(application, server) as desk:
        held = await desk.commands.backup(desk.guild_id, backup)
        if held.line.application != application:
            raise UserError(
                f"Backup {backup} is of {held.line.application}, not of {application}.",
                rule="other_application",
                remedy="`slipway commands backups` lists those of an application.",
            )
        request = RestoreRequest(desk.guild_id, desk.actor, backup, reason.strip(), _interaction(desk, key))
        with as_account(desk.actor):
            done = await desk.commands.restore(request)
        return await _followed(desk, done, timeout if wait else None, as_json)


def _interaction(desk: Desk, key: str) -> str:
    return f"cli:{desk.actor.name}:{key}"[:100] if key else ""


async def _followed(desk: Desk, done: Applied | Restored, wait_s: float | None, as_json: bool) -> int:
    """Print what was begun and, where one waits, how it ended."""
    rollout, manual = done.rollout, done.manual if isinstance(done, Restored) else ()
    click.echo(f"· rollout {rollout.id}: {done.sentence}" if rollout else f"· {done.sentence}", err=True)
    if rollout is not None and wait_s is not None:
        longest = min(max(0.0, wait_s), _LONGEST_WAIT_S)
        rollout = await desk.ended(rollout, longest, lambda line: click.echo(f"· {line}", err=True))
    if as_json:
        print_json(shapes.begun(done.sentence, done.comparison, rollout, manual))
    else:
        _tell_end(rollout, manual, waited=wait_s is not None)
    if rollout is None or wait_s is None:
        return 0
    if not rollout.phase.final:
        return EXIT_WAITING
    return 0 if rollout.phase is Phase.SUCCEEDED else EXIT_FAILED


def _tell_end(rollout: Rollout | None, manual: Sequence[ManualStep], *, waited: bool) -> None:
    for step in manual:
        click.echo(f"! to be set by hand: {step.sentence}")
    if rollout is None:
        click.echo("✓ nothing to do")
    elif not waited:
        click.echo(f"✓ rollout {rollout.id} has begun")
    elif not rollout.phase.final:
        click.echo(f"… rollout {rollout.id} is {rollout.phase}: {rollout.outcome}")
    else:
        mark = "✓" if rollout.phase is Phase.SUCCEEDED else "✗"
        click.echo(f"{mark} rollout {rollout.id}: {rollout.phase.replace('_', ' ')}. {rollout.outcome}")
