"""Requests to the bot's HTTP API for pipelines: deploy, rollback, approve, act, wait."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.deploys.following import DEPLOY, ROLLBACK, followed
from bot.cli.deploys.rollout_lines import summary, tell_changes, tell_facts
from bot.cli.exits import EXIT_REFUSED, tell
from bot.domain.rollout.model import Action

if TYPE_CHECKING:
    from bot.cli.client import ApiClient, Shape

_reason = click.option("--reason", default="", help="Why; shown on the card and in the history.")
_wait = click.option("--wait/--no-wait", default=False, help="Wait for the end and exit by it.")
_timeout = click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400),
    default=1800.0,
    show_default=True,
    help="Longest wait in seconds.",
)
_key = click.option(
    "--key", default="", help="A repeated key starts nothing a second time (default: a new one)."
)
_confirm = click.option("--confirm", is_flag=True, help="Roll back even from an irreversible release.")
_rollout = click.argument("rollout", type=click.IntRange(min=1))


@command
@click.argument("service")
@click.argument("environment")
@click.argument("version")
@_reason
@click.option("--dry-run", is_flag=True, help="Only show the plan, the commits and what blocks it.")
@_wait
@_timeout
@_key
def deploy(
    *,
    service: str,
    environment: str,
    version: str,
    reason: str,
    dry_run: bool,
    wait: bool,
    timeout: float,
    key: str,
    as_json: bool,
) -> int:
    """Deploy VERSION of SERVICE to ENVIRONMENT, with the gates, roles and audit of `/deploy`.

    Exit codes with --wait: 0 succeeded, 1 failed, cancelled or halted, 6 refused, 7 rolled back, 11 not over in time.
    """
    api = api_client()
    body = {"service": service, "environment": environment, "version": version, "reason": reason}
    if dry_run:
        return _dry_run(api.post("/deploys/check", body, str(uuid.uuid4())), as_json)
    begun = api.post("/deploys", body, key or str(uuid.uuid4()))
    _tell_begun(begun)
    return followed(api, begun, timeout if wait else None, as_json, DEPLOY)


@command
@click.argument("service")
@click.argument("environment")
@click.argument("version", required=False)
@_reason
@_confirm
@_wait
@_timeout
@_key
def rollback(
    *,
    service: str,
    environment: str,
    version: str | None,
    reason: str,
    confirm: bool,
    wait: bool,
    timeout: float,
    key: str,
    as_json: bool,
) -> int:
    """Roll back the active rollout of SERVICE in ENVIRONMENT, or return to VERSION (default: the last known good).

    Exit codes with --wait: 0 rolled back, 1 failed or halted, 6 refused, 11 not over in time.
    """
    api = api_client()
    body: Shape = {"service": service, "environment": environment, "reason": reason}
    if version is not None:
        body["version"] = version
    if confirm:
        body["confirm"] = True
    begun = api.post("/rollbacks", body, key or str(uuid.uuid4()))
    tell(f"· rolling back {service} in {environment}: rollout {begun['id']}", err=True)
    return followed(api, begun, timeout if wait else None, as_json, ROLLBACK)


@command
@_rollout
@_reason
@_wait
@_timeout
def approve(*, rollout: int, reason: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Approve ROLLOUT at its gate, as the token's owner. What is approved is printed first."""
    api = api_client()
    seen = api.get(f"/rollouts/{rollout}")
    tell(f"· approving {summary(seen)}, requested by {seen['requester']}", err=True)
    tell_facts(seen)
    return _acted(
        api, seen, action=Action.APPROVE, reason=reason, wait_s=timeout if wait else None, as_json=as_json
    )


@command
@_rollout
@click.argument("action", type=click.Choice([str(action) for action in Action]))
@_reason
@click.option("--for", "seconds", type=click.IntRange(0, 86_400), default=0, help="Seconds to extend by.")
@_confirm
@_wait
@_timeout
def act(
    *,
    rollout: int,
    action: str,
    reason: str,
    seconds: int,
    confirm: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> int:
    """Press a button of ROLLOUT: reject, pause, resume, extend, promote, rollback, cancel, close …"""
    api = api_client()
    seen = api.get(f"/rollouts/{rollout}")
    return _acted(
        api,
        seen,
        action=Action(action),
        reason=reason,
        seconds=seconds,
        confirm=confirm,
        wait_s=timeout if wait else None,
        as_json=as_json,
    )


@command
@_rollout
@_timeout
def wait_(*, rollout: int, timeout: float, as_json: bool) -> int:
    """Wait for the end of ROLLOUT, and exit as `deploy --wait` does."""
    api = api_client()
    return followed(api, api.get(f"/rollouts/{rollout}"), timeout, as_json, DEPLOY)


def _dry_run(found: Shape, as_json: bool) -> int:
    if as_json:
        print_json(found)
    else:
        tell_changes(found["changes"], err=False)
        for number, step in enumerate(found["steps"], 1):
            tell(f"  {number}. {step}")
        for finding in found["findings"]:
            tell(f"{'✓' if finding['ok'] else '✗'} {finding['sentence']}")
        if found["backtest"]:
            tell(f"  {found['backtest']['sentence']}")
        elif found["not_replayed"]:
            tell(f"  {found['not_replayed']}")
        if found["short_soaks"]:
            tell(f"! {found['short_soaks']}")
    return 0 if found["would_start"] else EXIT_REFUSED


def _acted(
    api: ApiClient,
    seen: Shape,
    *,
    action: Action,
    reason: str,
    wait_s: float | None,
    as_json: bool,
    seconds: int = 0,
    confirm: bool = False,
) -> int:
    body: Shape = {"action": str(action), "reason": reason, "seal": seen["seal"], "step": seen["step"]}
    if seconds:
        body["seconds"] = seconds
    if confirm:
        body["confirm"] = True
    done = api.post(f"/rollouts/{seen['id']}/actions", body, str(uuid.uuid4()))
    tell(f"· {done['sentence']}", err=True)
    ends = ROLLBACK if action is Action.ROLL_BACK else DEPLOY
    return followed(api, done["rollout"], wait_s, as_json, ends)


def _tell_begun(begun: Shape) -> None:
    tell(f"· rollout {begun['id']}: {summary(begun)}", err=True)
