"""Applications whose slash commands are deployed, and where their manifests come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.values import Duration, Names, Part, Proportion, Snowflake, Text


class FileManifest(Part):
    kind: Literal["file"]
    path: str = Field(description="A JSON file, relative to the file that says it.")


class UrlManifest(Part):
    """Only https, only the hosts that are named here, and never an address inside the network."""

    kind: Literal["url"]
    url: str = Field(pattern="^https?://", description="Where the JSON is.")
    hosts: Names | None = Field(
        default=None, description="Hosts that it may redirect to; its own by default."
    )
    allow_loopback: bool = Field(default=False, description="Also http on this machine: for a try-out.")
    timeout: Duration = 10.0


class CommandManifest(Part):
    kind: Literal["command"]
    command: tuple[Text, ...] = Field(min_length=1, description="A program that prints the JSON.")
    cwd: str = Field(default=".", description="Relative to the file that says it.")
    timeout: Duration = 30.0


class GithubManifest(Part):
    kind: Literal["github"]
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name")
    path: str = Field(description="The file in the repository.")
    ref: str = Field(default="HEAD", description="A branch, a tag or a commit.")
    token: Text | None = Field(default=None, description="For private repositories: ${NAME}.")
    api: str = Field(default="https://api.github.com", pattern="^https?://")
    timeout: Duration = 10.0


class ArtifactManifest(Part):
    """A file that belongs to a release: it goes out and comes back with it."""

    kind: Literal["artifact"]
    service: str
    path: str = Field(description="In the release's folder; {version} is filled in.")


ManifestSource = Annotated[
    FileManifest | UrlManifest | CommandManifest | GithubManifest | ArtifactManifest,
    Field(discriminator="kind"),
]


class Application(Part):
    """A Discord application whose slash commands are deployed: tried in staging, approved, verified, reversible."""

    id: Snowflake = Field(description="The application's id, in quotes.")
    token: Text = Field(description="Its bot token, from the environment: ${NAME}.")
    manifest: ManifestSource = Field(description="Where the full list of its commands comes from.")
    staging: Names = Field(description="Guilds that try commands first: names of guilds: or ids.")
    production: Names = Field(default=("global",), description="global, or guilds.")
    owners: Names = Field(description="Roles that may apply and restore.")
    approval: str = Field(description="Name of an entry of approvals:, for production.")
    guilds: Names | None = Field(default=None, description="Which guilds see it; all by default.")
    max_age: Duration = Field(
        default=3600.0, description="How long a success in staging counts; 1h by default."
    )
    emergency: Names = Field(
        default=(), description="Roles that may go to production without it, with a reason."
    )
    notify: Names | None = Field(default=None, description="Roles that are called; owners by default.")
    check: Duration = Field(default=300.0, description="How often Discord is read; 5m by default.")
    deviation: Proportion = Field(default=0.2, description='Change of the number of commands: "20%".')
    answer: Duration = Field(default=5.0, description="How long Discord may take to answer; 5s by default.")
