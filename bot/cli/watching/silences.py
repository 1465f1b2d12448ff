"""`slipway silences`: maintenance silences, so that planned work calls no one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.exits import tell
from bot.domain import phrasebook
from bot.domain.watch.oncall.times import moment


@click.group()
def silences() -> None:
    """Maintenance silences: for a time, alerts are shown and call no one (docs/how-to/alerts.md).

    Needs SLIPWAY_URL and SLIPWAY_TOKEN.
    """


@command
def list_(*, as_json: bool) -> int:
    """List what is silenced now, and what is planned."""
    found = api_client().get("/silences")
    if as_json:
        print_json(found)
        return 0
    for each in found["silences"]:
        state = "now" if each["active"] else f"from {_local(each['since'])}"
        tell(f"{each['id']}  {each['about']}: {state}, until {_local(each['until'])}")
        tell(f"   {each['by']}: {each['reason']}")
    if not found["silences"]:
        tell(phrasebook.no_silences(), err=True)
    return 0


@command
@click.option("--service", default="", help="Which service (default: any).")
@click.option("--environment", default="", help="Which environment (default: any).")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only alerts with this label.")
@click.option("--from", "since", default="now", show_default=True, help="When, in UTC.")
@click.option("--until", required=True, help="Until when: 2h, 18:00, friday 09:00, 2026-11-23 09:00 (UTC).")
@click.option("--reason", required=True, help="Why; shown on the alerts.")
def add(
    *,
    service: str,
    environment: str,
    labels: tuple[str, ...],
    since: str,
    until: str,
    reason: str,
    as_json: bool,
) -> int:
    """Silence alerts of a service, an environment or with labels for a time."""
    api = api_client()
    # The server's time: this machine's clock may be another one.
    now = datetime.fromisoformat(api.get("/silences")["now"])
    begin = _moment(since, now)
    body: dict[str, Any] = {
        "service": service,
        "environment": environment,
        "labels": dict(_label(each) for each in labels),
        "since": None if since.strip().lower() == "now" else _plain(begin),
        "until": _plain(_moment(until, max(begin, now))),
        "reason": reason,
    }
    done = api.post("/silences", body, str(uuid.uuid4()))
    if as_json:
        print_json(done)
        return 0
    tell(f"✓ silence {done['id']}: {done['about']}, from {_local(done['since'])} to {_local(done['until'])}")
    return 0


@command
@click.argument("silence", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Why it ends before its time.")
def end(*, silence: int, reason: str, as_json: bool) -> int:
    """End SILENCE now: alerts that still fire call people again."""
    done = api_client().post(f"/silences/{silence}/end", {"reason": reason}, str(uuid.uuid4()))
    if as_json:
        print_json(done)
        return 0
    tell(f"✓ silence {done['id']} is over: {done['about']}")
    return 0


silences.add_command(list_, "list")
silences.add_command(add, "add")
silences.add_command(end, "end")


def _label(given: str) -> tuple[str, str]:
    name, sign, value = (part.strip() for part in given.partition("="))
    if not (sign and name and value):
        raise phrasebook.bad_labels(given)
    return name, value


def _moment(text: str, after: datetime) -> datetime:
    found = moment(text, after, "UTC")
    if found is None:
        raise phrasebook.bad_moment(text)
    return found


def _plain(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
