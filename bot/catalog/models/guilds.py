"""Discord servers and accounts on machines."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from bot.catalog.models.oncall import parse_test_page
from bot.values import NameOrId, Names, Part, Snowflake, Text


class Channels(Part):
    """Channels that Slipway posts to, by name or id."""

    deploys: NameOrId = Field(description="Where cards are posted.")
    alerts: NameOrId = Field(description="Where alerts are posted.")
    incidents: NameOrId | None = Field(default=None, description="Where incidents get their threads.")


class WeeklyReport(Part):
    """A report that is posted each week. Without it, reports are only shown when someone asks."""

    channel: NameOrId = Field(description="Where it is posted.")
    at: Annotated[
        str,
        BeforeValidator(parse_test_page),
        WithJsonSchema({"type": "string", "examples": ["monday 09:00"]}),
    ] = Field(
        default="monday 09:00", description="Weekday and local time, in quotes; monday 09:00 by default."
    )
    time_zone: Text = Field(default="UTC", description="IANA name, such as Europe/Berlin; UTC by default.")


class Guild(Part):
    """A Discord server. Channels and roles are given by name or id."""

    id: Snowflake = Field(description="The server's id, in quotes.")
    channels: Channels
    roles: dict[str, NameOrId] = Field(description="The catalog's role names, each with the Discord role.")
    on_call: str = Field(default="on-call", description="The role that is never rate-limited on Rollback.")
    reports: WeeklyReport | None = Field(
        default=None, description="Posts a report each week; off by default."
    )
    panic: Names | None = Field(default=None, description="Who may use the panic stop; on_call by default.")
    home: bool = Field(
        default=False,
        description="Alerts about Slipway itself come here. Where no server says so, they go to the first one.",
    )


class Account(Part):
    """An account of the operating system, and what it may do with `slipway commands` on a machine."""

    roles: Names = Field(description="Roles of the account; approvals are only possible in Discord.")
    person: Snowflake | None = Field(
        default=None,
        description="Discord id of the person it belongs to, who cannot approve what it requests. Without it, every "
        "gate needs one approval more.",
    )
