"""Applications with deployed slash commands."""

from __future__ import annotations

from pydantic import Field

from bot.kinds import ManifestSettings
from bot.values import Duration, Names, Part, Proportion, SecretText, Snowflake


class Application(Part):
    """A Discord application with slash commands to deploy: first in staging, approved, verified, reversible."""

    id: Snowflake = Field(description="The application's id, in quotes.")
    token: SecretText = Field(description="Its bot token, from the environment: ${NAME}.")
    manifest: ManifestSettings = Field(description="Where the full list of its commands comes from.")
    staging: Names = Field(description="Guilds that try commands first: names of guilds: or ids.")
    production: Names = Field(default=("global",), description="global, or guilds.")
    owners: Names = Field(description="Roles that may apply and restore.")
    approval: str = Field(description="Name of an entry of approvals:, for production.")
    guilds: Names | None = Field(default=None, description="Guilds that see it; all by default.")
    max_age: Duration = Field(
        default=3600.0, description="How long a success in staging counts; 1h by default."
    )
    emergency: Names = Field(default=(), description="Roles that may skip staging, with a reason.")
    notify: Names | None = Field(default=None, description="Roles that alerts mention; owners by default.")
    check: Duration = Field(default=300.0, description="How often Discord is read; 5m by default.")
    deviation: Proportion = Field(
        default=0.2, description='Tolerated change of the number of commands: "20%".'
    )
    answer: Duration = Field(default=5.0, description="How long Discord may take to answer; 5s by default.")
