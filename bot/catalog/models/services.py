"""Services: their environments, their releases, and what a target needs to run one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.catalog.models.lanes import LaneLayer
from bot.values import Duration, Listen, Part, Short, Text

_STRING = {"type": "string"}


class Ready(Part):
    """A release is ready when `path` answers; without a path, once it has lived for `alive`."""

    path: str | None = Field(default=None, pattern="^/")
    timeout: Duration | None = None
    alive: Duration | None = None


class Spec(Part):
    """How a release runs as a local process. `{port}`, `{version}`, `{environment}`, `{instance}` are filled in

    when it starts, `{service}`, `{python}` and (for directories) `{path}` when the rollout does.
    """

    command: tuple[Text, ...] | None = Field(default=None, description="The program and its arguments.")
    env: dict[str, Text] | None = None
    env_file: str | None = Field(
        default=None,
        description="Secrets of the service, relative to the file that says it; read at each start.",
    )
    cwd: str | None = Field(default=None, description="Relative to the file that says it.")
    ready: Ready | None = None
    drain: Duration | None = Field(default=None, description="How long requests in flight may finish.")
    stop: Duration | None = Field(default=None, description="How long it may take to exit.")
    instances: int | None = Field(default=None, ge=1, le=64)
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] | None = None


class Router(Part):
    """How users reach one lane. Without it the releases take no traffic through Slipway."""

    listen: Listen | None = Field(default=None, description="Address and port that users connect to.")
    sticky_header: str | None = Field(default=None, description="Equal values go to the same release.")
    request_timeout: Duration | None = Field(default=None, description="Longest silence of a release.")
    wait: Duration | None = Field(default=None, description="How long requests wait for a release.")


class ServiceEnvironment(LaneLayer):
    router: Annotated[Router, Short("listen", {"type": ["integer", "string"]})] | None = None
    spec: Spec = Field(default=Spec(), description="Laid over the releases' spec, key by key.")


class Version(Part):
    version: Text
    digest: str = ""
    commit: Text = ""
    spec: Spec = Spec()


class ListedReleases(Part):
    """The versions are listed here, newest first."""

    kind: Literal["listed"]
    spec: Spec = Field(default=Spec(), description="What the target needs to run them.")
    versions: tuple[Annotated[Version, Short("version", _STRING)], ...]


class DirectoryReleases(Part):
    """Every sub-folder of a folder is a release, named for its version."""

    kind: Literal["directory"]
    path: str = Field(description="The folder, relative to the file that says it.")
    spec: Spec = Field(default=Spec(), description="As in listed; {path} is the release's folder.")


Releases = Annotated[ListedReleases | DirectoryReleases, Field(discriminator="kind")]


class Service(LaneLayer):
    releases: Releases
    environments: dict[str, ServiceEnvironment | None]
