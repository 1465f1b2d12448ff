"""`slipway commands apply` and `rollback`: the same gates and audit as in Discord."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bot.cli.appcommands import output as shapes
from bot.cli.appcommands.group import ENVIRONMENTS, application_argument, command, print_json
from bot.cli.appcommands.service import OpenedService, as_account, opened
from bot.cli.exits import EXIT_FAILED, EXIT_WAITING, tell
from bot.domain import phrasebook
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.tokens import TokenScope
from bot.engine.appcommands.api import ApplyRequest, ApplyResult, ManualStep, Restored, RestoreRequest

_LONGEST_WAIT_S = 24 * 3600.0

_reason = click.option("--reason", default="", help="Why; shown on the card and in the history.")
_wait = click.option("--wait", is_flag=True, help="Wait for the result. Approvals are given in Discord.")
_timeout = click.option("--timeout", default=1800.0, show_default=True, help="Longest wait in seconds.")
_as = click.option(
    "--as", "named", metavar="NAME", help="Act for the owner of this token, given in SLIPWAY_TOKEN."
)
_key = click.option("--key", default="", help="A repeated key does not start a second change.")


@command("apply")
@application_argument
@click.argument("environment", type=click.Choice(ENVIRONMENTS))
@_reason
@click.option("--emergency", is_flag=True, help="Skip staging; needs a role and a reason.")
@_wait
@_timeout
@_key
@_as
async def apply(
    *,
    application: str,
    environment: str,
    reason: str,
    emergency: bool,
    wait: bool,
    timeout: float,
    key: str,
    named: str | None,
    as_json: bool,
    server: str | None,
) -> int:
    """Apply the catalog's manifest to ENVIRONMENT. Production waits for approval in Discord."""
    if emergency and not reason.strip():
        raise phrasebook.reason_required("Give it with --reason.")
    async with opened(application, server, changes=True, named=named) as service:
        service.permit(TokenScope.DEPLOY, application, environment)
        request = ApplyRequest(
            guild_id=service.guild_id,
            actor=service.actor,
            application=application,
            environment=environment,
            reason=reason.strip(),
            interaction=_interaction(service, key),
            emergency=emergency,
        )
        with as_account(service.actor, service.token):
            done = await service.commands.apply(request)
        return await _followed(service, done, timeout if wait else None, as_json)


@command("rollback")
@application_argument
@click.argument("backup", type=click.IntRange(min=1))
@_reason
@_wait
@_timeout
@_key
@_as
async def rollback(
    *,
    application: str,
    backup: int,
    reason: str,
    wait: bool,
    timeout: float,
    key: str,
    named: str | None,
    as_json: bool,
    server: str | None,
) -> int:
    """Restore BACKUP. Needs no approval, like any rollback; what it replaces is backed up first."""
    async with opened(application, server, changes=True, named=named) as service:
        held = await service.commands.backup(service.guild_id, backup)
        if held.line.application != application:
            raise phrasebook.other_application(
                backup, held.line.application, application, "slipway commands backups"
            )
        service.permit(TokenScope.OPERATE, application, held.line.environment)
        request = RestoreRequest(
            service.guild_id, service.actor, backup, reason.strip(), _interaction(service, key)
        )
        with as_account(service.actor, service.token):
            done = await service.commands.restore(request)
        return await _followed(service, done, timeout if wait else None, as_json)


def _interaction(service: OpenedService, key: str) -> str:
    return f"cli:{service.actor.name}:{key}"[:100] if key else ""


async def _followed(
    service: OpenedService, done: ApplyResult | Restored, wait_s: float | None, as_json: bool
) -> int:
    """Print the started change and, with --wait, its result."""
    rollout, manual = done.rollout, done.manual if isinstance(done, Restored) else ()
    tell(f"· rollout {rollout.id}: {done.sentence}" if rollout else f"· {done.sentence}", err=True)
    if rollout is not None and wait_s is not None:
        longest = min(max(0.0, wait_s), _LONGEST_WAIT_S)
        rollout = await service.ended(rollout, longest, lambda line: tell(f"· {line}", err=True))
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
        tell(f"! set this by hand: {step.sentence}")
    if rollout is None:
        tell("✓ nothing to do")
    elif not waited:
        tell(f"✓ rollout {rollout.id} started")
    elif not rollout.phase.final:
        tell(f"… rollout {rollout.id} is {rollout.phase}: {rollout.outcome}")
    else:
        mark = "✓" if rollout.phase is Phase.SUCCEEDED else "✗"
        tell(f"{mark} rollout {rollout.id}: {rollout.phase.replace('_', ' ')}. {rollout.outcome}")
