"""Spec of a release in a swarm: that of containers, and on which nodes they may run."""

from __future__ import annotations

from pydantic import Field

from bot.adapters.runtimes.docker.spec import DockerSpec, DockerSpecSettings
from bot.adapters.runtimes.spec import parsed
from bot.domain.rollout.model import Release
from bot.values import Text


class SwarmSpecSettings(DockerSpecSettings):
    """How a release runs as a service of a swarm. `{port}`, `{version}`, `{environment}` and `{service}` are

    filled in, in `image`, `command`, `env` and `labels`.
    """

    constraints: tuple[Text, ...] | None = Field(
        default=None, description="Nodes that it may run on, such as `node.labels.zone == a`; all by default."
    )


class SwarmSpec(DockerSpec):
    """`Release.spec` of a Swarm target; times in seconds."""

    constraints: tuple[str, ...] = ()


def parse_spec(release: Release, *, exclusive: bool = False) -> SwarmSpec:
    """Raises `TargetRefused` as `parsed` does."""
    return parsed(SwarmSpec, release, "in a swarm", exclusive=exclusive)
