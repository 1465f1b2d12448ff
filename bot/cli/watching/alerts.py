"""`slipway alerts`: what is told alerts beside Discord, tried out."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click

from bot import logs
from bot.catalog import load
from bot.cli.exits import EXIT_FAILED, settings, tell
from bot.domain.config import Catalog, unknown
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.sinks import Delivery, Sinks
from bot.ports.errors import Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.redaction import Redactor

_MARKS = {"told": "✓", "nothing": "·", "dry_run": "·", "refused": "✗", "gone": "✗"}


@click.group()
def alerts() -> None:
    """Alerts, and the sinks that receive them."""


@alerts.command("test")
@click.argument("sinks", nargs=-1, metavar="[SINK]...")
@click.option(
    "--severity",
    type=click.Choice(list(map(str, Severity))),
    default=str(Severity.LOW),
    show_default=True,
    help="Severity of the alert; sinks get it whichever they list.",
)
@click.option("--end/--no-end", default=True, help="Send the end of the alert right after its start.")
def test_(sinks: tuple[str, ...], severity: str, end: bool) -> None:
    """Send a test alert to every sink of the catalog, or to those named, and show what became of it.

    A sink that is not enabled only says what it would do, unless it is named. Exit code 1 when one failed.
    """
    found = asyncio.run(_tried(sinks, Severity(severity), end))
    sys.exit(EXIT_FAILED if any(_failed(each) for told in found for each in told) else 0)


async def _tried(names: Sequence[str], severity: Severity, end: bool) -> list[list[Delivery | Unreachable]]:
    """What became of the beginning and the end for each sink, which is printed. Raises `UserError`."""
    import aiohttp

    from bot.composition.adapters import make_sinks
    from bot.composition.registry import KINDS

    catalog = load(settings().config_dir, KINDS)
    # What became of it is printed; only what no one expects is logged as well.
    logs.configure("error", "console", Redactor(secret.reveal() for secret in catalog.secrets))
    for name in names:
        if name not in catalog.sinks:
            raise unknown("sink", name, catalog.sinks)
    if not catalog.sinks:
        tell("· The catalog has no sinks: alerts are told in Discord alone.")
    alert = _alert(severity)
    async with aiohttp.ClientSession() as session:
        telling = Sinks(lambda: catalog.sinks, make_sinks(lambda: catalog, session))
        found = await asyncio.gather(
            *(
                _told(telling, catalog, name, alert, end=end, named=bool(names))
                for name in names or catalog.sinks
            )
        )
    for told in found:
        for each in told:
            tell(_line(each))
    return found


async def _told(
    sinks: Sinks, catalog: Catalog, name: str, alert: AlertSnapshot, *, end: bool, named: bool
) -> list[Delivery | Unreachable]:
    tell_it = sinks.try_out if named else sinks.deliver
    found: list[Delivery | Unreachable] = []
    known: Known | None = None
    for state in (AlertState.FIRING, AlertState.RESOLVED) if end else (AlertState.FIRING,):
        try:
            done = await tell_it(name, replace(alert, state=state, at=datetime.now(UTC)), known)
        except Unreachable as away:
            return [*found, Unreachable(f"{name}: {away}.")]
        found.append(done)
        known = done.known
        if done.outcome != "told":
            break
    return found


def _alert(severity: Severity) -> AlertSnapshot:
    now = datetime.now(UTC)
    return AlertSnapshot(
        id=0,
        key=f"slipway-test-{secrets.token_hex(8)}",
        severity=severity,
        title="This is a test",
        state=AlertState.FIRING,
        since=now,
        at=now,
        text=f"Nothing is wrong: `slipway alerts test` was run on {socket.gethostname()}.",
    )


def _failed(found: Delivery | Unreachable) -> bool:
    return isinstance(found, Unreachable) or _MARKS[found.outcome] == "✗"


def _line(found: Delivery | Unreachable) -> str:
    return f"✗ {found}" if isinstance(found, Unreachable) else f"{_MARKS[found.outcome]} {found.sentence}"
