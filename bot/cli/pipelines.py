"""Commands that talk to the bot's HTTP API: deploy, rollback, approve, act, wait, history, releases. For pipelines."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ParamSpec
from urllib.parse import quote

import click

from bot.cli.exits import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_ROLLED_BACK,
    EXIT_WAITING,
    ApiRefused,
    exit_code,
    sentence,
    tell,
)
from bot.domain.formatting import rough_age
from bot.domain.rollout.model import Action

if TYPE_CHECKING:
    from bot.cli.client import ApiClient, Shape

P = ParamSpec("P")
# One request waits for so long; proxies end those that wait for a minute.
_WAIT_S = 25
# For so long a pipeline waits for a bot that restarts.
_AWAY_S = 300.0
_ROLLBACK = {"rolled_back": 0, "succeeded": 0}
_DEPLOY = {"succeeded": 0, "rolled_back": EXIT_ROLLED_BACK}

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
_confirm = click.option("--confirm", is_flag=True, help="Also back from a release that is irreversible.")
_rollout = click.argument("rollout", type=click.IntRange(min=1))


def command(work: Callable[P, int]) -> click.Command:
    """A command with `--json`, which prints refusals as JSON too."""

    @click.command(work.__name__.strip("_"), help=work.__doc__)
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers.")
    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            sys.exit(work(*args, **kwargs))
        except Exception as error:
            code = exit_code(error)
            if code is None or not kwargs["as_json"]:
                raise
            print_json(error.problem if isinstance(error, ApiRefused) else {"detail": sentence(error)})
            sys.exit(code)

    return run


def print_json(shape: Any) -> None:
    click.echo(json.dumps(shape, indent=2, ensure_ascii=False))


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
    api = _client()
    body = {"service": service, "environment": environment, "version": version, "reason": reason}
    if dry_run:
        return _dry_run(api.post("/deploys/check", body, str(uuid.uuid4())), as_json)
    begun = api.post("/deploys", body, key or str(uuid.uuid4()))
    _tell_begun(begun)
    return _followed(api, begun, timeout if wait else None, as_json, _DEPLOY)


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
    api = _client()
    body: Shape = {"service": service, "environment": environment, "reason": reason}
    if version is not None:
        body["version"] = version
    if confirm:
        body["confirm"] = True
    begun = api.post("/rollbacks", body, key or str(uuid.uuid4()))
    tell(f"· rolling back {service} in {environment}: rollout {begun['id']}", err=True)
    return _followed(api, begun, timeout if wait else None, as_json, _ROLLBACK)


@command
@_rollout
@_reason
@_wait
@_timeout
def approve(*, rollout: int, reason: str, wait: bool, timeout: float, as_json: bool) -> int:
    """Approve ROLLOUT at its gate, as the token's owner. What is approved is printed first."""
    api = _client()
    seen = api.get(f"/rollouts/{rollout}")
    tell(f"· approving {_what(seen)}, requested by {seen['requester']}", err=True)
    _tell_facts(seen)
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
    api = _client()
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
    api = _client()
    return _followed(api, api.get(f"/rollouts/{rollout}"), timeout, as_json, _DEPLOY)


@command
@click.argument("service", required=False)
@click.argument("environment", required=False)
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True, help="Rollouts to list.")
@click.option("--before", type=click.IntRange(min=1), help="Only rollouts below this number.")
def history(
    *, service: str | None, environment: str | None, limit: int, before: int | None, as_json: bool
) -> int:
    """List rollouts, newest first."""
    found = _client().get("/rollouts", service=service, environment=environment, limit=limit, before=before)
    if as_json:
        print_json(found)
        return 0
    for each in found["rollouts"]:
        tell(
            f"#{each['id']}  {_what(each)}  {_words(each['phase'])}  {each['created_at'][:16]}  {each['requester']}"
        )
    if not found["rollouts"]:
        tell("There are no rollouts.", err=True)
    return 0


@command
@click.argument("service")
@click.argument("environment")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Releases to list."
)
def releases(*, service: str, environment: str, limit: int, as_json: bool) -> int:
    """List the releases of SERVICE that can be deployed to ENVIRONMENT, newest first, with their age and subject."""
    found = _client().get(f"/lanes/{quote(service, safe='')}/{quote(environment, safe='')}/releases")
    shown = found["releases"][:limit]
    if as_json:
        print_json({"releases": shown})
        return 0
    now = datetime.now(UTC)
    for each in shown:
        made_at = datetime.fromisoformat(each["made_at"]) if each["made_at"] else None
        old = f"{rough_age(made_at, now)} old" if made_at else ""
        mark = "irreversible" if each["irreversible"] else ""
        parts = [each["version"], old, each["commit"][:10], mark, each["subject"]]
        tell("  ".join(filter(None, parts)))
    if not shown:
        tell("There are no releases.", err=True)
    return 0


def print_status(service: str | None, as_json: bool) -> None:
    """`slipway status` from the API: what runs where, and active rollouts."""
    api = _client()
    found = api.get("/lanes", service=service)
    health = api.get("/health")
    by_lane = {(each["service"], each["environment"]): each for each in health["lanes"]}
    if as_json:
        lanes = [
            {**lane, "health": by_lane.get((lane["service"], lane["environment"]))} for lane in found["lanes"]
        ]
        print_json({"lanes": lanes, "alerts": health["alerts"]})
        return
    from bot.cli.health import alert_lines, health_lines

    for lane in found["lanes"]:
        locked = f"  locked: {lane['lock']['reason']}" if lane["lock"] else ""
        tell(f"{lane['service']}/{lane['environment']}" + locked)
        for running in lane["running"] or ():
            tell(f"  {running['version']:<12} {running['weight']:>3}%  {running['state']}")
        if lane["running"] == []:
            tell("  nothing runs")
        if lane["problem"]:
            tell(f"  ✗ {lane['problem']}")
        if lane["active"]:
            tell(f"  rollout {lane['active']['id']}: {_standing(lane['active'])}")
            _tell_facts(lane["active"], "  ", err=False)
        if (known := by_lane.get((lane["service"], lane["environment"]))) is not None:
            for line in (*health_lines(known), *alert_lines(health, lane["service"], lane["environment"])):
                tell(f"  {line}")


def _client() -> ApiClient:
    from bot.cli.client import client

    return client(lambda line: tell(f"· {line}", err=True))


def _dry_run(found: Shape, as_json: bool) -> int:
    if as_json:
        print_json(found)
    else:
        _tell_changes(found["changes"], err=False)
        for number, step in enumerate(found["steps"], 1):
            tell(f"  {number}. {step}")
        for finding in found["findings"]:
            tell(f"{'✓' if finding['ok'] else '✗'} {finding['sentence']}")
        if found["backtest"]:
            tell(f"  {found['backtest']['sentence']}")
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
    ends = _ROLLBACK if action is Action.ROLL_BACK else _DEPLOY
    return _followed(api, done["rollout"], wait_s, as_json, ends)


def _followed(api: ApiClient, begun: Shape, wait_s: float | None, as_json: bool, ends: dict[str, int]) -> int:
    """Print the rollout and, with `wait_s`, its progress and end. Returns the exit code."""
    now = begun
    if wait_s is not None:
        with _interruptible(begun["id"]):
            now = _ended(api, begun, wait_s)
    if as_json:
        print_json(now)
    elif wait_s is not None:
        mark = "✓" if _code(now, ends) == 0 else "…" if not _over(now) else "✗"
        tell(f"{mark} rollout {now['id']}: {_what(now)}: {_standing(now)}")
    return 0 if wait_s is None else _code(now, ends)


def _ended(api: ApiClient, begun: Shape, wait_s: float) -> Shape:
    """Wait for the end, or until the time is up; tells each new outcome."""
    deadline, now, told = time.monotonic() + wait_s, begun, ""
    while True:
        left_s = deadline - time.monotonic()
        if _over(now) or left_s <= 0:
            return now
        if (line := _standing(now)) != told:
            told = line
            tell(f"· {line}", err=True)
        asked_s = max(1, min(_WAIT_S, round(left_s)))
        patience_s = min(left_s, _AWAY_S)
        now = api.wait(f"/rollouts/{begun['id']}", asked_s, now["mark"], patience_s)


@contextlib.contextmanager
def _interruptible(rollout: int) -> Iterator[None]:
    """Interrupted while waiting: the rollout goes on, and that is said."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        tell(
            f"Stopped waiting. Rollout {rollout} continues: `slipway wait {rollout}` waits again, "
            f"`slipway act {rollout} rollback` rolls it back.",
            err=True,
        )
        sys.exit(EXIT_INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_begun(begun: Shape) -> None:
    tell(f"· rollout {begun['id']}: {_what(begun)}", err=True)


def _tell_facts(seen: Shape, before: str = "", *, err: bool = True) -> None:
    """What people should know before they approve."""
    _tell_changes(seen["changes"], before, err=err)
    if seen["irreversible"]:
        tell(f"{before}! {seen['to_version']} is irreversible: {seen['irreversible']}", err=err)
    for each in seen["preconditions"]:
        tell(f"{before}{'✓' if each['ok'] else '✗'} {each['sentence']}", err=err)
    for said in seen.get("warnings", ()):  # a server from before there were any does not say
        tell(f"{before}! {said}", err=err)


def _tell_changes(changes: Shape | None, before: str = "", *, err: bool) -> None:
    for said in filter(None, (changes["sentence"], changes["link"]) if changes else ()):
        tell(f"{before}· {said}", err=err)


def _over(now: Shape) -> bool:
    return bool(now["final"]) or now["phase"] == "halted"


def _code(now: Shape, ends: dict[str, int]) -> int:
    return ends.get(now["phase"], EXIT_FAILED) if _over(now) else EXIT_WAITING


def _what(found: Shape) -> str:
    versions = f"{found['from_version'] or 'nothing'} → {found['to_version']}"
    return f"{found['service']} {versions} in {found['environment']}"


def _standing(now: Shape) -> str:
    share = f", {now['observed_weight']}%" if now["observed_weight"] and not now["final"] else ""
    return (
        f"{_words(now['phase'])}{share}: {now['outcome']}" if now["outcome"] else _words(now["phase"]) + share
    )


def _words(phase: str) -> str:
    return phase.replace("_", " ")
