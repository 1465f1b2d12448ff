"""`slipway oncall`: who is on call, the next weeks, and overrides."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.exits import tell
from bot.domain import phrasebook
from bot.domain.formatting import stamp
from bot.domain.watch.oncall.times import moment

_DISCORD_ID = click.IntRange(min=1, max=2**63 - 1)
_local = click.option("--local", is_flag=True, help="Ask the database even if SLIPWAY_URL is set.")
_schedule = click.argument("schedule", required=False)


@click.group()
def oncall() -> None:
    """On-call schedules: who is called when something breaks (docs/how-to/on-call.md)."""


@command
@_schedule
@_local
def who(*, schedule: str | None, local: bool, as_json: bool) -> int:
    """Say who is on call for SCHEDULE (default: for each), until when, and who is next.

    Reads the database; with SLIPWAY_URL and SLIPWAY_TOKEN it asks the bot's HTTP API instead.
    """
    found = _found(schedule, local)
    if as_json:
        print_json(found)
        return 0
    for each in found["schedules"]:
        _tell_who(each, datetime.fromisoformat(found["now"]))
    _tell_none(found)
    return 0


@command
@_schedule
@_local
def schedule_(*, schedule: str | None, local: bool, as_json: bool) -> int:
    """List who is on call for SCHEDULE (default: for each) in the next four weeks, in the schedule's time zone."""
    found = _found(schedule, local)
    if as_json:
        print_json(found)
        return 0
    for each in found["schedules"]:
        tell(f"{each['schedule']} ({each['time_zone']})")
        for shift in each["shifts"]:
            override = f"  override by {shift['override_by']}" if shift["override_by"] else ""
            why = f": {shift['why']}" if shift["person"] is None else ""
            tell(
                f"  {_local_time(shift['since'], each['time_zone'])}  {_name(shift['person'])}{override}{why}"
            )
    _tell_none(found)
    return 0


@command
@click.argument("schedule")
@click.argument("user", type=_DISCORD_ID)
@click.option("--name", default="", help="The person's name, if the schedule does not have it.")
@click.option("--from", "since", default="now", show_default=True, help="When, in the schedule's time zone.")
@click.option("--until", required=True, help="Until when: 18:00, friday 09:00, 2026-11-23 09:00, or 8h.")
@click.option("--reason", required=True, help="Why; shown with the schedule.")
def override(
    *, schedule: str, user: int, name: str, since: str, until: str, reason: str, as_json: bool
) -> int:
    """Give a time on call for SCHEDULE to USER, a Discord id. It ends by itself.

    Needs SLIPWAY_URL and SLIPWAY_TOKEN.
    """
    api = api_client()
    found = api.get("/oncall", schedule=schedule)
    (known,) = found["schedules"] or [{"time_zone": "UTC"}]
    # The server's time: this machine's clock may be another one.
    now = datetime.fromisoformat(found["now"])
    begin = _moment(since, now, known["time_zone"])
    end = _moment(until, max(begin, now), known["time_zone"])
    body: dict[str, str | None] = {
        "user_id": str(user),
        "user": name,
        "since": _plain(begin),
        "until": _plain(end),
        "reason": reason,
    }
    if since.strip().lower() == "now":
        body["since"] = None
    done = api.post(f"/oncall/{quote(schedule, safe='')}/overrides", body, str(uuid.uuid4()))
    if as_json:
        print_json(done)
        return 0
    zone = known["time_zone"]
    since, until = (_local_time(done[key], zone) for key in ("since", "until"))
    tell(f"✓ {done['person']['name']} is on call for {schedule} from {since} to {until} ({zone})")
    for shift in done["instead"]:
        tell(f"  instead of {_name(shift['person'])} until {_local_time(shift['until'], zone)}")
    return 0


oncall.add_command(who, "who")
oncall.add_command(schedule_, "schedule")
oncall.add_command(override, "override")


def _found(schedule: str | None, local: bool) -> Any:
    if os.environ.get("SLIPWAY_URL") and not local:
        return api_client().get("/oncall", schedule=schedule)
    return asyncio.run(_read(schedule))


async def _read(schedule: str | None) -> Any:
    from bot.catalog import load
    from bot.cli.exits import settings
    from bot.cli.judging.judge import timed_store
    from bot.composition.registry import KINDS
    from bot.engine.watch.oncall.service import OnCall
    from bot.web.api import formatting, models

    catalog = load(settings().config_dir, KINDS)
    async with timed_store() as (store, clock):
        on_call = OnCall(store.on_call, lambda: catalog, clock, answer_s=10.0)
        found = await on_call.everywhere(schedule)
        now = clock.now()
    shown = models.SchedulesInfo(now=now, schedules=[formatting.on_call(each) for each in found])
    return shown.model_dump(mode="json")


def _tell_who(found: Any, server_time: datetime) -> None:
    now = found["now"]
    until = f" until {stamp(datetime.fromisoformat(now['until']))}" if now["until"] else ""
    if now["person"] is None:
        tell(f"✗ {found['schedule']}: no one is on call{until}. {now['why']}", now=server_time)
    else:
        tell(f"{found['schedule']}: {_name(now['person'])}{until}", now=server_time)
    if now["override_by"]:
        tell(f"  override by {now['override_by']}: {now['override_reason']}")
    after = found["shifts"][1:2]
    roles = [("next", _name(after[0]["person"]))] if after else []
    roles += [("second", _name(found["second"]))]
    lead = _name(found["lead"]) if found["lead"] else found["lead_role"]
    roles += [("lead", lead)] if lead else []
    tell("  " + "  ".join(f"{role}: {person}" for role, person in roles))
    if found["problem"]:
        tell(f"  ! {phrasebook.calendar_as_read_before(found['problem'])}")


def _tell_none(found: Any) -> None:
    if not found["schedules"]:
        tell("There is no on-call schedule.", err=True)


def _name(person: Any) -> str:
    if person is None:
        return "no one"
    return str(person["name"]) + ("" if person["here"] else " (left the server)")


def _local_time(text: str | None, zone: str) -> str:
    if text is None:
        return "until then      "
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}"


def _moment(text: str, after: datetime, zone: str) -> datetime:
    found = moment(text, after, zone)
    if found is None:
        raise phrasebook.bad_moment(text)
    return found


def _plain(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
