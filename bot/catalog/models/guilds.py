"""Discord servers and accounts on machines."""

from __future__ import annotations

from pydantic import Field

from bot.values import NameOrId, Names, Part, Snowflake


class Channels(Part):
    """Channels that Slipway posts to, by name or id."""

    deploys: NameOrId = Field(description="Where cards are posted.")
    alerts: NameOrId = Field(description="Where alerts are posted.")
    incidents: NameOrId | None = Field(default=None, description="Where incidents get their threads.")


class Guild(Part):
    """A Discord server. Channels and roles are given by name or id."""

    id: Snowflake = Field(description="The server's id, in quotes.")
    channels: Channels
    roles: dict[str, NameOrId] = Field(description="The catalog's role names, each with the Discord role.")
    on_call: str = Field(default="on-call", description="The role that is never rate-limited on Rollback.")
    panic: Names | None = Field(default=None, description="Who may use the panic stop; on_call by default.")


class Account(Part):
    """An account of the operating system, and what it may do with `slipway commands` on a machine."""

    roles: Names = Field(description="Roles of the account; approvals are only possible in Discord.")
