"""Settings of command targets, and the spec of their releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.adapters.targets.jobs.settings import JobTargetSettings
from bot.domain.rollout.model import Release
from bot.kinds import SpecSettings, SshPart
from bot.ports.errors import TargetRefused
from bot.redaction import is_sensitive
from bot.values import Duration, RelativePath, Text

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class CommandTargetSettings(JobTargetSettings):
    """Deploys by commands, here or over SSH. Arguments may have `{service}`, `{environment}`, `{version}`, `{digest}`,

    `{commit}`, `{action}`, `{generation}`, `{rollout}`, `{stable}`, `{candidate}` and `{weight}`.
    """

    when_away: ClassVar[str] = "run its observe command by hand"

    kind: Literal["command"]
    apply: tuple[Text, ...] = Field(min_length=1, description="Brings a version in: program and arguments.")
    rollback: tuple[Text, ...] | None = Field(
        default=None, min_length=1, description="Brings the stable version back; as apply by default."
    )
    observe: tuple[Text, ...] | None = Field(
        default=None,
        min_length=1,
        description="Prints the version that runs, on a line; without it, what the last command did is believed.",
    )
    ssh: SshPart | None = Field(default=None, description="The machine to run them on; this one by default.")
    cwd: RelativePath | None = Field(
        default=None, description="Working directory on this machine, relative to this file."
    )
    timeout: Duration = Field(
        default=600.0, description="How long apply or rollback may take; 10m by default."
    )
    grace: Duration = Field(
        default=10.0, description="Between SIGTERM and SIGKILL when one is to end; 10s by default."
    )
    observe_timeout: Duration = Field(default=10.0, description="How long it may take; 10s by default.")


class CommandSpecSettings(SpecSettings):
    """What the commands get for a release, beside Slipway's own variables."""

    private: ClassVar[tuple[str, ...]] = ("env",)

    env: dict[Annotated[str, Field(pattern=_NAME)], Text] | None = Field(
        default=None, description="Variables of the commands, which inherit none of Slipway's secrets."
    )


class CommandSpec(BaseModel):
    """`Release.spec` of a command target. `secrets`: values that the catalog took from its environment, by place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Mapping[Annotated[str, Field(pattern=_NAME)], str] = Field(default_factory=dict)
    secrets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, repr=False)

    @property
    def private(self) -> set[str]:
        """Values to redact from output."""
        named = {value for name, value in self.env.items() if is_sensitive(name)}
        return named | {value for values in self.secrets.values() for value in values}


def parse_spec(release: Release) -> CommandSpec:
    """Raises `TargetRefused`, without values, which may be secret."""
    try:
        return CommandSpec.model_validate(dict(release.spec))
    except ValidationError as bad:
        found = bad.errors(include_input=False, include_url=False, include_context=False)
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'spec'}: {e['msg']}" for e in found)
        sentence = f"{release.service} {release.version} cannot be deployed by a command: {mistakes}"
        raise TargetRefused(sentence) from None
