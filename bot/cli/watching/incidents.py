"""`slipway incidents`: trouble that people work on together, as `/incident` has it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.exits import tell
from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import IncidentAction

_incident = click.argument("incident", type=click.IntRange(min=1))
_key = click.option("--key", default="", help="Makes it safe to run again: the same key acts once.")
_SHOWN = 20


@click.group()
def incidents() -> None:
    """Incidents: trouble that people work on together (docs/how-to/incidents.md).

    Needs SLIPWAY_URL and SLIPWAY_TOKEN.
    """


@command
@click.option("--closed", is_flag=True, help="The newest 25 of all, instead of all that are open.")
def list_(*, closed: bool, as_json: bool) -> int:
    """List what is open, the worst first."""
    found = api_client().get("/incidents", closed="true" if closed else None)
    if as_json:
        print_json(found)
        return 0
    for each in found["incidents"]:
        tell(_headline(each))
    if not found["incidents"]:
        tell(phrasebook.NO_INCIDENT_EVER if closed else phrasebook.NO_INCIDENT_OPEN, err=True)
    return 0


@command
@_incident
@click.option(
    "--lines", type=click.IntRange(0, 1000), default=_SHOWN, show_default=True, help="Newest lines."
)
def show(*, incident: int, lines: int, as_json: bool) -> int:
    """Show INCIDENT: its times against targets, and the newest lines of its timeline."""
    found = api_client().get(f"/incidents/{incident}")
    if as_json:
        print_json(found)
        return 0
    tell(_headline(found["incident"]))
    for what in ("acknowledged", "restored"):
        tell(f"  {_time(what, found[what])}")
    timeline = found["timeline"]
    if len(timeline) > lines:
        tell(f"  … {len(timeline) - lines} older")
    for line in timeline[max(0, len(timeline) - lines) :]:
        said = f": {line['text']}" if line["text"] else ""
        tell(f"  {_local(line['at'])}  {line['by'] or 'Slipway'} {line['what']}{said}")
    return 0


@command
@click.argument("title", default="")
@click.option(
    "--severity",
    type=click.Choice(list(map(str, Severity))),
    default=str(Severity.HIGH),
    show_default=True,
    help="How bad it is; sets the targets.",
)
@click.option("--service", help="Which service, if it is one.")
@click.option("--environment", help="Where.")
@click.option("--alert", type=click.IntRange(min=1), help="Alert that it is about; it has all of the above.")
@_key
def open_(
    *,
    title: str,
    severity: str,
    service: str | None,
    environment: str | None,
    alert: int | None,
    key: str,
    as_json: bool,
) -> int:
    """Open an incident with TITLE, or for an alert. It gets a card and a thread."""
    body = {
        "title": title,
        "severity": severity,
        "service": service,
        "environment": environment,
        "alert": alert,
    }
    return _told(api_client().post("/incidents", body, key or str(uuid.uuid4())), as_json)


@command
@_incident
@click.argument("user", type=click.IntRange(min=1, max=2**63 - 1), required=False)
@click.option("--name", default="", help="The person's name, if no on-call schedule has it.")
@_key
def assign(*, incident: int, user: int | None, name: str, key: str, as_json: bool) -> int:
    """Give INCIDENT to USER, a Discord id, or take it yourself."""
    person = {"user_id": str(user) if user is not None else None, "user": name}
    return _acted(incident, IncidentAction.ASSIGN, key, as_json, **person)


@command
@_incident
@click.argument("text")
@_key
def note(*, incident: int, text: str, key: str, as_json: bool) -> int:
    """Add TEXT to the timeline of INCIDENT, also after it was closed."""
    return _acted(incident, IncidentAction.NOTE, key, as_json, text=text)


@command
@_incident
@_key
def restored(*, incident: int, key: str, as_json: bool) -> int:
    """Say that users of INCIDENT are well again; work may go on."""
    return _acted(incident, IncidentAction.RESTORE, key, as_json)


@command
@_incident
@click.option("--reason", default="", help="What it was, or what ended it.")
@_key
def close(*, incident: int, reason: str, key: str, as_json: bool) -> int:
    """Close INCIDENT: users are well, and nothing is left to do."""
    return _acted(incident, IncidentAction.CLOSE, key, as_json, text=reason)


@command
@_incident
@click.option("--link", default="", help="Where the finished one is; no one is asked for it then.")
@_key
def postmortem(*, incident: int, link: str, key: str, as_json: bool) -> int:
    """Print the draft of a post-mortem of INCIDENT as Markdown, or say where the finished one is."""
    if link:
        return _acted(incident, IncidentAction.DOCUMENT, key, as_json, text=link)
    found = api_client().get(f"/incidents/{incident}/postmortem")
    if as_json:
        print_json(found)
    else:
        click.echo(found["markdown"])
    return 0


for _each, _name in (
    (list_, "list"),
    (show, "show"),
    (open_, "open"),
    (assign, "assign"),
    (note, "note"),
    (restored, "restored"),
    (close, "close"),
    (postmortem, "postmortem"),
):
    incidents.add_command(_each, _name)


def _acted(incident: int, action: IncidentAction, key: str, as_json: bool, **more: str | None) -> int:
    body = {"action": str(action), **more}
    return _told(api_client().post(f"/incidents/{incident}/actions", body, key or str(uuid.uuid4())), as_json)


def _told(done: Any, as_json: bool) -> int:
    if as_json:
        print_json(done)
    else:
        tell(f"✓ {done['sentence']}")
    return 0


def _headline(incident: Any) -> str:
    lane = f"  {incident['service']}/{incident['environment']}" if incident["service"] else ""
    owner = f"{incident['owner']} has it" if incident["owner"] else "no one has it"
    return (
        f"{incident['id']}  {incident['severity']}  {incident['state']}  {incident['title']}{lane}  "
        f"since {_local(incident['since'])}, {owner}"
    )


def _time(what: str, time: Any) -> str:
    mark = "✗" if time["late"] else "✓" if time["done"] else "…"
    state = "" if time["done"] else "not "
    return f"{mark} {state}{what} after {duration(round(time['took_s']))} of {duration(time['target_s'])}"


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
