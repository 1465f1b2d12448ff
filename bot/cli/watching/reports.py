"""`slipway report` and `slipway export`: figures of the last days, and rows as CSV."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.exits import tell
from bot.domain import phrasebook
from bot.domain.reports import wording
from bot.domain.reports.tables import Table
from bot.ports.coordination import Clock
from bot.ports.store import Store

_local = click.option("--local", is_flag=True, help="Ask the database even if SLIPWAY_URL is set.")
_service = click.option("--service", help="Only this service.")


class _Moment(click.ParamType[datetime]):
    """A day (UTC) or a time with its offset. last: a day means its end."""

    name = "day or time"

    def __init__(self, *, last: bool = False) -> None:
        self._last = last

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value)
        try:
            if len(text) == len("2026-11-01"):
                return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=self._last)
            found = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            found = datetime.min
        if found.tzinfo is None:
            self.fail(
                f"{text!r} is no day such as 2026-11-01, or time such as 2026-11-01T12:00:00Z.", param, ctx
            )
        return found.astimezone(UTC)


@command
@_service
@click.option(
    "--days", type=click.Choice(["7", "28", "90"]), default="7", show_default=True, help="Today included."
)
@_local
def report(*, service: str | None, days: str, local: bool, as_json: bool) -> int:
    """Report deployments, availability and alerts of the last days, beside the days before.

    Reads the database, for all servers; with SLIPWAY_URL and SLIPWAY_TOKEN it asks the bot's HTTP API instead.
    """
    if _remote(local):
        found = api_client().get("/report", service=service, days=days)
    else:
        found = asyncio.run(_read(service, int(days)))
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 0


@click.command()
@click.argument("table", type=click.Choice([str(table) for table in Table]))
@click.option(
    "--from", "since", type=_Moment(), required=True, help="First day (UTC), such as 2026-11-01, or a time."
)
@click.option(
    "--to", "until", type=_Moment(last=True), help="Last day (UTC), or a time that is the end. Default: now."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A new file."
)
@_service
@_local
def export(
    *, table: str, since: datetime, until: datetime | None, output: Path, service: str | None, local: bool
) -> None:
    """Write rollouts, alerts or incidents to a CSV file: UTF-8, times in ISO 8601 and UTC, no formulas.

    Reads the database, for all servers; with SLIPWAY_URL and SLIPWAY_TOKEN it asks the bot's HTTP API instead.
    """
    if output.exists():
        raise phrasebook.file_exists(str(output))
    begin, end = since, until or datetime.now(UTC)
    handle, scratch = tempfile.mkstemp(dir=output.absolute().parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if _remote(local):
                query = {"since": _plain(begin), "until": _plain(end), "service": service}
                api_client().download(f"/export/{table}", file, **query)
            else:
                asyncio.run(_written(file, Table(table), begin, end, service))
        Path(scratch).rename(output)
    finally:
        Path(scratch).unlink(missing_ok=True)
    tell(f"✓ {output}: {output.stat().st_size:,} bytes")


def _remote(local: bool) -> bool:
    return bool(os.environ.get("SLIPWAY_URL")) and not local


async def _read(service: str | None, days: int) -> Any:
    from bot.cli.judging.judge import timed_store
    from bot.web.api.reports import shown

    async with timed_store() as (store, clock):
        reports = _reports(store, clock)
        found = await reports.report(reports.everything(service), days, service)
    return shown(found).model_dump(mode="json")


async def _written(
    file: BinaryIO, table: Table, since: datetime, until: datetime, service: str | None
) -> None:
    from bot.cli.judging.judge import timed_store

    async with timed_store() as (store, clock):
        reports = _reports(store, clock)
        async with aclosing(reports.export(table, reports.everything(service), since, until)) as chunks:
            async for chunk in chunks:
                file.write(chunk)


def _reports(store: Store, clock: Clock) -> Any:
    from bot.catalog import load
    from bot.cli.exits import settings
    from bot.composition.registry import KINDS
    from bot.engine.reports.service import ReportService

    catalog = load(settings().config_dir, KINDS)
    return ReportService(store, lambda: catalog, clock)


def _print(found: Any) -> None:
    name = found["total"]["name"] or "All services"
    tell(f"{name}, {found['since'][:10]} to {found['until'][:10]}")
    for label, text in found["total"]["lines"].items():
        tell(f"  {label:<20} {text}")
    for service in found["services"]:
        now = service["now"]
        parts = [
            f"{number} {what}"
            for number, what in (
                (now["deployments"], "deployed"),
                (now["failed"], "failed"),
                (now["alerts"], "alerts"),
            )
            if number is not None
        ]
        tell(f"  {service['name']}: {', '.join(parts)}")
    for each in found["noisiest_alerts"]:
        lane = f"{each['service']}/{each['environment']}" if each["service"] else ""
        tell(f"  {wording.noisy_alert(each['title'], lane, each['times'])}")


def _plain(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
